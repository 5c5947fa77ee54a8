import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { writeInstallRecord } from '../../../src/node-config/install-record.ts';
import { NodeConfigFile } from '../../../src/node-config/node-config-file.ts';
import { nodeConfigOrigin } from '../../../src/node-config/node-config-text.ts';
import { GRACE_MS, SETTLE_MS } from '../../../src/node-config/primary-choice.ts';
import { readPrimaryMemory } from '../../../src/node-config/primary-memory.ts';
import { StartError } from '../../../src/node-config/start-error.ts';
import { parseDaemonConfig } from '../../../src/pod/daemon-config.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

type Keys = Record<string, unknown>;

/** The configuration of a daemon that makes the file from a primary in the same folder, but for the given keys. */
function originOf(keys: Keys = {}) {
  const folders = { cniConfigDir: folder.path, multusAutoconfigDir: folder.path };
  const source = RawObject.parse(JSON.stringify({ multusConfigFile: 'auto', ...folders, ...keys }), 'file');
  return nodeConfigOrigin(parseDaemonConfig(source, 'file'), { cniDir: folder.at('state') });
}

function open(keys: Keys = {}) {
  const log = new FakeLog();
  const origin = originOf(keys);
  if (origin === undefined) throw new Error('nothing is said about the node configuration');
  return { log, file: new NodeConfigFile(origin, log) };
}

const ptp = (extra: object = {}): string =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'node', type: 'ptp', ...extra });
const ours = (): string => folder.at('00-multus.conf');
const capabilities = (): string[] => Object.keys(JSON.parse(readFileSync(ours(), 'utf8')).capabilities);
const messages = (log: FakeLog): string[] => log.entries.map(({ level, message }) => `${level}: ${message}`);

test('refuses settings that contradict each other: found out at the start, not by the first pod', () => {
  const cases: [Keys, string][] = [
    [{ multusAutoconfigDir: '' }, '"multusConfigFile" is "auto", which needs "multusAutoconfigDir"'],
    [{ multusMasterCNI: '00-multus.conf' }, '"multusMasterCNI" is "00-multus.conf", the file that is made'],
    [{ forceCNIVersion: true }, '"forceCNIVersion" needs "cniVersion"'],
    [{ cniVersion: '7' }, '"cniVersion" must be one of 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0, got "7"'],
  ];
  for (const [keys, reason] of cases) {
    const isRefusal = (error: unknown): boolean =>
      error instanceof StartError && error.exitCode === 2 && error.message === `Cannot start: ${reason}`;
    assert.throws(() => originOf(keys), isRefusal, reason);
  }
});

test('leaves the node alone when nothing is said about its configuration', () => {
  assert.is(originOf({ multusConfigFile: null, multusAutoconfigDir: '' }), undefined);
});

test('writes the file for its owner only, whole, with the path of the primary', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open();
  await file.look(0);
  assert.is(JSON.parse(readFileSync(ours(), 'utf8')).clusterNetwork, folder.at('10-ptp.conf'));
  assert.is(statSync(ours()).mode & 0o777, 0o600);
  assert.equal(readdirSync(folder.path).sort(), ['00-multus.conf', '10-ptp.conf']);
  assert.equal(messages(log), ['info: node configuration in place']);
});

// Every write makes the runtime load its configuration anew.
test('does not write what is there already, nor say it again', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open();
  await file.look(0);
  const { ino, mtimeMs } = statSync(ours());
  for (const now of [100, 5000, 60_000]) await file.look(now);
  assert.equal([statSync(ours()).ino, statSync(ours()).mtimeMs], [ino, mtimeMs]);
  assert.is(log.entries.length, 1);
});

// Multus's weak point 11: capabilities never shrink.
test('follows the primary: capabilities come and go with it', async () => {
  const { file } = open();
  const annotations = 'io.kubernetes.cri.pod-annotations';
  for (const [declared, expected] of [
    [{ bandwidth: true, portMappings: true }, ['bandwidth', annotations, 'portMappings']],
    [{ portMappings: true }, [annotations, 'portMappings']],
    [{}, [annotations]],
  ] as const) {
    folder.write('10-ptp.conf', ptp({ capabilities: declared }));
    await file.look(0);
    assert.equal(capabilities(), expected);
  }
});

// Multus's weak point 11: an invalid primary yields an empty file, and the node is not ready.
test('keeps the last good file while the primary cannot be used, says why once, and follows the next good one', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open({ cniVersion: '1.0.0' });
  await file.look(0);
  const good = readFileSync(ours(), 'utf8');
  const bad: [string, RegExp][] = [
    ['{"cniVersion":', /Cannot parse CNI configuration file .*10-ptp.conf/],
    ['', /Cannot parse/],
    ['{"cniVersion":"1.0.0","type":"ptp"}', /key ..name.. is missing/],
    ['{"cniVersion":"1.0.0","name":"n"}', /neither ..type.. nor ..plugins../],
    [ptp({ cniVersion: '0.3.1' }), /its ..cniVersion.. is ..0.3.1../],
  ];
  for (const [text, reason] of bad) {
    folder.write('10-ptp.conf', text);
    for (const now of [GRACE_MS, GRACE_MS * 2]) await file.look(now);
    assert.is(readFileSync(ours(), 'utf8'), good);
    const last = log.entries.at(-1);
    assert.is(last?.level, 'error');
    assert.match(JSON.stringify(last), reason);
  }
  assert.is(log.of('node configuration left as it is').length, bad.length);
  folder.write('10-ptp.conf', ptp({ capabilities: { mac: true } }));
  await file.look(GRACE_MS * 3);
  assert.ok(capabilities().includes('mac'));
});

// Multus's weak point 11: the deletion of the primary is ignored, and the node stays ready without a network.
test('withdraws the file when the primary stays away, and writes it again at once when it is back', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open();
  await file.look(0);
  rmSync(folder.at('10-ptp.conf'));
  await file.look(1000);
  await file.look(999 + GRACE_MS);
  assert.ok(existsSync(ours()), 'an agent that restarts must not make the node flap');
  await file.look(1000 + GRACE_MS);
  assert.not.ok(existsSync(ours()));
  await file.look(2000 + GRACE_MS);
  folder.write('10-ptp.conf', ptp());
  await file.look(3000 + GRACE_MS);
  assert.ok(existsSync(ours()));
  assert.equal(messages(log), [
    'info: node configuration in place',
    'warn: node configuration kept for a while',
    'error: node configuration withdrawn: the node has no default network',
    'warn: no node configuration yet',
    'info: node configuration in place',
  ]);
});

test('a replacement of the primary, or a short absence, never takes the file away, however often it happens', async () => {
  const { file } = open();
  for (let now = 0; now < GRACE_MS * 4; now += GRACE_MS - 1) {
    folder.write('10-ptp.conf', ptp());
    await file.look(now);
    rmSync(folder.at('10-ptp.conf'));
    await file.look(now);
    assert.ok(existsSync(ours()));
  }
});

// Without our file the runtime would silently give pods another network, or the primary without the others.
test('keeps the file when the runtime would use another one in its place', async () => {
  mkdirSync(folder.at('net.d'));
  mkdirSync(folder.at('primary'));
  folder.write('primary/10-ptp.conf', ptp());
  const { file, log } = open({ cniConfigDir: folder.at('net.d'), multusAutoconfigDir: folder.at('primary') });
  await file.look(0);
  folder.write('net.d/87-podman.json', '{}');
  rmSync(folder.at('primary/10-ptp.conf'));
  await file.look(0);
  await file.look(GRACE_MS);
  assert.ok(existsSync(folder.at('net.d/00-multus.conf')));
  const [fields] = log.of('node configuration kept: pods would get another network without it');
  assert.is((fields as { next: string }).next, '87-podman.json');
  rmSync(folder.at('net.d/87-podman.json'));
  await file.look(GRACE_MS);
  assert.not.ok(existsSync(folder.at('net.d/00-multus.conf')));
});

// After a boot, podman's file is there before the network's own agent has written the primary.
test('a daemon that starts without a primary waits, and does not take away what its predecessor left', async () => {
  const left = JSON.stringify({ clusterNetwork: folder.at('10-ptp.conf') });
  folder.write('00-multus.conf', left);
  folder.write('87-podman.conf', ptp());
  const { file } = open();
  await file.look(0);
  await file.look(GRACE_MS - 1);
  assert.is(readFileSync(ours(), 'utf8'), left);
  folder.write('10-ptp.conf', ptp());
  await file.look(GRACE_MS);
  assert.is(JSON.parse(readFileSync(ours(), 'utf8')).type, 'multus');
});

// Cilium renames what is not its own, and others "clean up": pods would silently lack their networks.
test('puts back what somebody else changed or removed, but does not spin with a program that does it again', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open();
  await file.look(0);
  const good = readFileSync(ours(), 'utf8');
  rmSync(ours());
  await file.look(1);
  assert.is(readFileSync(ours(), 'utf8'), good, 'at once');
  rmSync(ours());
  await file.look(1001);
  assert.not.ok(existsSync(ours()), 'it was put back a second ago');
  await file.look(5001);
  assert.is(readFileSync(ours(), 'utf8'), good);
  folder.write('00-multus.conf', '{}');
  await file.look(9000);
  assert.is(readFileSync(ours(), 'utf8'), '{}');
  await file.look(10_001);
  assert.is(readFileSync(ours(), 'utf8'), good);
  assert.is(log.of('somebody changed or removed the node configuration').length, 3);
});

// Field notes J3: the node loses its networks without a line in any log.
test('says that Cilium put the file away and how to stop that, and writes it anew, also after a restart', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open();
  await file.look(0);
  const good = readFileSync(ours(), 'utf8');
  const isTold = (entries: object[]): boolean => JSON.stringify(entries).includes('set cni.exclusive=false');
  renameSync(ours(), `${ours()}.cilium_bak`);
  await file.look(6000);
  assert.is(readFileSync(ours(), 'utf8'), good);
  assert.ok(isTold(log.of('somebody changed or removed the node configuration')));
  renameSync(ours(), `${ours()}.cilium_bak`);
  const next = open();
  await next.file.look(0);
  assert.is(readFileSync(ours(), 'utf8'), good);
  assert.ok(isTold(next.log.of('somebody changed or removed the node configuration')));
});

// With two of us in the folder, whoever takes one away leaves the other in force.
test("takes the place of Multus's 00-multus.conflist, and leaves it when it is somebody else's", async () => {
  folder.write('10-ptp.conf', ptp());
  const other = folder.at('00-multus.conflist');
  const { file, log } = open();
  folder.write('00-multus.conflist', JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'bridge' }] }));
  await file.look(0);
  assert.ok(existsSync(other));
  folder.write('00-multus.conflist', JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'multus' }] }));
  await file.look(1);
  assert.not.ok(existsSync(other));
  assert.is(log.of('removed the node configuration of another name').length, 1);
});

// Field notes J1, J2: the node moves to another network because a file came first by name.
test('keeps the primary across restarts when another file comes first, and tells both', async () => {
  folder.write('10-ptp.conf', ptp());
  const { file } = open();
  await file.look(0);
  await file.look(SETTLE_MS);
  const { name, types } = readPrimaryMemory(folder.at('state')) ?? {};
  assert.equal([name, types], ['node', ['ptp']]);
  rmSync(ours());
  folder.write('05-left-over.conf', ptp({ name: 'other', type: 'bridge' }));
  const next = open();
  await next.file.look(0);
  assert.is(JSON.parse(readFileSync(ours(), 'utf8')).clusterNetwork, folder.at('10-ptp.conf'));
  assert.equal(messages(next.log), ['warn: node configuration in place']);
  assert.match(JSON.stringify(next.log.entries), '05-left-over.conf comes before 10-ptp.conf');
  rmSync(folder.at('10-ptp.conf'));
  await next.file.look(1000);
  await next.file.look(1000 + GRACE_MS);
  assert.is(JSON.parse(readFileSync(ours(), 'utf8')).clusterNetwork, folder.at('05-left-over.conf'));
  assert.match(JSON.stringify(next.log.entries.at(-1)), 'the primary configuration was 10-ptp.conf');
});

test('a node whose memory cannot be written is configured all the same, and says so', async () => {
  folder.write('state', 'a file in the place of the folder');
  folder.write('10-ptp.conf', ptp());
  const { file, log } = open();
  await file.look(0);
  await file.look(SETTLE_MS);
  assert.ok(existsSync(ours()));
  assert.match(JSON.stringify(log.entries.at(-1)), 'the primary cannot be remembered');
});

// A daemon that is about to end would bind the node to programs that are gone.
test('writes nothing once the node was given back, and again when it is installed anew', async () => {
  folder.write('10-ptp.conf', ptp());
  const record = { version: '1', files: [] };
  await writeInstallRecord(folder.at('state'), { ...record, withdrawnAt: '2026-11-21T20:00:00.000Z' });
  const { file, log } = open();
  for (const now of [0, 6000, GRACE_MS * 2]) await file.look(now);
  assert.not.ok(existsSync(ours()));
  assert.match(JSON.stringify(log.entries), 'gave the node back on 2026-11-21T20:00:00.000Z');
  await writeInstallRecord(folder.at('state'), record);
  await file.look(GRACE_MS * 2);
  assert.ok(existsSync(ours()));
});

// A configuration from a ConfigMap is a link to a link, and a node's folder may be one, too.
test('follows a primary through links of files and folders', async () => {
  folder.write('v1/10-ptp.conf', ptp());
  folder.write('v2/10-ptp.conf', ptp({ capabilities: { mac: true } }));
  symlinkSync('v1', folder.at('data'));
  mkdirSync(folder.at('net.d'));
  symlinkSync('../data/10-ptp.conf', folder.at('net.d/10-ptp.conf'));
  symlinkSync('net.d', folder.at('link'));
  const { file } = open({ cniConfigDir: folder.at('link'), multusAutoconfigDir: folder.at('link') });
  await file.look(0);
  assert.not.ok(readFileSync(folder.at('net.d/00-multus.conf'), 'utf8').includes('"mac"'));
  symlinkSync('v2', folder.at('data.new'));
  renameSync(folder.at('data.new'), folder.at('data'));
  await file.look(1);
  assert.ok(readFileSync(folder.at('net.d/00-multus.conf'), 'utf8').includes('"mac"'));
});

test('says which folder is not there, and writes once it is: a mount may come late', async () => {
  folder.write('primary/10-ptp.conf', ptp());
  const { file, log } = open({ cniConfigDir: folder.at('net.d'), multusAutoconfigDir: folder.at('primary') });
  await file.look(0);
  assert.match(JSON.stringify(log.entries), `Cannot write ${folder.at('net.d', '00-multus.conf')}: ENOENT`);
  mkdirSync(folder.at('net.d'));
  await file.look(1);
  assert.ok(existsSync(folder.at('net.d/00-multus.conf')));
});

test('the readiness indicator counts like the primary: waited for at the start, and missed after a while', async () => {
  folder.write('primary/10-ptp.conf', ptp());
  mkdirSync(folder.at('net.d'));
  const target = folder.at('net.d/00-multus.conf');
  const { file, log } = open({
    cniConfigDir: folder.at('net.d'),
    multusAutoconfigDir: folder.at('primary'),
    readinessindicatorfile: folder.at('ready'),
  });
  await file.look(0);
  await file.look(GRACE_MS * 2);
  assert.not.ok(existsSync(target));
  assert.match(JSON.stringify(log.entries), `\\"readinessindicatorfile\\" ${folder.at('ready')} is not there`);
  folder.write('ready', '');
  await file.look(GRACE_MS * 2);
  assert.ok(existsSync(target));
  rmSync(folder.at('ready'));
  await file.look(GRACE_MS * 2);
  assert.ok(existsSync(target));
  await file.look(GRACE_MS * 3);
  assert.not.ok(existsSync(target));
});

test("forceCNIVersion gives the primary's file the daemon's version, and changes no other byte of it", async () => {
  folder.write('10-ptp.conf', '{ "cniVersion": "0.3.1", "name": "n", "type": "ptp", "mtu": 9007199254740993 }\n');
  const { file } = open({ forceCNIVersion: true, cniVersion: '1.0.0' });
  await file.look(0);
  const forced = '{ "cniVersion": "1.0.0", "name": "n", "type": "ptp", "mtu": 9007199254740993 }\n';
  assert.is(readFileSync(folder.at('10-ptp.conf'), 'utf8'), forced);
  assert.is(JSON.parse(readFileSync(ours(), 'utf8')).cniVersion, '1.0.0');
  const { ino } = statSync(folder.at('10-ptp.conf'));
  await file.look(1);
  assert.is(statSync(folder.at('10-ptp.conf')).ino, ino, 'written once');
});

// Multus's weak point 11: with a file of one's own its daemon copies it and exits.
test('copies a file byte for byte under its own name, follows it, and never copies what is no configuration', async () => {
  mkdirSync(folder.at('net.d'));
  const text = `  ${ptp({ type: 'multus', n: 1 })}\n`;
  folder.write('own/70-own.conflist', text);
  const { file, log } = open({ multusConfigFile: folder.at('own/70-own.conflist'), cniConfigDir: folder.at('net.d') });
  const target = folder.at('net.d/70-own.conflist');
  await file.look(0);
  assert.is(readFileSync(target, 'utf8'), text);
  assert.equal(readdirSync(folder.at('net.d')), ['70-own.conflist']);
  folder.write('own/70-own.conflist', '{');
  await file.look(1);
  rmSync(folder.at('own/70-own.conflist'));
  await file.look(GRACE_MS * 2);
  assert.is(readFileSync(target, 'utf8'), text);
  assert.match(JSON.stringify(log.entries.at(-1)), /Cannot read CNI configuration file .*70-own.conflist: ENOENT/);
  folder.write('own/70-own.conflist', ptp({ type: 'multus', n: 2 }));
  await file.look(GRACE_MS * 2);
  assert.is(JSON.parse(readFileSync(target, 'utf8')).n, 2);
});

/** What may happen to a folder of the runtime, by its network's agents, by other programs, by operators. */
const FILE_NAMES = ['00-a.conf', '00-multus.conflist', '05-b.conflist', '10-c.conf', '87-podman.conflist', '99-d.conf'];
const TEXTS = [
  ...['', '{', 'null', '{"type":"multus","name":"x"}'],
  ...['ptp', 'multus', 'multus-shim', 'loopback', 'my-multus'].map((type) => ptp({ type, name: `of-${type}` })),
  ...['bridge', 'multus'].map((type) =>
    JSON.stringify({ cniVersion: '1.0.0', name: `list-${type}`, plugins: [{ type: 'calico' }, { type }] }),
  ),
];
const anEvent = fc.oneof(
  fc.record({ put: fc.constantFrom(...FILE_NAMES), text: fc.constantFrom(...TEXTS) }),
  fc.record({ remove: fc.constantFrom(...FILE_NAMES, '00-multus.conf') }),
  fc.record({ from: fc.constantFrom(...FILE_NAMES, '00-multus.conf'), to: fc.constantFrom(...FILE_NAMES) }),
  fc.record({ wait: fc.constantFrom(1, 6000, GRACE_MS + 1) }),
  fc.constant({ restart: true }),
);

/** What would end in a loop of ourselves, or leave the runtime without anything that it can read. */
function assertSound(what: string): void {
  if (!existsSync(ours())) return;
  const text = readFileSync(ours(), 'utf8');
  const { type, clusterNetwork } = JSON.parse(text);
  assert.is(type, 'my-multus', what);
  assert.ok(existsSync(dirname(clusterNetwork)), what);
}

test('whatever happens in the folder, the file never wraps one of us, and is never empty or half', async () => {
  const property = fc.asyncProperty(fc.array(anEvent, { minLength: 1, maxLength: 25 }), async (events) => {
    for (const name of readdirSync(folder.path)) rmSync(folder.at(name), { recursive: true });
    let file = open({ type: 'my-multus' }).file;
    let now = 0;
    for (const event of events) {
      if ('put' in event) folder.write(event.put, event.text);
      else if ('remove' in event) rmSync(folder.at(event.remove), { force: true });
      else if ('from' in event && existsSync(folder.at(event.from))) {
        renameSync(folder.at(event.from), folder.at(event.to));
      } else if ('wait' in event) now += event.wait;
      else if ('restart' in event) file = open({ type: 'my-multus' }).file;
      const before = existsSync(ours()) ? statSync(ours()).ino : 0;
      await file.look(now);
      assertSound(JSON.stringify(events));
      const isWritten = existsSync(ours()) && statSync(ours()).ino !== before;
      if (!isWritten) continue;
      const { clusterNetwork } = JSON.parse(readFileSync(ours(), 'utf8'));
      const primary = readFileSync(clusterNetwork, 'utf8');
      assert.not.match(primary, /multus|loopback/, JSON.stringify(events));
    }
  });
  await fc.assert(property, { numRuns: 300 });
});

test.run();
