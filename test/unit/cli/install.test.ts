import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type InstallOptions, install } from '../../../src/cli/install.ts';
import { checkThinOptions, readThinNode, tryThinConfig, writeThinConfig } from '../../../src/cli/thin-config.ts';
import { readInstallRecord, writeInstallRecord } from '../../../src/node-config/install-record.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const PARTS = [
  'multus',
  'multus-cli',
  'multus-credentials.cjs',
  'multus-standalone',
  'multus-standalone.cjs',
  'multus-yaml.cjs',
  'multus_native.node',
  'package.json',
];
const NAMES = [...PARTS, 'multus-shim', 'passthru'].sort();

function writeParts(text = ''): void {
  for (const name of PARTS) folder.write(`from/${name}`, `#!/bin/sh\n# ${name} ${text}\n`);
}

const run = (options: Partial<InstallOptions> = {}): Promise<string> =>
  install({ from: folder.at('from'), binDir: folder.at('bin'), cniDir: folder.at('state'), ...options });

async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing was refused',
    (error: Error) => error.message,
  );
}

const inodes = (): number[] => NAMES.map((name) => statSync(folder.at('bin', name)).ino);
const actions = async (options: Partial<InstallOptions> = {}): Promise<string[]> =>
  JSON.parse(await run({ json: true, ...options })).files.map(({ action }: { action: string }) => action);

// A shim without the program beside it fails every pod as soon as the daemon is away.
test('a folder that lacks a program is refused by its path, and nothing is installed', async () => {
  for (const name of [
    'multus',
    'multus-credentials.cjs',
    'multus-yaml.cjs',
    'multus-standalone',
    'multus-standalone.cjs',
    'multus_native.node',
  ]) {
    writeParts();
    rmSync(folder.at('from', name));
    assert.is(
      await refusal(run()),
      `Cannot install: ${folder.at('from', name)} is not there; name the folder of the programs with --from`,
    );
    assert.not.ok(existsSync(folder.at('bin')));
    assert.is(readInstallRecord(folder.at('state')), undefined);
  }
});

// A hundred megabytes more, for a name that the shim does not need.
test('a command for people that is a link to the single executable is not put there a second time', async () => {
  const parts = ['multus', 'multus-credentials.cjs', 'multus-yaml.cjs', 'multus-standalone', 'multus_native.node'];
  for (const name of parts) folder.write(`from/${name}`, '\x7fELF');
  symlinkSync('multus-standalone', folder.at('from/multus-cli'));
  await run();
  assert.equal(readdirSync(folder.at('bin')).sort(), [...parts, 'multus-shim', 'passthru'].sort());
});

test('puts every program in its place, with exact modes whatever the umask, and writes down what it was', async () => {
  writeParts();
  const umask = process.umask(0o077);
  try {
    await run();
  } finally {
    process.umask(umask);
  }
  assert.equal(readdirSync(folder.at('bin')).sort(), NAMES);
  const modes = NAMES.map((name) => (statSync(folder.at('bin', name)).mode & 0o7777).toString(8));
  assert.equal(
    modes,
    NAMES.map((name) => (/(node|json|cjs)$/.test(name) ? '644' : '755')),
  );
  assert.equal(readFileSync(folder.at('bin/multus-shim')), readFileSync(folder.at('from/multus')));
  const { files = [] } = readInstallRecord(folder.at('state')) ?? {};
  assert.equal(
    files.map(({ path }) => path).sort(),
    NAMES.map((name) => folder.at('bin', name)),
  );
});

// Field notes A1: every restart of the installer hits "Text file busy", or makes the runtime read all of it again.
test('does not touch what is there already, not even its inode', async () => {
  writeParts();
  assert.equal(new Set(await actions()), new Set(['installed']));
  const before = inodes();
  assert.equal(new Set(await actions()), new Set(['unchanged']));
  assert.equal(inodes(), before);
  chmodSync(folder.at('bin/multus'), 0o700);
  assert.equal(
    (await actions()).filter((one) => one !== 'unchanged'),
    ['mode set'],
  );
  assert.is(statSync(folder.at('bin/multus')).mode & 0o7777, 0o755);
  assert.equal(inodes(), before);
});

test('keeps compiled code of the standalone program, and leaves what another Node made of the same program', async () => {
  writeParts();
  folder.write('from/multus-standalone.cjs', 'globalThis.ran = 1;');
  const compiled = async (): Promise<string[]> =>
    JSON.parse(await run({ json: true })).files.flatMap(({ path, action }: { path: string; action: string }) =>
      action === 'compiled' ? [path] : [],
    );
  const code = folder.at('bin/multus-standalone.code');
  assert.equal(await compiled(), [code]);
  assert.is(statSync(code).mode & 0o7777, 0o644);
  folder.write('bin/multus-standalone.code', 'of another Node');
  assert.equal(await compiled(), []);
  folder.write('from/multus-standalone.cjs', 'globalThis.ran = 2;');
  assert.equal(await compiled(), [code], 'of another program');
  await run({ dryRun: true });
  rmSync(code);
  mkdirSync(code);
  folder.write('from/multus-standalone.cjs', 'globalThis.ran = 3;');
  assert.equal(await compiled(), [], 'it cannot be kept');
  assert.is(readFileSync(folder.at('bin/multus-standalone.cjs'), 'utf8'), 'globalThis.ran = 3;');
});

test('replaces a program while a runtime runs it, and one that is damaged or only a link', async () => {
  writeParts();
  await run();
  copyFileSync('/bin/sleep', folder.at('bin/multus'));
  const child = spawn(folder.at('bin/multus'), ['60']);
  try {
    await new Promise((resolve) => child.once('spawn', resolve));
    folder.write('bin/multus-cli', 'half');
    rmSync(folder.at('bin/passthru'));
    symlinkSync(folder.at('from/multus'), folder.at('bin/passthru'));
    assert.equal((await actions()).filter((one) => one === 'replaced').length, 3);
    assert.is(child.exitCode, null, 'the one that runs goes on');
    assert.equal(readFileSync(folder.at('bin/multus')), readFileSync(folder.at('from/multus')));
    assert.ok(lstatSync(folder.at('bin/passthru')).isFile());
  } finally {
    child.kill();
  }
  assert.equal(
    readdirSync(folder.at('bin')).filter((name) => name.startsWith('.')),
    [],
    'no draft is left',
  );
});

test('a file that cannot be written is named, and what was there stays', async () => {
  writeParts();
  folder.write('bin/multus/in-the-way', '');
  const said = await refusal(run());
  assert.match(said, `Cannot write ${folder.at('bin/multus')}: `);
  // Nobody would know what to remove from the node.
  assert.match(said, `${folder.at('bin/multus-cli')} are in place already: install again, or "multus uninstall"`);
  const listed = readInstallRecord(folder.at('state'))?.files.map(({ path }) => path);
  assert.equal(
    listed?.sort(),
    NAMES.map((name) => folder.at('bin', name)),
  );
  assert.equal(
    readdirSync(folder.at('bin')).filter((name) => name.startsWith('.')),
    [],
    'no draft is left',
  );
});

test("does not take the place of somebody's package, and says whose names it takes", async () => {
  writeParts();
  const theirs = folder.write('bin/package.json', '{"name":"theirs"}');
  assert.is(
    await refusal(run()),
    `Cannot install to --bin-dir ${folder.at('bin')}: ${theirs} is there, and is not ours`,
  );
  assert.equal(readdirSync(folder.at('bin')), ['package.json']);
  folder.remove('bin/package.json');
  folder.write('bin/multus', "Multus's own");
  assert.match(await run(), /bin\/multus +replaced \(not ours before\)/);
});

// The shim of one version would start the standalone program of another, or that one load the addon of a third.
test('a file for which there is no room leaves all programs as they were', async () => {
  writeParts();
  await run();
  const before = inodes();
  writeParts('of the next version');
  folder.write('bin/.multus.tmp/in-the-way', ''); // the last one of them cannot be written
  assert.match(await refusal(run()), `Cannot write ${folder.at('bin/multus')}: `);
  assert.equal(inodes(), before);
  rmSync(folder.at('bin/.multus.tmp'), { recursive: true });
  assert.equal(readdirSync(folder.at('bin')).sort(), NAMES, 'no draft is left');
  assert.ok((await actions()).includes('replaced'));
});

// Each would put what the other one is still writing in the place of a program.
test('of two installs at a time one waits for the other', async () => {
  writeParts();
  const [first, second] = await Promise.all([actions(), actions()]);
  assert.equal(new Set([...(first ?? []), ...(second ?? [])]), new Set(['installed', 'unchanged']));
  assert.equal(readdirSync(folder.at('bin')).sort(), NAMES);
});

test('--dry-run says what would be done, and does nothing', async () => {
  writeParts();
  assert.match(await run({ dryRun: true }), /WOULD BE .*\n.*package.json +installed/);
  assert.not.ok(existsSync(folder.at('bin')));
  assert.not.ok(existsSync(folder.at('state')));
});

// k3s changes its bin dir: what lies in the old one would stay for ever.
test('remembers what was put elsewhere before, and takes back that the node was given back', async () => {
  writeParts();
  await run({ binDir: folder.at('old') });
  const record = readInstallRecord(folder.at('state'));
  assert.ok(record);
  await writeInstallRecord(folder.at('state'), { ...record, withdrawnAt: '2026-11-21T20:00:00.000Z' });
  await run();
  const after = readInstallRecord(folder.at('state'));
  assert.is(after?.files.length, 2 * NAMES.length);
  assert.is(after?.withdrawnAt, undefined);
});

// Field notes A9: pods fail with "plugin not found" hours after everything looked well.
test('says so when no other plugin is where it installs', async () => {
  writeParts();
  assert.match(await run(), `note: no other plugin is in ${folder.at('bin')}: is it the folder`);
  folder.write('bin/loopback', '');
  assert.not.match(await run(), 'note:');
});

const thin = (config?: string) => ({
  confDir: folder.at('net.d'),
  cniDir: folder.at('state'),
  ...(config === undefined ? {} : { config }),
});
const PTP = '{"cniVersion":"1.0.0","name":"node","type":"ptp"}';

test('--thin wraps the primary as the daemon would, with the keys of a file', async () => {
  folder.write('net.d/10-ptp.conf', PTP);
  folder.write('keys.json', '{"kubeconfig":"/etc/k","namespaceIsolation":true,"kubernetes":true}');
  const target = folder.at('net.d/00-multus.conf');
  assert.is(
    await writeThinConfig(thin(folder.at('keys.json')), new FakeLog()),
    `${target} wraps ${folder.at('net.d/10-ptp.conf')}\n`,
  );
  const { clusterNetwork, kubeconfig, namespaceIsolation, cniDir, kubernetes } = JSON.parse(
    readFileSync(target, 'utf8'),
  );
  assert.equal(
    [clusterNetwork, kubeconfig, namespaceIsolation, cniDir, kubernetes],
    [folder.at('net.d/10-ptp.conf'), '/etc/k', true, folder.at('state'), true],
  );
});

// Without the word "kubernetes" a pod that the API server cannot be asked about would start without its networks.
test('--thin names the credentials, and that the node is one of a cluster', async () => {
  folder.write('net.d/10-ptp.conf', PTP);
  await writeThinConfig({ ...thin(), kubeconfig: '/etc/cni/net.d/multus.d/multus.kubeconfig' }, new FakeLog());
  const { kubeconfig, kubernetes } = JSON.parse(readFileSync(folder.at('net.d/00-multus.conf'), 'utf8'));
  assert.equal([kubeconfig, kubernetes], ['/etc/cni/net.d/multus.d/multus.kubeconfig', true]);
});

test('--thin says why it writes nothing, and leaves what is there', async () => {
  folder.write('net.d/00-multus.conf', 'as it was');
  assert.match(await refusal(writeThinConfig(thin(), new FakeLog())), "that could be the node's network");
  folder.write('net.d/10-ptp.conf', '{');
  assert.match(await refusal(writeThinConfig(thin(), new FakeLog())), 'Cannot parse CNI configuration file');
  assert.is(readFileSync(folder.at('net.d/00-multus.conf'), 'utf8'), 'as it was');
});

// It ended well, and nothing was followed or written.
test('what only --thin heeds is refused without it', () => {
  for (const options of [{ watch: true }, { config: '/c' }, { kubeconfig: '/k' }]) {
    const name = Object.keys(options).join();
    assert.throws(() => checkThinOptions(options), new RegExp(`^--${name} needs --thin$`));
    checkThinOptions({ ...options, thin: true });
  }
  const confDir = folder.at('nope');
  assert.throws(() => checkThinOptions({ thin: true, confDir }), /--conf-dir <dir>.* it is not there$/);
});

test('--thin --dry-run says what 00-multus.conf would be, and writes nothing', async () => {
  const trial = (config?: string) => readThinNode({ ...thin(config), dryRun: true });
  folder.write('net.d/10-ptp.conf', PTP.replace('1.0.0', '0.4.0'));
  const keys = folder.write('keys.json', '{"cniVersion":"1.0.0","forceCNIVersion":true,"namespaceisolaton":true}');
  const said = await tryThinConfig(trial(keys));
  assert.match(said, `${folder.at('net.d/00-multus.conf')} would wrap ${folder.at('net.d/10-ptp.conf')}:\n{`);
  assert.equal(readdirSync(folder.at('net.d')), ['10-ptp.conf']);
  assert.match(readFileSync(folder.at('net.d/10-ptp.conf'), 'utf8'), '0.4.0');
  assert.not.ok(existsSync(folder.at('state')));
  assert.equal(trial(keys).notes, ['unknown keys, without effect: namespaceisolaton']);
  folder.remove('net.d/10-ptp.conf');
  assert.match(await tryThinConfig(trial()), `${folder.at('net.d/00-multus.conf')} would not be written: `);
});

test('a folder that cannot be installed to is told by its option, without an errno', async () => {
  writeParts();
  const file = folder.write('file', '');
  const isFile = 'it is a file, not a folder';
  assert.is(await refusal(run({ binDir: file })), `Cannot install to --bin-dir ${file}: ${isFile}`);
  assert.is(await refusal(run({ cniDir: file })), `Cannot install to --cni-dir ${file}: ${isFile}`);
  const below = folder.at('file/bin');
  assert.is(
    await refusal(run({ binDir: below })),
    `Cannot make --bin-dir ${below}: what leads there is ${isFile.slice(6)}`,
  );
});

test.run();
