import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EventQueue } from '../../../../src/attach/publish/event-queue.ts';
import { type ClusterSource, DeliveryError, type PodEvent } from '../../../../src/cluster/source.ts';
import { sourceSettings } from '../../../../src/cluster/sources.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { fakeSource } from '../../../fakes/fake-source.ts';

const SETTINGS = sourceSettings(undefined);
const RUNNING = new AbortController().signal;

function anEvent(message: string, more: Partial<PodEvent> = {}): PodEvent {
  const pod = { namespace: 'prod', name: message, uid: 'u' };
  return { ...pod, type: 'Normal', reason: 'AddedInterface', message, ...more };
}

class Bench {
  now = 0;
  readonly log = new FakeLog();
  readonly told: string[] = [];
  /** What the cluster answers. */
  answer: () => Promise<void> = async () => undefined;
  readonly queue: EventQueue;

  constructor(source: Partial<ClusterSource> = {}) {
    const recordEvent = (event: PodEvent): Promise<void> => {
      this.told.push(event.message);
      return this.answer();
    };
    const openSource = () => ({ ...fakeSource({}), recordEvent, ...source });
    this.queue = new EventQueue({
      openSource,
      log: this.log,
      wake: () => undefined,
      now: () => this.now,
      random: () => 1,
    });
  }

  /** Tell until nothing more may be told now. @returns milliseconds until more may be */
  async tell(): Promise<number> {
    for (;;) {
      const before = this.told.length;
      const pause = this.queue.begin(RUNNING);
      await this.queue.idle();
      if (this.told.length === before) return pause;
    }
  }
}

test('events reach the cluster in their order, four at a time', async () => {
  const bench = new Bench();
  for (const name of ['a', 'b', 'c', 'd', 'e']) bench.queue.put(SETTINGS, anEvent(name));
  bench.queue.begin(RUNNING);
  assert.equal(bench.told, ['a', 'b', 'c', 'd']);
  await bench.queue.idle();
  await bench.tell();
  assert.equal(bench.told, ['a', 'b', 'c', 'd', 'e']);
});

test('a source that takes no events costs nothing', () => {
  const openSource = () => fakeSource({});
  const queue = new EventQueue({ openSource, log: new FakeLog(), wake: () => undefined });
  queue.put(SETTINGS, anEvent('a'));
  assert.is(queue.length, 0);
});

// A node that starts 250 pods with four networks each would be a flood for its API server.
test('a node tells 100 at once and then 20 a second', async () => {
  const bench = new Bench();
  for (let i = 0; i < 300; i++) bench.queue.put(SETTINGS, anEvent(`p${i}`));
  assert.is(await bench.tell(), 50);
  assert.is(bench.told.length, 100);
  bench.now += 1000;
  await bench.tell();
  assert.is(bench.told.length, 120);
});

// An outage of the API server must not fill the daemon's memory, nor cost the warnings.
test('at most 1000 wait; good news go first, the oldest of them', async () => {
  const bench = new Bench();
  bench.queue.put(SETTINGS, anEvent('warning', { type: 'Warning', reason: 'AttachFailed' }));
  for (let i = 0; i < 1500; i++) bench.queue.put(SETTINGS, anEvent(`p${i}`));
  assert.is(bench.queue.length, 1000);
  await bench.tell();
  assert.equal(bench.told.slice(0, 2), ['warning', 'p501']);
  assert.is(bench.log.of('an event is not told').length, 1, 'once a minute');
});

test('a failure holds all back for a while, longer each time; the one that failed goes behind', async () => {
  const bench = new Bench();
  bench.answer = () => Promise.reject(new DeliveryError('refused'));
  bench.queue.put(SETTINGS, anEvent('a'));
  assert.is(await bench.tell(), 1000);
  bench.queue.put(SETTINGS, anEvent('b'));
  assert.equal([await bench.tell(), bench.told], [1000, ['a']]);
  bench.now += 1000;
  await bench.tell();
  assert.equal(bench.told, ['a', 'a', 'b']);
  bench.answer = async () => undefined;
  bench.now += 60_000;
  await bench.tell();
  assert.is(bench.queue.length, 0);
});

test('what the cluster refuses for good, and what is older than ten minutes, is dropped', async () => {
  const bench = new Bench();
  bench.answer = () => Promise.reject(new DeliveryError('namespace is gone', { isFinal: true }));
  bench.queue.put(SETTINGS, anEvent('a'));
  await bench.tell();
  bench.queue.put(SETTINGS, anEvent('b'));
  bench.now += 600_001;
  await bench.tell();
  assert.equal([bench.told, bench.queue.length], [['a'], 0]);
});

test.run();
