import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Outbox } from '../../../../src/attach/publish/outbox.ts';
import { Publisher } from '../../../../src/attach/publish/publisher.ts';
import type { ClusterSource, PodEvent } from '../../../../src/cluster/source.ts';
import { sourceSettings } from '../../../../src/cluster/sources.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { fakeSource } from '../../../fakes/fake-source.ts';
import { folderFor } from '../../folder.ts';
import { aRecord } from '../records.ts';

const folder = folderFor(test);

const EVENT: PodEvent = { namespace: 'prod', name: 'web', uid: '', type: 'Normal', reason: 'X', message: 'x' };

const ownerOf = (containerId: string) => aRecord({ containerId });

function publisherOf(source: Partial<ClusterSource>, isBusy = () => false) {
  const log = new FakeLog();
  return { publisher: new Publisher({ openSource: () => ({ ...fakeSource({}), ...source }), log, isBusy }), log };
}

// The daemon would hang at its end, or spin.
test('runs until it is to stop, and tells what comes meanwhile', async () => {
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  const told = await new Promise<string>((resolve) => {
    const { publisher } = publisherOf({ recordEvent: async ({ message }) => resolve(message) });
    running = publisher.run(() => [folder.path], stop.signal);
    publisher.event(sourceSettings(undefined), EVENT);
  });
  assert.is(told, 'x');
  stop.abort();
  await running;
});

// To tell a pod its status takes the daemon as long as to attach one: those that start would wait for it.
test('what is to be told waits for operations that are under way', async () => {
  const stop = new AbortController();
  let left = 3;
  const { publisher } = publisherOf({ recordEvent: async () => told() }, () => left-- > 0);
  let told: () => void = () => undefined;
  const isTold = new Promise<void>((resolve) => {
    told = resolve;
  });
  const running = publisher.run(() => [folder.path], stop.signal);
  publisher.event(sourceSettings(undefined), EVENT);
  await isTold;
  assert.ok(left < 0, 'it looked until nothing was under way');
  stop.abort();
  await running;
});

test('a node that is never idle tells all the same', async () => {
  const stop = new AbortController();
  const { publisher } = publisherOf({}, () => true);
  new Outbox(folder.path).put('gone');
  const running = publisher.run(() => [folder.path], stop.signal);
  while (new Outbox(folder.path).list().length > 0) await new Promise((next) => setImmediate(next));
  stop.abort();
  await running;
});

// Containers that went while nobody looked would be owed something for ever.
test('looks into the outboxes at the start', async () => {
  new Outbox(folder.path).put('gone');
  const { publisher } = publisherOf({});
  const stop = new AbortController();
  const running = publisher.run(() => [folder.path], stop.signal);
  while (new Outbox(folder.path).list().length > 0) await new Promise((next) => setImmediate(next));
  stop.abort();
  await running;
});

// The runtime waits for the standalone program's end: an API server that hangs would be time of every pod.
test('a flush ends with its time, whatever hangs', async () => {
  const { publisher } = publisherOf({ recordEvent: () => new Promise(() => undefined) });
  publisher.event(sourceSettings(undefined), EVENT);
  const limit = new AbortController();
  const flushed = publisher.flush(folder.path, limit.signal);
  limit.abort();
  await flushed;
});

test('a flush takes no more than a few of what others left', async () => {
  for (let i = 0; i < 20; i++) new Outbox(folder.path).put(`gone${i}`);
  const { publisher } = publisherOf({});
  await publisher.flush(folder.path, new AbortController().signal);
  assert.is(new Outbox(folder.path).list().length, 17);
});

test('a promise that cannot be kept on disk is told, and one that is dropped is forgotten', async () => {
  const { publisher, log } = publisherOf({});
  await publisher.oweStatus(folder.path, ownerOf('c1'));
  assert.equal(new Outbox(folder.path).list(), ['c1']);
  publisher.dropStatus(folder.path, 'c1');
  assert.equal(new Outbox(folder.path).list(), []);
  await publisher.oweStatus(folder.write('file', ''), ownerOf('c1'));
  assert.is(log.of('cannot keep that a network status is owed').length, 1);
});

// An ADD that waits would never be answered.
test('who waits for a status waits until it was tried, or until it has had enough', async () => {
  const { publisher } = publisherOf({});
  await publisher.oweStatus(folder.path, ownerOf('gone'), new AbortController().signal);
  assert.equal(new Outbox(folder.path).list(), []);
  await publisher.oweStatus(folder.path, ownerOf('gone'), AbortSignal.abort());
});

test.run();
