// The file is how pods reach the daemon: one that removes another's would cut the node off.
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SocketFile } from '../../../src/daemon/socket-file.ts';
import { StartError } from '../../../src/node-config/start-error.ts';

let folder = '';
test.before.each(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'multus-socket-')), 'run');
  mkdirSync(folder);
});
test.after.each(() => rmSync(join(folder, '..'), { recursive: true }));

test('requireReplaceable() refuses what is no socket', () => {
  const file = new SocketFile(folder);
  file.requireReplaceable();
  writeFileSync(file.path, 'mine');
  assert.throws(
    () => file.requireReplaceable(),
    (error: unknown) => error instanceof StartError && error.exitCode === 3 && error.message.includes(file.path),
  );
});

test('put() takes the place of a daemon that listens; what that one removes and closes is not ours', async () => {
  const [first, second] = [new SocketFile(folder), new SocketFile(folder)];
  const [before, after] = [createServer(), createServer()];
  assert.is(first.state, 'gone');
  await first.put(before);
  assert.equal([first.state, second.state], ['ours', 'replaced']);
  await second.put(after);
  assert.equal([first.state, second.state], ['replaced', 'ours']);
  first.remove();
  before.close();
  await once(before, 'close');
  assert.is(second.state, 'ours');
  assert.is(lstatSync(second.path).mode & 0o777, 0o600);
  second.remove();
  assert.is(second.state, 'gone');
  after.close();
});

test('put() leaves nothing but the socket, and takes away what a daemon left that was killed in it', async () => {
  writeFileSync(join(folder, '.sock-dead'), '');
  writeFileSync(join(folder, 'notes.txt'), '');
  const server = createServer();
  await new SocketFile(folder).put(server);
  assert.equal(readdirSync(folder).sort(), ['multus.sock', 'notes.txt']);
  server.close();
});

test('locked() makes the folder anew, and lets one after the other', async () => {
  rmSync(folder, { recursive: true });
  const order: string[] = [];
  const [first, second] = [new SocketFile(folder), new SocketFile(folder)];
  let release = (): void => undefined;
  const holding = first.locked(async () => {
    assert.ok(existsSync(folder));
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    order.push('first');
  });
  const waiting = second.locked(async () => {
    order.push('second');
  });
  await new Promise(setImmediate);
  release();
  await Promise.all([holding, waiting]);
  assert.equal(order, ['first', 'second']);
});

test.run();
