/**
 * A node from `multus install` to `multus uninstall`, with real pods: what a runtime does is done here as containerd and
 * CRI-O do it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inLab } from '../lab/doors.ts';
import { type CniCall, DIST, type Lab, referencePlugins } from '../lab/lab.ts';
import { type Finished, run, until } from '../lab/process.ts';

const netDir = (lab: Lab): string => join(lab.directory, 'net.d');
const generated = (lab: Lab): string => join(netDir(lab), '00-multus.conf');
const primaryPath = (lab: Lab): string => join(netDir(lab), '10-ptp.conf');
const primary = (lab: Lab): Record<string, unknown> => lab.ptp('node', '10.210.0.0/24');
const read = (lab: Lab): string => readFileSync(generated(lab), 'utf8');

/** A node with a network, whose plugins lie where ours are to come. */
function setUp(lab: Lab): void {
  mkdirSync(netDir(lab));
  writeFileSync(primaryPath(lab), JSON.stringify(primary(lab)));
  for (const name of ['ptp', 'bridge', 'host-local'])
    symlinkSync(join(referencePlugins(), name), join(lab.binDir, name));
  const keys = { binDir: lab.binDir, daemonSocketDir: lab.socketDir, manifestsDir: lab.manifestsDir };
  writeFileSync(join(lab.directory, 'keys.json'), JSON.stringify(keys));
  lab.manifest('pod.yaml', lab.podManifest('web', 'storage'));
  lab.manifest('networks.yaml', lab.nadManifest('storage', lab.bridge('storage', '10.211.0.0/24')));
}

/** The command, by the shim in `dist/`, in the lab's host. */
function multus(lab: Lab, command: string, ...options: string[]): Promise<Finished> {
  const folders = ['--bin-dir', lab.binDir, '--cni-dir', lab.stateDir, '--conf-dir', netDir(lab)];
  return lab.exec('host', join(DIST, 'multus'), command, ...folders, ...options);
}

const install = (lab: Lab): Promise<Finished> =>
  multus(lab, 'install', '--thin', '--config', join(lab.directory, 'keys.json'));
const uninstall = (lab: Lab): Promise<Finished> => multus(lab, 'uninstall', '--verify', '--socket-dir', lab.socketDir);

/** By the shim that was installed, not by the one in `dist/`. */
const installed = (lab: Lab) => ({ wrapper: ['sh', '-c', `exec ${join(lab.binDir, 'multus')}`] });

async function startPod(lab: Lab): Promise<void> {
  await lab.addNetns('pod1');
  const { code, stdout } = await lab.cni('ADD', { ...installed(lab), config: read(lab), args: lab.podArgs('web') });
  assert.is(code, 0, stdout);
}

const names = async (lab: Lab): Promise<string[]> => (await lab.links('pod1')).map(({ ifname }) => ifname);

/** What containerd does for a pod once only the primary's configuration is there. */
async function deleteByPrimary(lab: Lab): Promise<void> {
  const { code, stdout } = await run('nsenter', [`--net=${lab.netns('host')}`, join(lab.binDir, 'ptp')], {
    env: {
      PATH: process.env['PATH'],
      CNI_COMMAND: 'DEL',
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: lab.netns('pod1'),
      CNI_IFNAME: 'eth0',
      CNI_PATH: lab.binDir,
    },
    input: JSON.stringify(primary(lab)),
  });
  assert.is(code, 0, stdout);
  await lab.deleteNetns('pod1');
}

async function assertNothingIsLeft(lab: Lab): Promise<void> {
  assert.equal(readdirSync(netDir(lab)), ['10-ptp.conf']);
  assert.equal(readdirSync(lab.binDir).sort(), ['bridge', 'host-local', 'ptp']);
  assert.not.ok(existsSync(lab.stateDir));
  assert.equal(await lab.leftovers(), []);
}

// Field notes A7: ten reports of nodes on which no pod could be started or deleted after Multus was removed.
inLab(
  'a node is given back while a pod runs: it keeps its networks, containerd can delete it, nothing is left',
  async (lab) => {
    setUp(lab);
    const { code, stdout, stderr } = await install(lab);
    assert.is(code, 0, stdout + stderr);
    await startPod(lab);
    const first = await uninstall(lab);
    assert.is(first.code, 1, first.stdout);
    assert.match(
      first.stdout,
      'waits for pod default/web, container c1: its networks are detached after the pod is gone',
    );
    assert.match(first.stdout, 'not given back: pod default/web, container c1, is still attached');
    assert.equal(readdirSync(netDir(lab)), ['10-ptp.conf'], 'new pods get the primary network');
    assert.equal(await names(lab), ['eth0', 'net1']);
    await deleteByPrimary(lab);
    assert.equal(lab.reservations(), ['storage/10.211.0.2'], 'which the primary knows nothing of');
    const second = await uninstall(lab);
    assert.is(second.code, 0, second.stdout + second.stderr);
    assert.match(second.stdout, 'detached what was left of pods that are gone: 1');
    assert.match(second.stdout, 'verified: the node is given back');
    await assertNothingIsLeft(lab);
  },
);

// CRI-O keeps each pod's configuration and runs its plugin for DEL, whatever lies in its folder by then.
inLab('a pod that was attached before the node was given back is deleted by us, as CRI-O asks for', async (lab) => {
  setUp(lab);
  await install(lab);
  await startPod(lab);
  const config = read(lab);
  assert.is((await uninstall(lab)).code, 1);
  const { code, stdout } = await lab.cni('DEL', { ...installed(lab), config });
  assert.is(code, 0, stdout);
  assert.equal(await names(lab), []);
  const { code: end, stdout: report } = await uninstall(lab);
  assert.is(end, 0, report);
  await lab.deleteNetns('pod1');
  await assertNothingIsLeft(lab);
});

// The runtime would learn nothing but an exit code, just where no daemon answers.
inLab('a standalone program of which a part is missing says so as CNI wants it', async (lab) => {
  setUp(lab);
  await install(lab);
  const text = join(lab.binDir, 'multus-standalone.cjs');
  if (!existsSync(text)) return; // a single executable has it in itself
  for (const spoil of [() => writeFileSync(text, 'const cut = ('), () => rmSync(text)]) {
    spoil();
    const { code, stdout } = await lab.cni('STATUS', installed(lab));
    assert.is(code, 1);
    assert.is(JSON.parse(stdout).code, 5);
    assert.match(JSON.parse(stdout).msg, `Cannot run ${text}: `);
  }
  await uninstall(lab);
});

/** What lies beside the standalone program: V8's code of it. */
const codePath = (lab: Lab): string => join(lab.binDir, 'multus-standalone.code');
const origin = (lab: Lab): string => readFileSync(codePath(lab), 'latin1').split('\n', 1)[0]?.split(' ').at(-2) ?? '';

const CODES: [string, (path: string, whole: Buffer) => void][] = [
  ['none', (path) => rmSync(path)],
  ['of zeros', (path, whole) => writeFileSync(path, Buffer.alloc(whole.length))],
  ['cut off', (path, whole) => writeFileSync(path, whole.subarray(0, whole.length >> 1))],
  ['damaged', (path, whole) => writeFileSync(path, Buffer.from(whole).fill(0xff, whole.length - 1000))],
  ['of another Node', (path, whole) => writeFileSync(path, Buffer.concat([Buffer.from('v1'), whole]))],
];

// It is run by root, for each pod, and lies there for years.
inLab('the standalone program does the same whatever code lies beside it, and keeps its own', async (lab) => {
  setUp(lab);
  await install(lab);
  if (!existsSync(join(DIST, 'multus-standalone.cjs'))) return; // a single executable has it in itself
  assert.is(origin(lab), 'compiled');
  const links: string[][] = [];
  const addAndDelete = async (call: CniCall = {}): Promise<void> => {
    await lab.addNetns('pod1');
    for (const command of ['ADD', 'CHECK', 'DEL']) {
      const asked = { ...installed(lab), config: read(lab), args: lab.podArgs('web'), ...call };
      const { code, stdout, stderr } = await lab.cni(command, asked);
      assert.equal([code, stderr], [0, ''], `${command}: ${stdout}`);
      if (command === 'ADD') links.push(await names(lab));
    }
    await lab.deleteNetns('pod1');
  };
  await addAndDelete();
  assert.is(origin(lab), 'run');
  const whole = readFileSync(codePath(lab));
  for (const [what, spoil] of CODES) {
    spoil(codePath(lab), whole);
    await addAndDelete();
    assert.is(origin(lab), 'run', what);
  }
  rmSync(codePath(lab));
  const readOnly = `mount --bind ${lab.binDir} ${lab.binDir} && mount -o remount,bind,ro ${lab.binDir}`;
  await addAndDelete({ wrapper: ['unshare', '--mount', 'sh', '-c', `${readOnly} && exec ${lab.binDir}/multus`] });
  assert.not.ok(existsSync(codePath(lab)));
  await addAndDelete();
  assert.equal(
    links,
    links.map(() => ['eth0', 'net1']),
  );
  const { code, stdout } = await uninstall(lab);
  assert.is(code, 0, stdout);
  await assertNothingIsLeft(lab);
});

// The daemon's pod ends after the command, or is started anew by a controller that does not know yet.
inLab('a daemon does not bind the node again that was given back, and does once it is installed anew', async (lab) => {
  setUp(lab);
  await install(lab);
  const folders = { cniConfigDir: netDir(lab), multusAutoconfigDir: netDir(lab) };
  const path = join(lab.directory, 'daemon-config.json');
  writeFileSync(path, JSON.stringify({ socketDir: lab.socketDir, cniDir: lab.stateDir, ...folders }));
  await lab.startDaemon('--config', path);
  await until('the daemon looks after the file', () => lab.daemonLog.includes('node configuration in place'));
  const { stdout } = await uninstall(lab);
  assert.match(stdout, `waits for multusd, which answers in ${lab.socketDir}: end it`);
  await until('the daemon has looked again', () => lab.daemonLog.includes('gave the node back'));
  assert.not.ok(existsSync(generated(lab)));
  await multus(lab, 'install');
  await until('the daemon has written the file', () => existsSync(generated(lab)));
  await lab.endDaemon();
  const { code, stdout: report } = await uninstall(lab);
  assert.is(code, 0, report);
  await assertNothingIsLeft(lab);
});

// Without a daemon nobody else follows the primary: a network that changes would leave pods with what it was.
inLab('install --thin --watch follows the primary until it is ended, and the file stays', async (lab) => {
  setUp(lab);
  const watching = multusInBackground(lab);
  try {
    await until('the file is there', () => existsSync(generated(lab)));
    writeFileSync(primaryPath(lab), JSON.stringify({ ...primary(lab), capabilities: { ips: true } }));
    await until('the change counts', () => 'ips' in JSON.parse(read(lab)).capabilities);
    await startPod(lab);
    assert.equal(await names(lab), ['eth0', 'net1']);
    assert.is((await lab.cni('DEL', { ...installed(lab), config: read(lab) })).code, 0);
  } finally {
    watching.kill();
  }
  const { code, stderr } = await watching.finished;
  assert.is(code, 0, stderr);
  assert.ok(existsSync(generated(lab)));
});

// The DaemonSet is still there, and no socket tells so: every new pod would fail for want of a program that is gone.
inLab('what follows the node does not bind it again when uninstall has removed the programs', async (lab) => {
  setUp(lab);
  const watching = multusInBackground(lab);
  try {
    await until('the file is there', () => existsSync(generated(lab)));
    const { code, stdout, stderr } = await uninstall(lab);
    assert.is(code, 0, stdout + stderr);
    writeFileSync(primaryPath(lab), JSON.stringify({ ...primary(lab), capabilities: { ips: true } }));
    await until('it has looked again', () => watching.log().includes('has removed the programs'));
  } finally {
    watching.kill();
  }
  await watching.finished;
  await assertNothingIsLeft(lab);
});

interface InBackground {
  kill: () => void;
  /** What it has said so far. */
  log: () => string;
  finished: Promise<Finished>;
}

function multusInBackground(lab: Lab): InBackground {
  let kill = (): void => undefined;
  let log = '';
  const folders = ['--bin-dir', lab.binDir, '--cni-dir', lab.stateDir, '--conf-dir', netDir(lab)];
  const watch = ['--thin', '--watch', '--config', join(lab.directory, 'keys.json')];
  const words = [`--net=${lab.netns('host')}`, join(DIST, 'multus'), 'install', ...folders, ...watch];
  const finished = run('nsenter', words, {
    onSpawn: (child) => {
      kill = () => child.kill('SIGTERM');
      child.stderr?.on('data', (text) => {
        log += text;
      });
    },
  });
  return { kill: () => kill(), log: () => log, finished };
}

test.run();
