import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../src/attach/journal.ts';
import { install } from '../../../src/cli/install.ts';
import { type UninstallOptions, uninstall } from '../../../src/cli/uninstall.ts';
import { verifyUninstalled } from '../../../src/cli/verify-uninstalled.ts';
import { bootId } from '../../../src/node/boot-id.ts';
import { readInstallRecord } from '../../../src/node-config/install-record.ts';
import { writePrimaryMemory } from '../../../src/node-config/primary-memory.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { aDefaultAttachment, anAttachment, aRecord } from '../attach/records.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const folders = () => ({
  binDir: folder.at('bin'),
  cniDir: folder.at('state'),
  confDirs: [folder.at('net.d')],
  socketDir: folder.at('run'),
  pluginDirs: [],
});
const run = (more: Partial<UninstallOptions> = {}) =>
  uninstall({
    ...folders(),
    log: new FakeLog(),
    path: process.env['PATH'],
    runtimeCache: folder.at('results'),
    ...more,
  });

const PARTS = ['multus', 'multus-standalone', 'multus-credentials.cjs', 'multus-yaml.cjs', 'multus_native.node'];

const conf = (type: string, name = 'node'): string => JSON.stringify({ cniVersion: '1.0.0', name, type });
const configs = (): string[] => readdirSync(folder.at('net.d')).sort();
const programs = (): string[] => readdirSync(folder.at('bin')).sort();

/** A node with ptp as its network, and everything of ours. */
async function setUp(): Promise<void> {
  for (const name of PARTS) folder.write(`from/${name}`, '\x7fELF');
  chmodSync(folder.write('bin/ptp', '#!/bin/sh\n'), 0o755);
  const kubeconfig = folder.write('multus.kubeconfig', 'rotated since');
  await install({ from: folder.at('from'), binDir: folder.at('bin'), cniDir: folder.at('state'), kubeconfig });
  folder.write('net.d/10-ptp.conf', conf('ptp'));
  folder.write('net.d/00-multus.conf', conf('multus'));
}

const aRunningPod = () =>
  aRecord({ bootId: bootId(), netnsPath: '/proc/self/ns/net', attachments: [aDefaultAttachment()] });

test('gives the whole node back when no pod is attached: programs, configuration and state go', async () => {
  await setUp();
  folder.write('net.d/00-multus.conf.cilium_bak', conf('multus'));
  folder.write('net.d/70-copy.conflist', '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"multus-shim"}]}');
  const { waitsFor } = await run();
  assert.equal(waitsFor, []);
  assert.equal(configs(), ['10-ptp.conf']);
  assert.equal(programs(), ['ptp']);
  assert.not.ok(existsSync(folder.at('state')));
  assert.not.ok(existsSync(folder.at('multus.kubeconfig')), 'credentials do not stay behind');
});

// The program makes it anew on the node, so that no list has it.
test('what was compiled of a program goes with it', async () => {
  for (const name of PARTS) folder.write(`from/${name}`, '#!/bin/sh\n');
  folder.write('from/multus-standalone.cjs', '1;');
  await install({ from: folder.at('from'), binDir: folder.at('bin'), cniDir: folder.at('state') });
  folder.write('net.d/10-ptp.conf', conf('ptp'));
  assert.ok(programs().includes('multus-standalone.code'));
  folder.write('bin/multus-standalone.code', 'made anew');
  folder.write('bin/.multus-standalone.code.tmp', 'of one that was killed');
  await run();
  assert.equal(programs(), []);
});

test('may be run on a node that has nothing of us, and again', async () => {
  folder.write('net.d/10-ptp.conf', conf('ptp'));
  for (const dryRun of [false, true, false]) {
    const { done, waitsFor } = await run({ dryRun });
    assert.equal([done, waitsFor], [['nothing of multus-native is on this node'], []]);
    assert.equal(configs(), ['10-ptp.conf']);
    assert.not.ok(existsSync(folder.at('state')));
  }
});

// "verified", it said of a node that was full of us.
test('--verify finds programs that are on no list', async () => {
  await setUp();
  folder.remove('state/.install.json');
  const { done } = await run();
  const left = ['multus-standalone', 'multus_native.node', 'multus-credentials.cjs', 'multus-yaml.cjs']
    .map((name) => folder.at('bin', name))
    .join(', ');
  assert.ok(done.includes(`left ${left}: no "multus install" wrote down that they are ours`), done.join('\n'));
  const how = 'run "multus install" again, then uninstall';
  const list = folder.at('state/.install.json');
  assert.equal(await verifyUninstalled(folders()), [
    `${left} are there and not on the list (${list} is not there); ${how}`,
  ]);
  folder.write('state/.install.json', '{');
  assert.match((await verifyUninstalled(folders())).join(), `not on the list (${list} is damaged: `);
});

// Field notes A7. CRI-O runs us for the DEL of pods that we attached, whatever its configuration says by then: without
// the programs these pods could never be deleted.
test('with pods attached, the configuration goes and the programs stay; --force removes them all the same', async () => {
  await setUp();
  await new Journal(folder.at('state')).write(aRunningPod());
  const { waitsFor } = await run();
  assert.equal(waitsFor, ['pod prod/web, container c0ffee: its networks are detached after the pod is gone']);
  assert.equal(configs(), ['10-ptp.conf']);
  assert.equal(programs(), [...PARTS, 'multus-shim', 'passthru', 'ptp'].sort());
  assert.ok(readInstallRecord(folder.at('state'))?.withdrawnAt);
  assert.equal((await run()).waitsFor, waitsFor, 'and again');
  assert.equal((await run({ force: true })).waitsFor, []);
  assert.equal(programs(), ['ptp']);
  assert.equal(new Journal(folder.at('state')).list(), ['c0ffee'], 'what nobody detaches stays written down');
});

const aStuckPod = () => {
  const problem = 'plugin "macvlan" of network "prod/data": Link not found';
  const step = { type: 'macvlan', stdin: '{"cniVersion":"1.0.0","name":"data","type":"macvlan"}' };
  const lost = anAttachment({ state: 'detaching', lastError: problem, steps: [step] });
  return aRecord({ path: [folder.at('bin')], attachments: [lost] });
};

// It said to wait for the pod, which was gone for days.
test('says what keeps a pod that is gone from being detached, and what to do; --force drops it', async () => {
  await setUp();
  chmodSync(folder.write('bin/macvlan', '#!/bin/sh\necho \'{"code":11,"msg":"Link not found"}\'; exit 1\n'), 0o755);
  await new Journal(folder.at('state')).write(aStuckPod());
  const { waitsFor, stuck } = await run();
  assert.equal(waitsFor, []);
  assert.is(stuck.length, 1);
  assert.match(
    stuck[0] ?? '',
    /^cannot detach pod prod\/web, container c0ffee \(the node was rebooted since\): .*Link not found.* or drop it: multus forget --cni-dir \S+ c0ffee$/,
  );
  assert.ok(programs().includes('multus'));
  const forced = await run({ force: true });
  assert.equal([forced.waitsFor, forced.stuck], [[], []]);
  assert.match(forced.done.join('\n'), 'dropped pod prod/web, container c0ffee (the node was rebooted since)');
  assert.not.ok(existsSync(folder.at('state')));
  assert.equal(await verifyUninstalled(folders()), []);
});

// Most containers that are run by hand have none.
test('a container without a pod is called so', async () => {
  await setUp();
  await new Journal(folder.at('state')).write({ ...aRunningPod(), pod: '' });
  const { waitsFor } = await run();
  assert.equal(waitsFor, ['container c0ffee (no pod): its networks are detached after the pod is gone']);
});

test('--dry-run says what would be done, and does nothing', async () => {
  await setUp();
  const before = [configs(), programs(), readFileSync(folder.at('state/.install.json'), 'utf8')];
  const { done } = await run({ dryRun: true });
  assert.ok(done.includes(`would have removed ${folder.at('net.d/00-multus.conf')}`), done.join('\n'));
  assert.equal([configs(), programs(), readFileSync(folder.at('state/.install.json'), 'utf8')], before);
});

// A daemon would begin a new journal for programs that are gone.
test('waits for a daemon that still answers, whatever is forced', async () => {
  await setUp();
  const server = createServer();
  folder.write('run/overlay.json', '{}');
  await new Promise<void>((resolve) => server.listen(folder.at('run/multus.sock'), resolve));
  try {
    const { waitsFor } = await run({ force: true });
    assert.equal(waitsFor, [`multusd, which answers in ${folder.at('run')}: end it`]);
    assert.ok(programs().includes('multus'));
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  assert.equal((await run()).waitsFor, []);
  assert.not.ok(existsSync(folder.at('run')));
});

// The folder of the socket would stay on every node that ever had a daemon.
test('removes what a daemon that was killed left beside its socket', async () => {
  await setUp();
  const daemon = `require('node:net').createServer().listen('multus.sock', () => process.kill(process.pid, 'SIGKILL'))`;
  for (const name of ['.multus.sock.lock', 'overlay.json']) folder.write(`run/${name}`, '');
  spawnSync(process.execPath, ['-e', daemon], { cwd: folder.at('run') });
  assert.ok(lstatSync(folder.at('run/multus.sock')).isSocket());
  assert.equal((await run()).waitsFor, []);
  assert.not.ok(existsSync(folder.at('run')));
});

// A node that went back to Multus: its file has the same name as ours, its shim the same as ours.
test('leaves what Multus installed over ours: its programs, and the configuration that runs them', async () => {
  await setUp();
  folder.write('bin/multus-shim', "Multus's own");
  folder.write('net.d/00-multus.conf', conf('multus-shim'));
  const { done } = await run();
  assert.ok(done.includes(`left ${folder.at('bin/multus-shim')}: it is not what was installed`), done.join('\n'));
  assert.equal(programs(), ['multus-shim', 'ptp']);
  assert.equal(configs(), ['00-multus.conf', '10-ptp.conf']);
});

// Multus's thin plugin writes 00-multus.conflist: the runtime would go on reading ours, which comes before it.
test("removes our configuration also when Multus's program is behind it already", async () => {
  await setUp();
  const capabilities = { 'io.kubernetes.cri.pod-annotations': true };
  folder.write('net.d/00-multus.conf', JSON.stringify({ ...JSON.parse(conf('multus')), capabilities }));
  folder.write('bin/multus', "Multus's own");
  folder.write('net.d/00-multus.conflist', '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"multus"}]}');
  await run();
  assert.equal(configs(), ['00-multus.conflist', '10-ptp.conf']);
});

test('puts the primary back where it was renamed, only when the node would have no network otherwise', async () => {
  for (const suffix of ['.cilium_bak', '.old']) {
    await setUp();
    const memory = { folder: folder.at('net.d'), file: '20-own.conf', name: 'own', types: ['ptp'] };
    folder.write(`net.d/20-own.conf${suffix}`, conf('ptp', 'own'));
    await writePrimaryMemory(folder.at('state'), memory);
    await run();
    assert.equal(configs(), ['10-ptp.conf', `20-own.conf${suffix}`]);
    folder.write('net.d/10-ptp.conf', conf('loopback'));
    await writePrimaryMemory(folder.at('state'), memory);
    await run();
    assert.equal(configs(), ['10-ptp.conf', '20-own.conf']);
    folder.remove('net.d');
  }
});

// The runtime reads another folder than the one that the primary lies in: without ours it would have nothing.
test('copies a primary from a folder of its own when the runtime would have no configuration', async () => {
  await setUp();
  folder.remove('net.d/10-ptp.conf');
  folder.write('primary/20-own.conf', conf('ptp', 'own'));
  await writePrimaryMemory(folder.at('state'), {
    folder: folder.at('primary'),
    file: '20-own.conf',
    name: 'own',
    types: ['ptp'],
  });
  await run();
  assert.is(readFileSync(folder.at('net.d/20-own.conf'), 'utf8'), conf('ptp', 'own'));
});

test('--verify finds everything that keeps a node from being given back, and nothing else', async () => {
  const problems = () => verifyUninstalled(folders());
  const starting = (text: string, found: string[]): boolean => found.some((one) => one.startsWith(text));
  assert.equal(await problems(), [`no configuration is in ${folder.at('net.d')}: the node has no network`]);
  await setUp();
  await new Journal(folder.at('state')).write(aRunningPod());
  const before = await problems();
  for (const text of [
    `the first configuration in ${folder.at('net.d')} is not the node's network: 00-multus.conf`,
    `${folder.at('net.d/00-multus.conf')} is there`,
    'pod prod/web, container c0ffee, is still attached',
    `${folder.at('bin/multus_native.node')}, ${folder.at('bin/multus-credentials.cjs')}, ${folder.at('bin/multus-yaml.cjs')}, `,
  ]) {
    assert.ok(starting(text, before), `${text}\n${before.join('\n')}`);
  }
  new Journal(folder.at('state')).remove('c0ffee');
  await run();
  assert.equal(await problems(), []);
  folder.write('net.d/05-podman.conflist', conf('ptp', 'podman'));
  assert.match((await problems()).join(), "is not the node's network: 05-podman.conflist: it is podman's");
  folder.remove('net.d/05-podman.conflist');
  folder.write('net.d/10-ptp.conf', '{');
  assert.match((await problems()).join(), 'Cannot parse CNI configuration file');
  folder.write('net.d/10-ptp.conf', '{"cniVersion":"1.0.0","name":"n","type":"ptp","ipam":{"type":"host-local"}}');
  assert.equal(await problems(), [
    `${folder.at('net.d/10-ptp.conf')} needs the plugin host-local, which is not in ${folder.at('bin')}; if the runtime looks in another folder, name it with --plugin-dir`,
  ]);
});

test.run();
