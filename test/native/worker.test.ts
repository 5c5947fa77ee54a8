/**
 * The addon in worker threads. A user loses: the daemon, when a second environment in its process shares state with the
 * first or ends while a call is under way.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';

const addon = new URL('../../build/Release/multus_native.node', import.meta.url).pathname;

/** A worker that lists the links of its own namespace; `after` runs when the first list has come. */
function startWorker(after: string): Worker {
  return new Worker(
    `const { parentPort } = require('node:worker_threads');
     const native = require(${JSON.stringify(addon)});
     const socket = native.openSocket(-1);
     native.listLinks(socket).then((links) => { parentPort.postMessage(links.length); ${after} });`,
    { eval: true },
  );
}

test('several workers and the main thread use the addon at once', async () => {
  const socket = native().openSocket(-1);
  const own = (await native().listLinks(socket)).length;
  const workers = Array.from({ length: 4 }, () => startWorker(''));
  const counts = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
  assert.equal(counts, [own, own, own, own]);
  const exits = await Promise.all(workers.map(async (worker) => worker.terminate()));
  assert.is(exits.length, 4);
  assert.is((await native().listLinks(socket)).length, own);
});

test('a worker may be terminated while calls are under way', async () => {
  for (let i = 0; i < 10; i++) {
    const worker = startWorker(
      'const again = () => { native.snapshot(socket).then(again, again); }; again(); again();',
    );
    await once(worker, 'message');
    await worker.terminate();
  }
  const socket = native().openSocket(-1);
  assert.ok((await native().listLinks(socket)).length > 0);
});

test.run();
