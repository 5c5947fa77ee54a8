// Two at work on one pod would attach its networks twice; one that is forgotten keeps what nobody wants.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WorkQueue } from '../../../../src/daemon/hotplug/work-queue.ts';

/** A queue whose work ends when the test says so. */
function controlled(parallel: number) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (key: string): Promise<void> => {
    assert.not(ends.has(key), `${key} is worked on twice at a time`);
    begun.push(key);
    return new Promise((resolve) => {
      ends.set(key, resolve);
    });
  };
  const queue = new WorkQueue({ work, parallel });
  const end = async (key: string): Promise<void> => {
    const resolve = ends.get(key);
    ends.delete(key);
    resolve?.();
    await new Promise(setImmediate);
  };
  return { queue, begun, end };
}

test('as many keys at a time as allowed, in the order in which they came', async () => {
  const { queue, begun, end } = controlled(2);
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  assert.equal(begun, ['a', 'b']);
  await end('b');
  assert.equal(begun, ['a', 'b', 'c']);
  await end('a');
  assert.equal(begun, ['a', 'b', 'c', 'd']);
});

test('a key that is added while it is worked on is worked on again, once, and others do not wait for it', async () => {
  const { queue, begun, end } = controlled(2);
  queue.add('a');
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.equal(begun, ['a', 'b']);
  await end('a');
  assert.equal(begun, ['a', 'b', 'a']);
  await end('a');
  assert.equal(begun, ['a', 'b', 'a']);
});

test('addLater() adds when the time has come, unless it was added or removed before', async () => {
  const { queue, begun, end } = controlled(9);
  queue.addLater('late', 5);
  queue.addLater('early', 60_000);
  queue.addLater('never', 1);
  queue.add('early');
  queue.remove('never');
  assert.equal(begun, ['early']);
  await end('early');
  await new Promise<void>((resolve) => {
    const poll = setInterval(() => {
      if (!begun.includes('late')) return;
      clearInterval(poll);
      resolve();
    }, 1);
  });
  assert.equal(begun, ['early', 'late']);
});

test('stop() waits for what is under way, and begins nothing any more', async () => {
  const { queue, begun, end } = controlled(1);
  queue.add('a');
  queue.add('b');
  queue.addLater('c', 1);
  let isStopped = false;
  const stopping = queue.stop().then(() => {
    isStopped = true;
  });
  await new Promise(setImmediate);
  assert.not(isStopped);
  await end('a');
  await stopping;
  queue.add('d');
  queue.addLater('e', 0);
  assert.equal(begun, ['a']);
});

test.run();
