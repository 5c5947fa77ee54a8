/** The lab's faults: a test of an outage proves nothing when there was none. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { must, run } from '../lab/process.ts';
import { type Authority, makeAuthority } from './lab/certificates.ts';
import { type FakeApi, startFakeApi } from './lab/fake-api.ts';
import { type FaultProxy, startFaultProxy } from './lab/fault-proxy.ts';

let folder: string;
let authority: Authority;
let api: FakeApi;
let proxy: FaultProxy;

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'multus-faults-'));
  authority = await makeAuthority(folder);
});

test.before.each(async () => {
  api = await startFakeApi(authority);
  proxy = await startFaultProxy(api.url);
});

test.after.each(async () => {
  await proxy.close();
  await api.close();
});

test.after(() => rmSync(folder, { recursive: true }));

/** What a client gets: the status and the body, or the error's code. */
function ask(url = proxy.url, ca = authority.caFile): Promise<{ status: number; text: string } | string> {
  return new Promise((resolve) => {
    const sent = request(url, { ca: readFileSync(ca), agent: false, headers: { connection: 'close' } }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}

const statusOf = async (asked: ReturnType<typeof ask>) => {
  const answer = await asked;
  return typeof answer === 'string' ? answer : answer.status;
};

test('FakeApi answers as told, and its certificate is worth what its authority is', async () => {
  assert.is(await statusOf(ask()), 500);
  api.answer = { status: 429, headers: { 'retry-after': '7' } };
  const answer = await ask();
  assert.ok(typeof answer === 'object');
  assert.equal([answer.status, JSON.parse(answer.text).reason], [429, 'TooManyRequests']);
  api.answer = { raw: 'SSH-2.0-lab\r\n' };
  assert.is(await ask(), 'HPE_INVALID_CONSTANT');
  api.answer = ({ path }) => ({ status: 200, body: path });
  assert.equal(await ask(`${api.url}/a?b`), { status: 200, text: '/a?b' });
  assert.is(api.asked.length, 4);

  const other = await startFakeApi(await makeAuthority(join(folder, 'other')));
  try {
    assert.is(await ask(other.url), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  } finally {
    await other.close();
  }
});

test('refuse lets nobody in, pass lets in again', async () => {
  await proxy.set('refuse');
  assert.is(await ask(), 'ECONNREFUSED');
  await proxy.set('pass');
  assert.is(await statusOf(ask()), 500);
});

test('hang accepts and is silent until it passes', async () => {
  await proxy.set('hang');
  let answered = false;
  const asked = ask().then((answer) => {
    answered = true;
    return answer;
  });
  await new Promise((resolve) => setTimeout(resolve, 200)); // a time in which it would have answered
  assert.equal([answered, proxy.accepted, api.asked.length], [false, 1, 0]);
  await proxy.set('pass');
  assert.is(await statusOf(asked), 500);
});

test('delayMs makes every answer late', async () => {
  await proxy.set({ delayMs: 100 });
  const start = performance.now();
  assert.is(await statusOf(ask()), 500);
  assert.ok(performance.now() - start >= 200); // TLS's answer and HTTP's
});

test('cutAfter lets so many bytes through', async () => {
  const plain = createServer((socket) => socket.end('x'.repeat(100_000)));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const cutting = await startFaultProxy(`tcp://127.0.0.1:${(plain.address() as AddressInfo).port}`);
  try {
    for (const [cutAfter, expected] of [
      [70_000, 70_000],
      [0, 0],
      [100_000, 100_000],
    ] as const) {
      await cutting.set({ cutAfter });
      let bytes = 0;
      const client = connect(Number(new URL(cutting.url).port), '127.0.0.1');
      client.on('data', (chunk) => {
        bytes += chunk.length;
      });
      client.on('error', () => undefined);
      await new Promise((resolve) => client.on('close', resolve));
      assert.is(bytes, expected);
    }
  } finally {
    await cutting.close();
    plain.close();
  }
});

test('a proxy in another network namespace has the address that the server has here', async () => {
  const name = `mn${process.env['MULTUS_TEST_RUN'] ?? ''}-faults`;
  await must('ip', 'netns', 'add', name);
  try {
    await must('ip', '-n', name, 'link', 'set', 'lo', 'up');
    const words = [
      '-e',
      `fetch('${api.url}').then((a) => a.text()).then(console.log, (e) => console.log(e.cause.code))`,
    ];
    const options = { env: { ...process.env, NODE_EXTRA_CA_CERTS: authority.caFile } };
    const fetched = async () => (await run('ip', ['netns', 'exec', name, process.execPath, ...words], options)).stdout;
    const there = await startFaultProxy(api.url, `/run/netns/${name}`);
    api.answer = { status: 200, body: 'reached' };
    assert.is(await fetched(), 'reached\n');
    await there.set('refuse');
    assert.is(await fetched(), 'ECONNREFUSED\n');
    await there.set('pass');
    assert.is(await fetched(), 'reached\n');
    await there.close();
  } finally {
    await must('ip', 'netns', 'delete', name);
  }
});

test('drop() resets open connections', async () => {
  await proxy.set('hang');
  const asked = ask();
  while (proxy.accepted === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.is(proxy.drop(), 1);
  assert.is(await asked, 'ECONNRESET');
});

test.run();
