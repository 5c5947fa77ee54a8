/** `multus probe`, by which the kubelet asks how the daemon is: a wrong answer restarts a daemon that is well, or keeps one that is not. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const built = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'Release', 'multus');

interface Asked {
  code: number | null;
  stderr: string;
  /** What the daemon was sent. */
  request: string;
}

function run(file: string, args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const { CNI_COMMAND: _, ...env } = process.env;
    const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

/** Ask a daemon that answers so; undefined = never. */
async function ask(reply: string | undefined, path: string, wrapper: readonly string[] = []): Promise<Asked> {
  const folder = mkdtempSync(join(tmpdir(), 'probe-test-'));
  const sockets: Socket[] = [];
  let request = '';
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      request += bytes;
      if (reply !== undefined) socket.end(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'multus.sock'), resolve));
  try {
    const [file = '', ...args] = [...wrapper, built, 'probe', path, folder];
    return { ...(await run(file, args)), request };
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

test('probe asks for the path, and is content with 200 only', async () => {
  const { code, stderr, request } = await ask(OK, '/readyz');
  assert.is(code, 0, stderr);
  assert.ok(request.startsWith('GET /readyz HTTP/1.1\r\n'), request);
  const draining = await ask('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n', '/readyz');
  assert.is(draining.code, 1);
  assert.match(draining.stderr, 'HTTP status 500');
});

test('probe fails, with the reason, when nobody answers, what answers is no HTTP, or it hangs', async () => {
  assert.match((await ask('SSH-2.0-OpenSSH_9.2\r\n\r\n', '/healthz')).stderr, 'not an HTTP reply');
  assert.match((await ask('', '/healthz')).stderr, 'connection closed');
  const started = performance.now();
  const hung = await ask(undefined, '/healthz');
  assert.is(hung.code, 1);
  assert.match(hung.stderr, 'no reply within 2 s');
  assert.ok(performance.now() - started < 4000);
  const none = await run(built, ['probe', '/healthz', '/nonexistent']);
  assert.is(none.code, 1);
  assert.match(none.stderr, '/nonexistent/multus.sock: No such file or directory');
});

test('probe tells wrong arguments from a daemon that is not well', async () => {
  for (const args of [['probe'], ['probe', '/metrics'], ['probe', '/healthz', '/run', 'more']]) {
    const { code, stderr } = await run(built, args);
    assert.is(code, 2, args.join(' '));
    assert.match(stderr, 'usage');
  }
  assert.match((await run(built, ['probe', '/healthz', `/${'long'.repeat(40)}`])).stderr, 'File name too long');
});

// While versions change, both pods see one socket: a new pod that counts as ready because the old daemon answers lets
// Kubernetes end the old one, and nobody is left.
test("probe /readyz fails on another container's daemon, /healthz does not", async () => {
  const elsewhere = ['unshare', '--pid', '--fork'];
  const ready = await ask(OK, '/readyz', elsewhere);
  assert.is(ready.code, 1);
  assert.match(ready.stderr, 'the daemon of another container answers');
  assert.is((await ask(OK, '/healthz', elsewhere)).code, 0);
});

test.run();
