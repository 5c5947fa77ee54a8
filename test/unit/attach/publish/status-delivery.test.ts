import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../../src/attach/journal.ts';
import type { JournalRecord } from '../../../../src/attach/journal-record.ts';
import { Outbox } from '../../../../src/attach/publish/outbox.ts';
import { StatusDelivery } from '../../../../src/attach/publish/status-delivery.ts';
import { DeliveryError } from '../../../../src/cluster/source.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { folderFor } from '../../folder.ts';
import { anAttachment, aRecord } from '../records.ts';

const folder = folderFor(test);
const RUNNING = new AbortController().signal;

/** Statuses that are under way until the test ends them, by a clock of its own. */
class Bench {
  now = 0;
  readonly log = new FakeLog();
  readonly begun: string[] = [];
  readonly delivery: StatusDelivery;
  private readonly ends = new Map<string, (error?: Error) => void>();

  /** @param random what every number that is chosen at random is */
  constructor(random = 1) {
    this.delivery = new StatusDelivery({
      openSource: () => undefined,
      log: this.log,
      wake: () => undefined,
      now: () => this.now,
      random: () => random,
      tell: ({ containerId }: JournalRecord) =>
        new Promise((resolve, reject) => {
          this.begun.push(containerId);
          this.ends.set(containerId, (error) => (error === undefined ? resolve(true) : reject(error)));
        }),
    });
  }

  /** Let what is under way for a container end. */
  async end(containerId: string, error?: Error): Promise<void> {
    this.ends.get(containerId)?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  }

  begin(): number {
    return this.delivery.begin(RUNNING);
  }
}

/** Containers that run, each of a pod of its own, and whose pods are owed their status. */
async function owe(containers: string[], more: (id: string) => Partial<JournalRecord> = () => ({})): Promise<void> {
  for (const containerId of containers) {
    const attachments = aRecord().attachments;
    for (const one of attachments) one.args = `K8S_POD_NAMESPACE=prod;K8S_POD_NAME=${containerId}`;
    const pod = `prod/${containerId}`;
    await new Journal(folder.path).write(aRecord({ containerId, pod, attachments, ...more(containerId) }));
    new Outbox(folder.path).put(containerId);
  }
}

const owed = (): string[] => new Outbox(folder.path).list().sort();

const down = (more: ConstructorParameters<typeof DeliveryError>[1] = {}) => new DeliveryError('refused', more);

// A restart of the daemon would lose what pods were still to be told.
test('what is in the outbox is told after a restart, and is forgotten once it was told', async () => {
  await owe(['c1']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  assert.equal([bench.begun, owed()], [['c1'], ['c1']]);
  await bench.end('c1');
  assert.equal([owed(), bench.delivery.length], [[], 0]);
});

// 250 pods that start at once would be a flood for the API server.
test('at most four are told at a time, each once', async () => {
  const containers = Array.from({ length: 20 }, (_, i) => `c${i + 10}`);
  await owe(containers);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  while (owed().length > 0) {
    bench.begin();
    assert.ok(bench.begun.length - (containers.length - owed().length) <= 4);
    await bench.end(bench.begun.at(-1) ?? '');
    for (const containerId of bench.begun) await bench.end(containerId);
  }
  assert.equal(bench.begun.sort(), containers);
});

test('a failure is tried again after 1, 2, 4 … seconds, at most 5 minutes', async () => {
  await owe(['c1']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  const pauses = [];
  for (let i = 0; i < 11; i++) {
    bench.begin();
    await bench.end('c1', down());
    const pause = bench.begin();
    pauses.push(pause / 1000);
    assert.is(bench.begun.length, i + 1, 'not before its time');
    bench.now += pause;
  }
  assert.equal(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  assert.equal(owed(), ['c1']);
});

test('an API server that asks for patience gets it', async () => {
  await owe(['c1']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  await bench.end('c1', down({ retryAfterMs: 42_000 }));
  assert.is(bench.begin(), 42_000);
});

// A pod of the same name that was made anew would get the status of the one that is gone.
test('what is refused for good is not tried again, and is told in the log', async () => {
  await owe(['c1']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  await bench.end('c1', down({ isFinal: true }));
  assert.equal([owed(), bench.delivery.length], [[], 0]);
  assert.is(bench.log.of('the network status is not wanted any more').length, 1);
});

// Static pods start before the API server has their mirrors, and on control planes before it runs itself.
test('a static pod’s mirror may come later', async () => {
  const args = 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=c1;K8S_POD_UID=0123456789abcdef0123456789abcdef';
  await owe(['c1'], () => ({ attachments: [anAttachment({ args })] }));
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  await bench.end('c1', down({ isFinal: true }));
  assert.equal([owed(), bench.begin()], [['c1'], 1000]);
});

// A dead container's addresses would be told as the pod's.
test('nothing is told of a container that was deleted, is being added, or whose record cannot be read', async () => {
  await owe(['gone', 'coming', 'damaged'], (id) => (id === 'coming' ? { complete: false } : {}));
  new Journal(folder.path).remove('gone');
  folder.write('damaged', 'x');
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  await bench.delivery.idle();
  assert.equal([bench.begun, owed()], [[], []]);
});

test('a DEL while others are told takes the container out', async () => {
  await owe(['c1']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.delivery.drop(folder.path, 'c1');
  assert.is(bench.begin(), Number.POSITIVE_INFINITY);
  assert.equal(bench.begun, []);
});

// A network that was plugged in while the API server was slow would stay untold.
test('a status that changes while it is told is told again', async () => {
  await owe(['c1']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  new Outbox(folder.path).put('c1');
  bench.delivery.add(folder.path, aRecord({ containerId: 'c1', pod: 'prod/c1' }));
  bench.begin();
  assert.equal(bench.begun, ['c1'], 'one at a time');
  await bench.end('c1');
  assert.equal(owed(), ['c1']);
  bench.begin();
  await bench.end('c1');
  assert.equal([bench.begun, owed()], [['c1', 'c1'], []]);
});

// Two writers of one annotation: the older sandbox's status could stay.
test('of two containers of a pod only the newer is told of, and never both at a time', async () => {
  const bench = new Bench();
  await owe(['old'], () => ({ pod: 'prod/web', createdAt: '2026-11-21T14:00:00.000Z' }));
  bench.delivery.scan(folder.path);
  bench.begin();
  await bench.end('old', down());
  bench.now += 1000;
  bench.begin(); // under way again
  await owe(['new'], () => ({ pod: 'prod/web', createdAt: '2026-11-21T14:00:01.000Z' }));
  bench.delivery.scan(folder.path);
  bench.begin();
  assert.equal(bench.begun, ['old', 'old']);
  await bench.end('old', down());
  bench.now += 10_000;
  bench.begin();
  await bench.end('new');
  assert.equal([bench.begun, owed()], [['old', 'old', 'new'], []]);
});

// After an hour without API server every pod would wait up to five minutes for its turn.
test('once one is told, those that wait are tried within ten seconds', async () => {
  await owe(['c1', 'c2']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  await bench.end('c1', down());
  await bench.end('c2', down({ retryAfterMs: 200_000 }));
  bench.now += 1000;
  bench.begin();
  await bench.end('c1');
  assert.is(bench.begin(), 9000);
});

// Where there is no daemon, three that can never be told would keep all others from it.
test('who takes only a few of what is owed takes other ones each time', async () => {
  await owe(['c1', 'c2', 'c3', 'c4']);
  const taken = new Set<string>();
  for (const share of [0, 0.25, 0.5, 0.99]) {
    const bench = new Bench(share);
    bench.delivery.scan(folder.path, 1);
    bench.begin();
    for (const id of bench.begun) taken.add(id);
  }
  assert.is(taken.size, 4);
});

// The log would be full of one piece of news.
test('an outage is told once, and its end', async () => {
  await owe(['c1', 'c2', 'c3']);
  const bench = new Bench();
  bench.delivery.scan(folder.path);
  bench.begin();
  for (const id of ['c1', 'c2', 'c3']) await bench.end(id, new DeliveryError(`Cannot tell pod prod/${id}: refused`));
  const levels = bench.log.entries.map(({ level }) => level);
  assert.equal(levels, ['warn', 'debug', 'debug']);
  const [first] = bench.log.of('cannot publish the network status yet') as { since: string; waiting: number }[];
  assert.is(first?.waiting, 3);
  assert.ok(Math.abs(Date.parse(first?.since ?? '') - Date.now()) < 60_000, 'since when it is owed');
  bench.now += 10_000;
  bench.begin();
  await bench.end('c1');
  assert.equal(bench.log.of('network statuses are published again'), [{ waiting: 2 }]);
});

// SIGTERM: what was under way must be there for the next daemon.
test('what ends with the daemon stays owed', async () => {
  await owe(['c1']);
  const bench = new Bench();
  const stop = new AbortController();
  bench.delivery.scan(folder.path);
  bench.delivery.begin(stop.signal);
  stop.abort();
  await bench.end('c1', new Error('aborted'));
  await bench.delivery.idle();
  assert.equal([owed(), bench.log.entries], [['c1'], []]);
});

test('an outbox that cannot be read is told, and ends nothing', async () => {
  const bench = new Bench();
  folder.write('.outbox', 'a file');
  bench.delivery.scan(folder.path);
  bench.delivery.add(folder.path, aRecord({ containerId: 'c1', pod: 'prod/c1' }));
  bench.begin();
  await bench.delivery.idle();
  assert.is(bench.log.of('cannot publish the network status yet').length > 0, true);
});

test.run();
