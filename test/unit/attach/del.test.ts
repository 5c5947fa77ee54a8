import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { del } from '../../../src/attach/del.ts';
import { Journal } from '../../../src/attach/journal.ts';
import { formatRecord, type JournalRecord } from '../../../src/attach/journal-record.ts';
import { bootId } from '../../../src/node/boot-id.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';
import { aDefaultAttachment, anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);

/** DEL of container c0ffee with plugins that end as told. */
function deletion(plugins: FakeRunnerOptions = {}) {
  const runner = new FakeRunner(plugins);
  const operation = fakeOperation({ command: 'DEL', cniDir: folder.path, runner });
  return { runner, operation, run: () => del(operation) };
}

/** What the log says of a damaged file. */
type Fields = { error: string; aside?: string };

const write = (record: JournalRecord) => new Journal(folder.path).write(record);
const read = () => new Journal(folder.path).read('c0ffee');

/** Plugins of which these are busy. */
const busy = (...plugins: string[]): FakeRunnerOptions => ({
  onFeed: ({ plugin }) =>
    plugins.includes(plugin) ? { exitCode: 1, stdout: Buffer.from(`{"code":11,"msg":"${plugin} is busy"}`) } : '',
});

test('a delegate that fails stays in the journal with its reason, and the others are detached all the same', async () => {
  await write(aRecord());
  const { run, runner } = deletion(busy('macvlan'));
  const lastError = 'plugin "macvlan" of network "prod/data": macvlan is busy';
  assert.equal(await laterRefusal(run), { code: 11, message: lastError, details: '' });
  assert.equal(runner.calls, ['DEL macvlan', 'DEL bridge']);
  const left = read()?.attachments.map((one) => [one.network, one.state, one.lastError]);
  assert.equal(left, [['prod/data', 'detaching', lastError]]);

  const again = deletion();
  await again.run();
  assert.equal(again.runner.calls, ['DEL macvlan'], 'the next try runs only what is left');
  assert.is(read(), undefined);
});

// A plugin whose ADD failed fails its DEL for the same reason: the pod would be terminating for ever, for one typo.
test('what never was attached and cannot be detached is kept for later, and does not fail the DEL', async () => {
  await write(aRecord({ complete: false, attachments: [anAttachment({ state: 'attaching', result: '' })] }));
  const { run, operation } = deletion(busy('macvlan'));
  await run();
  assert.equal(
    read()?.attachments.map((one) => one.state),
    ['detaching'],
  );
  assert.is(operation.log.of('cannot detach; it stays in the journal').length, 1);
});

test('two delegates that fail are both told, in the order in which they failed', async () => {
  await write(aRecord());
  const { code, message } = await laterRefusal(deletion(busy('macvlan', 'bridge')).run);
  assert.is(code, 11);
  assert.is(
    message,
    'plugin "macvlan" of network "prod/data": macvlan is busy; plugin "bridge" of network "node": bridge is busy',
  );
  assert.is(read()?.attachments.length, 2);
});

test('a file of Multus that says nothing of its plugins is damaged: the default network is released', async () => {
  folder.write('c0ffee', '[{"Conf":{},"Name":"n","Bytes":"e30="}]');
  const { run, runner, operation } = deletion();
  await run();
  assert.equal(runner.calls, ['DEL bridge']);
  const [fields] = operation.log.of('the journal file is damaged: releasing the default network only') as Fields[];
  assert.match(fields?.error ?? '', /^Multus attached container c0ffee, nobody can tell what: network "n" on eth0: /);
  assert.ok(existsSync(fields?.aside ?? ''), 'and kept for a look');
});

// The disk failed under the finished record while its ADD had been answered: the additional networks' addresses were lost.
test('a record that is damaged in its boot counts as what its ADD was about to do, for a DEL', async () => {
  const journal = new Journal(folder.path);
  const begun = [aDefaultAttachment({ state: 'planned', result: '' }), anAttachment({ state: 'planned', result: '' })];
  const netnsPath = folder.at('gone'); // the pod's namespace is
  await journal.place(aRecord({ bootId: bootId(), netnsPath, complete: false, attachments: begun }));
  await journal.place(aRecord({ bootId: bootId(), netnsPath }), { keepBegun: true });
  folder.write('c0ffee', '');
  const { run, runner, operation } = deletion();
  await run();
  assert.equal(runner.calls, ['DEL macvlan', 'DEL bridge']);
  assert.equal(readdirSync(folder.path), ['.lock']);
  const said = operation.log.of('the journal file is damaged: detaching what its ADD was about to attach');
  assert.is(said.length, 1);
});

test("a damaged record does not block the pod's end: the default network is released, the file kept", async () => {
  const damaged = formatRecord(aRecord()).slice(0, -10);
  folder.write('c0ffee', damaged);
  const { run, runner, operation } = deletion(busy('bridge'));
  await run();
  assert.equal(runner.calls, ['DEL bridge']);
  assert.is(runner.runs[0]?.env['CNI_NETNS'], '', 'nobody knows which namespace it was');
  const aside = readdirSync(folder.path).filter((name) => name.startsWith('.damaged-c0ffee-'));
  assert.is(readFileSync(folder.at(aside[0] ?? ''), 'utf8'), damaged);
  assert.is(operation.log.of('the journal file is damaged: releasing the default network only').length, 1);
  assert.is(operation.log.of('cannot detach; it stays in the journal').length, 1, 'a failure there is told');
  await deletion().run();
});

test('what was plugged into a container from before us goes with it, whichever network its runtime names', async () => {
  await write(aRecord({ name: '', ifName: 'net1', attachments: [anAttachment()] }));
  const { run, runner } = deletion();
  await run();
  assert.equal(runner.calls, ['DEL macvlan']);
  assert.is(read(), undefined);
});

test('a DEL of what is not attached is success, without a plugin, as often as it is repeated', async () => {
  for (let i = 0; i < 2; i++) {
    const { run, runner } = deletion();
    await run();
    assert.equal(runner.calls, []);
  }
});

test('detaches in reverse order with the bytes of ADD, though the namespace is gone', async () => {
  const steps = [
    { type: 'macvlan', stdin: '{"type":"macvlan","n":1e400}' },
    { type: 'tuning', stdin: '{"type":"tuning"}' },
  ];
  const result = '{"own": 12345678901234567890}';
  const attachment = anAttachment({ steps, result, args: 'A=1;MAC=02:00:00:00:00:01' });
  await write(aRecord({ path: ['/then'], attachments: [aDefaultAttachment({ cniVersion: '0.3.1' }), attachment] }));
  const { run, runner } = deletion();
  await run();
  assert.equal(
    runner.runs.map(({ env, stdin }) => [env['CNI_IFNAME'], stdin]),
    [
      ['net1', `{"type":"tuning","prevResult":${result}}`],
      ['net1', `{"type":"macvlan","n":1e400,"prevResult":${result}}`],
      ['eth0', '{"cniVersion":"1.0.0","name":"node","type":"bridge"}'],
    ],
    'a plugin below 0.4.0 knows no prevResult',
  );
  const env = runner.runs[1]?.env ?? {};
  assert.equal(
    [env['CNI_COMMAND'], env['CNI_CONTAINERID'], env['CNI_NETNS'], env['CNI_ARGS'], env['CNI_PATH']],
    ['DEL', 'c0ffee', '', 'A=1;MAC=02:00:00:00:00:01', '/then'],
  );
  assert.equal(readdirSync(folder.path), ['.lock'], 'nothing of the container is left');
});

test('an ADD that never ended is undone whole, also what had no result yet', async () => {
  const attachments = [aDefaultAttachment(), anAttachment({ state: 'planned', result: '' })];
  await write(aRecord({ complete: false, attachments }));
  const { run, runner } = deletion();
  await run();
  assert.equal(runner.calls, ['DEL macvlan', 'DEL bridge']);
  assert.not.match(runner.runs[0]?.stdin ?? '', 'prevResult');
});

test.run();
