import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gc } from '../../../src/attach/gc.ts';
import { Journal } from '../../../src/attach/journal.ts';
import type { JournalRecord } from '../../../src/attach/journal-record.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';
import { aDefaultAttachment, anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);

const KEY = 'cni.dev/valid-attachments';
const DELEGATES = [{ cniVersion: '1.1.0', name: 'node', type: 'bridge' }];
const DETACHED = ['DEL tuning', 'DEL macvlan', 'DEL bridge'];

/** GC with the attachments that the runtime knows. */
function collection(valid: unknown, plugins: FakeRunnerOptions = {}, delegates: object[] = DELEGATES) {
  const runner = new FakeRunner(plugins);
  const config = { delegates, ...(valid === undefined ? {} : { [KEY]: valid }) };
  const operation = fakeOperation({ command: 'GC', cniDir: folder.path, runner, config });
  return { runner, run: () => gc(operation) };
}

const valid = (...containers: string[]) => containers.map((containerID) => ({ containerID, ifname: 'eth0' }));

/** A container with its default network and "prod/data", both of a version that knows GC. */
function aContainer(containerId: string): JournalRecord {
  const node = '{"cniVersion":"1.1.0","name":"node","type":"bridge"}';
  const data = '{"cniVersion":"1.1.0","name":"data","plugins":[{"type":"macvlan"},{"type":"tuning"}]}';
  const steps = ['macvlan', 'tuning'].map((type) => ({ type, stdin: '{}' }));
  const attachments = [
    aDefaultAttachment({ source: node, cniVersion: '1.1.0' }),
    anAttachment({ source: data, cniVersion: '1.1.0', steps }),
  ];
  return aRecord({ containerId, attachments });
}

async function write(...records: JournalRecord[]): Promise<void> {
  for (const record of records) await new Journal(folder.path).write(record);
}

/** What each GC call was told, by plugin. */
function told(runner: FakeRunner): [plugin: string, attachments: string[]][] {
  return runner.runs
    .filter(({ env }) => env['CNI_COMMAND'] === 'GC')
    .map(({ plugin, stdin }) => {
      const attachments: { containerID: string; ifname: string }[] = JSON.parse(stdin ?? '')[KEY];
      return [plugin, attachments.map(({ containerID, ifname }) => `${containerID}/${ifname}`)];
    });
}

test('refuses a GC that does not say what is valid: taken for "nothing", it would detach every pod', async () => {
  await write(aContainer('a'));
  const cases: [unknown, string][] = [
    [undefined, 'it is missing'],
    [null, 'got null'],
    [{}, 'got {}'],
    [[null], 'got null'],
    [[{ containerID: 'a' }], 'got {"containerID":"a"}'],
    [[{ containerID: 5, ifname: 'eth0' }], 'got {"containerID":5,"ifname":"eth0"}'],
    [[{ containerID: '../a', ifname: 'eth0' }], 'got {"containerID":"../a","ifname":"eth0"}'],
  ];
  for (const [value, got] of cases) {
    const { run, runner } = collection(value);
    const message = `Cannot GC: key "${KEY}" must be a list of {containerID, ifname}, ${got}`;
    assert.equal(await laterRefusal(run), { code: 7, message, details: '' });
    assert.equal(runner.calls, []);
  }
  assert.equal(new Journal(folder.path).list(), ['a']);
});

test('tells no plugin what is valid while the record of a living container is unreadable: its address would be freed', async () => {
  await write(aContainer('a'), aContainer('dead'));
  folder.write('b', 'damaged');
  const { run, runner } = collection(valid('a', 'b'));
  const { code, message } = await laterRefusal(run);
  assert.is(code, 105);
  assert.match(message, `Cannot use journal file ${folder.at('b')}`);
  assert.equal(runner.calls, DETACHED, 'what is known to be dead is detached all the same');
});

test('a damaged record of a container that the runtime does not know stops nothing, and is told', async () => {
  await write(aContainer('a'));
  folder.write('b', 'damaged');
  const { run, runner } = collection(valid('a'));
  const { code, details } = await laterRefusal(run);
  assert.is(code, 105);
  assert.match(details, /the file is kept as .*\.damaged-b-\d+; what its plugins left is not detached by anybody/);
  assert.equal(told(runner), [
    ['bridge', ['a/eth0']],
    ['macvlan', ['a/net1']],
    ['tuning', ['a/net1']],
  ]);
  await collection(valid('a')).run(); // told once: no later GC fails for it
});

test('an attachment that cannot be detached stays valid for its plugin, and the failure is the answer', async () => {
  await write(aContainer('a'), aContainer('dead'));
  const { run, runner } = collection(valid('a'), {
    onFeed: ({ plugin, env }) => (plugin === 'macvlan' && env['CNI_COMMAND'] === 'DEL' ? { exitCode: 1 } : ''),
  });
  assert.match((await laterRefusal(run)).message, 'plugin "macvlan" of network "prod/data" exited with code 1');
  assert.equal(told(runner), [
    ['bridge', ['a/eth0']],
    ['macvlan', ['a/net1', 'dead/net1']],
    ['tuning', ['a/net1', 'dead/net1']],
  ]);
  assert.is(new Journal(folder.path).read('dead')?.attachments.length, 1);
});

test('a plugin whose GC fails does not keep the other networks from theirs', async () => {
  await write(aContainer('a'));
  const { run, runner } = collection(valid('a'), {
    onFeed: ({ plugin }) => (plugin === 'bridge' ? { exitCode: 1 } : ''),
  });
  assert.match((await laterRefusal(run)).message, 'plugin "bridge" of network "node" exited with code 1');
  assert.equal(runner.calls, ['GC bridge', 'GC macvlan', 'GC tuning']);
});

test('detaches what the runtime no longer knows, and leaves the pods that live', async () => {
  await write(aContainer('a'), aContainer('b'), aContainer('dead'));
  const { run, runner } = collection(valid('a', 'b'));
  await run();
  assert.equal(runner.calls.slice(0, 3), DETACHED);
  assert.equal(told(runner), [
    ['bridge', ['a/eth0', 'b/eth0']],
    ['macvlan', ['a/net1', 'b/net1']],
    ['tuning', ['a/net1', 'b/net1']],
  ]);
  assert.equal(
    readdirSync(folder.path).filter((name) => !name.startsWith('.')),
    ['a', 'b'],
  );
});

test("a container under another interface name is not the runtime's attachment", async () => {
  await write(aContainer('a'));
  const { run, runner } = collection([{ containerID: 'a', ifname: 'other' }]);
  await run();
  assert.equal(runner.calls.slice(0, 3), DETACHED);
});

/** A container that Multus attached: the default network on eth5, and a list. */
function writeForeign(containerId: string, more: object = {}): void {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const node = '{"cniVersion":"1.1.0","name":"node","type":"bridge"}';
  const data = '{"cniVersion":"1.1.0","name":"data","plugins":[{"type":"macvlan"},{"type":"tuning"}]}';
  const entries = [
    { Conf: { name: 'node', type: 'bridge' }, ConfList: {}, Name: 'node', Bytes: base64(node) },
    { Conf: {}, ConfList: {}, Name: 'prod/data', Bytes: base64(data), ...more },
  ];
  folder.write(containerId, JSON.stringify(entries));
}

test('what Multus attached is valid by its container, counts for its plugins, and is collected once it is not', async () => {
  await write(aContainer('a'));
  writeForeign('theirs');
  const living = collection([...valid('a'), { containerID: 'theirs', ifname: 'eth5' }]);
  await living.run();
  assert.equal(told(living.runner), [
    ['bridge', ['a/eth0', 'theirs/eth5']],
    ['macvlan', ['a/net1', 'theirs/net1']],
    ['tuning', ['a/net1', 'theirs/net1']],
  ]);
  const dead = collection(valid('a'));
  await dead.run();
  assert.equal(dead.runner.calls.slice(0, 3), DETACHED);
  assert.equal(new Journal(folder.path).list(), ['a']);
});

test('tells no plugin what is valid while not all is known that Multus attached to a living container', async () => {
  writeForeign('theirs', { Bytes: 'damaged' });
  const { run, runner } = collection(valid('theirs'));
  const { code, message } = await laterRefusal(run);
  assert.is(code, 105);
  assert.match(message, 'Multus attached container theirs, and not all of it is known: ');
  assert.equal(runner.calls, []);
});

// The last pod of a network may have left addresses behind that only its plugin knows of.
test('after the last container of a network its plugins hear that nothing is valid', async () => {
  await write(aContainer('dead'));
  const { run, runner } = collection([]);
  await run();
  assert.equal(told(runner), [
    ['bridge', []],
    ['macvlan', []],
    ['tuning', []],
  ]);
});

test('containers from before us keep the addresses of the default network', async () => {
  await write(aContainer('a'));
  const { run, runner } = collection(valid('a', 'from-before'));
  await run();
  assert.equal(told(runner).slice(0, 2), [
    ['bridge', ['from-before/eth0', 'a/eth0']],
    ['macvlan', ['a/net1']],
  ]);
});

// Its default network is in no record of ours: its address would be freed under a pod that runs.
test('a container from before us into which something was plugged keeps the address of its default network', async () => {
  const attachments = aContainer('hot').attachments.slice(1);
  await write({ ...aContainer('hot'), name: '', ifName: 'net1', attachments });
  const { run, runner } = collection(valid('hot'));
  await run();
  assert.equal(told(runner), [
    ['bridge', ['hot/eth0']],
    ['macvlan', ['hot/net1']],
    ['tuning', ['hot/net1']],
  ]);
});

test('after the last container of a node its plugins hear that nothing is valid', async () => {
  const { run, runner } = collection([]);
  await run();
  assert.equal(told(runner), [['bridge', []]]);
});

test('asks neither plugins of a version that does not know GC nor networks that forbid it', async () => {
  const old = { cniVersion: '1.0.0', name: 'old', type: 'x' };
  const forbids = { cniVersion: '1.1.0', name: 'forbids', disableGC: true, plugins: [{ type: 'y' }] };
  const { run, runner } = collection([], {}, [old, forbids]);
  await run();
  assert.equal(runner.calls, []);
});

test('a plugin hears of its network, and of nothing of a container', async () => {
  await write(aContainer('a'));
  const { run, runner } = collection(valid('a'));
  await run();
  const tuning = runner.runs.find(({ plugin }) => plugin === 'tuning');
  const attachments = '[{"containerID":"a","ifname":"net1"}]';
  assert.is(
    tuning?.stdin,
    `{"type":"tuning","name":"data","cniVersion":"1.1.0","${KEY}":${attachments},"cni.dev/attachments":${attachments}}`,
  );
  assert.is(tuning?.env['CNI_CONTAINERID'], undefined);
});

test.run();
