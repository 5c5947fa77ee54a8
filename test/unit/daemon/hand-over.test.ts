// An operator who upgrades must know what became of the daemon before: one that goes on unnoticed would write the node's files.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deserted, isServed, logSuccession, reachPredecessor, succeed } from '../../../src/daemon/hand-over.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { until } from '../../lab/process.ts';

const folder = mkdtempSync(join(tmpdir(), 'multus-hand-over-'));
const path = join(folder, 'multus.sock');

test.after(() => rmSync(folder, { recursive: true }));

async function whileListening(server: Server, work: () => Promise<void>): Promise<void> {
  server.listen(path);
  await once(server, 'listening');
  try {
    await work();
  } finally {
    server.close();
    await once(server, 'close');
  }
}

function withDaemon(listener: RequestListener, work: () => Promise<void>): Promise<void> {
  return whileListening(createHttpServer(listener), work);
}

test('succeed() waits for nobody where nobody listens', async () => {
  assert.is(await reachPredecessor(path), 'nobody');
  assert.equal(await succeed('nobody'), { kind: 'none' });
});

test('succeed() asks by POST /handover and tells the version of who answers', async () => {
  const asked: unknown[] = [];
  const daemon: RequestListener = ({ method, url }, response) => {
    asked.push([method, url]);
    response.end('1.2.3');
  };
  await withDaemon(daemon, async () => {
    assert.equal(await succeed(await reachPredecessor(path)), { kind: 'handed over', version: '1.2.3' });
  });
  assert.equal(asked, [['POST', '/handover']]);
});

test('succeed() tells of a daemon that does not know the request', async () => {
  const daemon: RequestListener = (_, response) => response.writeHead(404).end('404 page not found');
  await withDaemon(daemon, async () => {
    const succession = await succeed(await reachPredecessor(path));
    assert.equal(succession, { kind: 'unaware', reason: '/handover: HTTP status 404' });
  });
});

test('succeed() takes one that ends meanwhile for gone', async () => {
  const server = createServer((socket) => socket.destroy());
  await whileListening(server, async () => {
    assert.equal(await succeed(await reachPredecessor(path)), { kind: 'none' });
  });
});

test('succeed() gives a daemon that hangs its time and no more', async () => {
  let connection: Socket | undefined;
  const server = createServer((socket) => {
    connection = socket.resume();
  });
  await whileListening(server, async () => {
    assert.equal(await succeed(await reachPredecessor(path), 30), { kind: 'hangs' });
    connection?.destroy();
  });
});

test('reachPredecessor() tells one whose queue is full, without waiting for it', async () => {
  const script = `require('node:net').createServer().listen({ path: '${path}', backlog: 1 }, () => console.log('up'))`;
  const hung = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(hung.stdout, 'data');
    hung.kill('SIGSTOP');
    await until('it is stopped', () => /^\d+ \(.*\) T/s.test(readFileSync(`/proc/${hung.pid}/stat`, 'utf8')));
    const reached = [];
    while (reached.at(-1) !== 'stuck' && reached.length < 10) reached.push(await reachPredecessor(path));
    assert.is(reached.at(-1), 'stuck');
    assert.equal(await succeed('stuck'), { kind: 'hangs' });
    assert.ok(await isServed(path), 'nobody else may take it for a socket that was left');
    for (const one of reached) if (typeof one === 'object') one.destroy();
  } finally {
    hung.kill('SIGKILL');
    await once(hung, 'exit');
    rmSync(path, { force: true });
  }
});

test('deserted() settles only when nobody has listened for the whole time', async () => {
  let hasSettled = false;
  let waiting: Promise<void> = Promise.resolve();
  await whileListening(createServer(), async () => {
    waiting = deserted(path, { lookMs: 1, limitMs: 20 }).then(() => {
      hasSettled = true;
    });
    const started = performance.now();
    await until('more than the limit has passed', () => performance.now() - started > 60);
    assert.not.ok(hasSettled);
  });
  await waiting;
});

test('logSuccession() warns of what the operator has to end', () => {
  const levels = (['none', 'handed over', 'unaware', 'hangs'] as const).map((kind) => {
    const log = new FakeLog();
    logSuccession({ kind, version: '1', reason: 'HTTP status 404' }, log);
    return log.entries.map(({ level }) => level).join();
  });
  assert.equal(levels, ['', 'info', 'warn', 'warn']);
});

test.run();
