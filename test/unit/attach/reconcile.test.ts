import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../src/attach/journal.ts';
import { type Adopter, adopterOf } from '../../../src/attach/operation.ts';
import { SILENT } from '../../../src/attach/publish/announcer.ts';
import { RetryTimes, reconcile } from '../../../src/attach/reconcile.ts';
import { bootId } from '../../../src/node/boot-id.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { folderFor } from '../folder.ts';
import { aDefaultAttachment, anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);

/** Go through the journal once. */
async function once(plugins: FakeRunnerOptions = {}, retries = new RetryTimes(), adopter?: Adopter) {
  const runner = new FakeRunner(plugins);
  const log = new FakeLog();
  const signal = new AbortController().signal;
  const openSource = () => undefined;
  await reconcile(
    { cniDir: folder.path, adopter, runner: () => runner, openSource, announcer: SILENT, log, signal },
    retries,
  );
  return { runner, log, left: new Journal(folder.path).list() };
}

const write = (more: Parameters<typeof aRecord>[0]) =>
  new Journal(folder.path).write(aRecord({ attachments: [aDefaultAttachment()], ...more }));

// A daemon in a container without the node's /run/netns would detach every pod of the node.
test('leaves a pod alone whose namespace it cannot see', async () => {
  await write({ containerId: 'unseen', bootId: bootId(), netnsPath: folder.at('not-mounted/netns') });
  const { runner, left } = await once();
  assert.equal([runner.calls, left], [[], ['unseen']]);
});

// A node with thousands of pods would answer nobody for seconds, each minute anew.
test('requests are served while it goes through the journal', async () => {
  const count = 20;
  for (let i = 0; i < count; i++) await write({ containerId: `c${i}`, bootId: bootId(), netnsPath: folder.at('x/y') });
  let turns = 0;
  let isDone = false;
  const serve = (): void => {
    turns += 1;
    if (!isDone) setImmediate(serve);
  };
  serve();
  assert.is((await once()).left.length, count);
  isDone = true;
  assert.ok(turns >= count, `${turns} turns of the event loop for ${count} records`);
});

test('a daemon that ends goes no further through the journal', async () => {
  await write({ containerId: 'c1', complete: false });
  const runner = new FakeRunner();
  await reconcile(
    {
      ...{ cniDir: folder.path, runner: () => runner, openSource: () => undefined, announcer: SILENT },
      ...{ log: new FakeLog(), signal: AbortSignal.abort() },
    },
    new RetryTimes(),
  );
  assert.equal(runner.calls, []);
});

/** A container "theirs" that Multus attached in a namespace at this path. */
function writeForeign(netns: string | undefined): void {
  const config = Buffer.from('{"cniVersion":"1.0.0","name":"n","type":"bridge"}').toString('base64');
  folder.write('theirs', `[{"Conf":{"name":"n","type":"bridge"},"ConfList":{},"Name":"n","Bytes":"${config}"}]`);
  const cached = { kind: 'cniCacheV1', containerId: 'theirs', networkName: 'n', ifName: 'eth0', netns, config };
  if (netns !== undefined) folder.write('results/n-theirs-eth0', JSON.stringify(cached));
}

const ADOPTER = adopterOf(fakeOperation({ command: 'ADD', cniDir: '/x', runner: new FakeRunner() }));

// The running pods of a node would lose their networks with its upgrade.
test('leaves what Multus attached alone while its namespace is not certainly gone', async () => {
  for (const netns of [undefined, '', folder.at('not-mounted/netns'), '/proc/self/ns/net', '/dev/null']) {
    writeForeign(netns);
    const { runner, left, log } = await once({}, new RetryTimes(), ADOPTER);
    assert.equal([runner.calls, left, log.entries], [[], ['theirs'], []], netns);
  }
});

test('detaches what Multus attached once its namespace is gone, and somebody has said where plugins are', async () => {
  writeForeign(folder.at('absent'));
  const retries = new RetryTimes();
  const early = await once({}, retries);
  assert.equal([early.runner.calls, early.left], [[], ['theirs']]);
  const { runner, left } = await once({}, retries, ADOPTER);
  assert.equal([runner.calls, left], [['DEL bridge'], []]);
  assert.is(runner.runs[0]?.env['CNI_NETNS'], '');
  assert.is(runner.runs[0]?.env['CNI_IFNAME'], 'eth0');
});

test('a damaged file is told, does not stop the others, and is not tried again at once', async () => {
  folder.write('a', 'damaged');
  await write({ containerId: 'b' });
  const retries = new RetryTimes();
  const first = await once({}, retries);
  assert.equal([first.runner.calls, first.left], [['DEL bridge'], ['a']]);
  assert.is(first.log.of('cannot reconcile').length, 1);
  assert.equal((await once({}, retries)).log.entries, []);
});

test('a state directory that cannot be read is told: the daemon must not end with it', async () => {
  const cniDir = folder.write('file', '');
  const log = new FakeLog();
  const signal = new AbortController().signal;
  await reconcile(
    { cniDir, runner: () => new FakeRunner(), openSource: () => undefined, announcer: SILENT, log, signal },
    new RetryTimes(),
  );
  const [fields] = log.of('cannot reconcile') as { error: string }[];
  assert.match(fields?.error ?? '', `Cannot list journal file ${cniDir}: ENOTDIR`);
});

test('a delegate that fails is tried again later, not in a loop', async () => {
  await write({});
  const retries = new RetryTimes();
  const failing = { onFeed: () => ({ exitCode: 1 }) };
  assert.equal((await once(failing, retries)).left, ['c0ffee']);
  assert.equal((await once({}, retries)).runner.calls, []);
  retries.succeeded('c0ffee');
  assert.equal((await once({}, retries)).left, []);
});

// A node would run the plugins of every ADD that ever failed, with each look at the journal.
test('what never was attached and cannot be detached is tried again later, too', async () => {
  await write({ attachments: [aDefaultAttachment({ state: 'detaching', result: '' })] });
  const retries = new RetryTimes();
  assert.equal((await once({ onFeed: () => ({ exitCode: 1 }) }, retries)).left, ['c0ffee']);
  assert.equal((await once({}, retries)).runner.calls, []);
});

test('detaches what no runtime asks for, and says why: nobody calls GC on containerd', async () => {
  await write({ containerId: 'rebooted' });
  await write({ containerId: 'gone', bootId: bootId(), netnsPath: folder.at('absent') });
  const { runner, log, left } = await once();
  assert.equal([runner.calls, left], [['DEL bridge', 'DEL bridge'], []]);
  assert.equal(log.of('detaching'), [
    { container: 'gone', pod: 'prod/web', reason: 'its network namespace is gone' },
    { container: 'rebooted', pod: 'prod/web', reason: 'the node was rebooted since' },
  ]);
});

// A pod that runs would lose all its networks for one that could not be plugged in, or not be taken out.
test('of a pod that runs only what never got ready, or failed to leave, is detached', async () => {
  const attachments = (state: 'attaching' | 'detaching') => [aDefaultAttachment(), anAttachment({ state })];
  const alive = { bootId: bootId(), netnsPath: folder.at('not-mounted/netns') };
  await write({ ...alive, containerId: 'begun', attachments: attachments('attaching') });
  await write({ ...alive, containerId: 'leaving', attachments: attachments('detaching') });
  const { runner, log, left } = await once();
  assert.equal(
    [runner.calls, left],
    [
      ['DEL macvlan', 'DEL macvlan'],
      ['begun', 'leaving'],
    ],
  );
  for (const containerId of left) {
    const names = new Journal(folder.path).read(containerId)?.attachments.map(({ ifName }) => ifName);
    assert.equal(names, ['eth0']);
  }
  assert.equal(log.of('detaching'), [
    { container: 'begun', pod: 'prod/web', reason: 'its hot-plug never ended' },
    { container: 'leaving', pod: 'prod/web', reason: 'an earlier DEL failed' },
  ]);
  assert.equal((await once()).runner.calls, []);
});

test('an empty or absent state directory is in order', async () => {
  assert.equal((await once()).log.entries, []);
});

test.run();
