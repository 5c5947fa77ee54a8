/**
 * placeFile() and syncFile(): what the journal is written with. A user loses: a pod whose attachments nobody knows any more, because a
 * file was torn by a full disk or a crash.
 */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../src/node/native.ts';
import { failureOf } from './scratch-netns.ts';

const folder = mkdtempSync(join(tmpdir(), 'multus-place-'));
const path = join(folder, 'file');
const draft = join(folder, '.file.tmp');
const kept = join(folder, '.file.begun');

/** Both ways to place a file: on disk before it gets its name, or later. */
const WAYS = [true, false];

test.before.each(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
});
test.after(() => rmSync(folder, { recursive: true }));

test('placeFile() puts every byte in the place of what was there, with the mode asked for', async () => {
  writeFileSync(path, 'old and longer');
  chmodSync(path, 0o644);
  writeFileSync(draft, 'what a killed process left, longer than all that comes');
  const content = Buffer.from('a\0b\u00e9');
  const placed = native().placeFile(draft, path, content, 0o600, true, '');
  content.fill(0); // the caller may go on with its Buffer
  await placed;
  assert.equal(readFileSync(path), Buffer.from('a\0b\u00e9'));
  assert.equal(readdirSync(folder), ['file']);
});

test('placeFile() creates a file of the mode asked for, also an empty one', async () => {
  await native().placeFile(draft, path, Buffer.alloc(0), 0o600, true, '');
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.is(statSync(path).size, 0);
});

test('placeFile() that cannot open its draft leaves the file as it was', async () => {
  writeFileSync(path, 'old');
  const missing = join(folder, 'missing', '.file.tmp');
  const error = await failureOf(() => native().placeFile(missing, path, Buffer.from('new'), 0o600, true, ''));
  assert.is(error.code, 'ENOENT');
  assert.is(error.syscall, 'open');
  assert.is(error.path, missing);
  assert.is(readFileSync(path, 'utf8'), 'old');
});

test('placeFile() that cannot rename leaves no draft', async () => {
  mkdirSync(path);
  const error = await failureOf(() => native().placeFile(draft, path, Buffer.from('new'), 0o600, true, ''));
  assert.is(error.code, 'EISDIR');
  assert.is(error.syscall, 'rename');
  assert.equal(readdirSync(folder), ['file']);
});

test('placeFile() on a full disk leaves the file as it was, and no draft', async () => {
  writeFileSync(path, 'old');
  symlinkSync('/dev/full', draft);
  const error = await failureOf(() => native().placeFile(draft, path, Buffer.from('new'), 0o600, true, ''));
  assert.is(error.code, 'ENOSPC');
  assert.is(error.syscall, 'write');
  assert.is(readFileSync(path, 'utf8'), 'old');
  assert.equal(readdirSync(folder), ['file']);
});

test('placeFile() keeps what it replaces where it is told to, in the place of what was kept before', async () => {
  for (const durable of WAYS) {
    writeFileSync(path, 'begun');
    writeFileSync(kept, 'of an earlier life');
    await native().placeFile(draft, path, Buffer.from('done'), 0o600, durable, kept);
    assert.equal([readFileSync(path, 'utf8'), readFileSync(kept, 'utf8')], ['done', 'begun']);
    await native().placeFile(draft, path, Buffer.from('more'), 0o600, durable, '');
    assert.equal([readFileSync(path, 'utf8'), readFileSync(kept, 'utf8')], ['more', 'begun']);
  }
});

test('placeFile() that cannot keep what it replaces replaces nothing', async () => {
  writeFileSync(path, 'old');
  mkdirSync(kept);
  for (const [place, code] of [
    [kept, 'EISDIR'],
    ['/dev/shm/multus-kept', 'EXDEV'],
  ] as const) {
    const error = await failureOf(() => native().placeFile(draft, path, Buffer.from('new'), 0o600, false, place));
    assert.equal([error.code, error.syscall, error.path], [code, 'link', place]);
    assert.is(readFileSync(path, 'utf8'), 'old');
  }
  assert.equal(readdirSync(folder).sort(), ['.file.begun', 'file']);
});

test('placeFile() with nothing to keep places the file: who removed it does not fail an ADD', async () => {
  await native().placeFile(draft, path, Buffer.from('new'), 0o600, false, kept);
  assert.equal(readdirSync(folder), ['file']);
});

test('syncFile() removes what is obsolete, if it is there, and nothing when the file is gone', async () => {
  writeFileSync(path, 'done');
  writeFileSync(kept, 'begun');
  await native().syncFile(path, '');
  assert.equal(readdirSync(folder).sort(), ['.file.begun', 'file']);
  await native().syncFile(path, kept);
  assert.equal(readdirSync(folder), ['file']);
  await native().syncFile(path, kept);
  writeFileSync(kept, 'begun');
  rmSync(path);
  const error = await failureOf(() => native().syncFile(path, kept));
  assert.equal([error.code, error.syscall, error.path], ['ENOENT', 'open', path]);
  assert.equal(readdirSync(folder), ['.file.begun']);
});

test.run();
