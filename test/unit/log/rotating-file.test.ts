import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RotatingFile } from '../../../src/log/rotating-file.ts';
import type { LogRotation } from '../../../src/pod/log-settings.ts';
import { must } from '../../lab/process.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const ROTATION: LogRotation = { maxSize: 1, maxBackups: 0, maxAge: 0, compress: false };
const HALF = 512 * 1024;

/** A file of the folder as one program has it open; `complaints` are what it could not do. */
function opened(path = folder.at('multus.log'), rotation: Partial<LogRotation> = {}) {
  const complaints: string[] = [];
  const file = new RotatingFile(path, { ...ROTATION, ...rotation }, ({ message }) => complaints.push(message));
  return { file, complaints };
}

/** A line of so many bytes. */
const line = (letter: string, bytes = HALF): string => `${letter.repeat(bytes - 1)}\n`;
const read = (name = 'multus.log'): string => readFileSync(folder.at(name), 'utf8');
const names = (): string[] => readdirSync(folder.path).sort();

/** First letters of the lines of all files together. */
function letters(): string[] {
  const texts = names().map((name) => {
    const bytes = readFileSync(folder.at(name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  });
  return texts
    .flatMap((text) => text.split('\n').slice(0, -1))
    .map((one) => one[0] ?? '')
    .sort();
}

// A pod would get no network because of its log.
test('write() never throws, and says once what is wrong', async () => {
  const cases: [string, RegExp][] = [
    [join(folder.write('file', ''), 'multus.log'), /ENOTDIR|EEXIST/],
    [folder.path, /EISDIR/],
    ['/dev/null', /not a regular file/],
    [folder.at('nul\0byte'), /null bytes/],
  ];
  for (const [path, expected] of cases) {
    const { file, complaints } = opened(path);
    for (const text of ['a\n', 'b\n', 'c\n']) file.write(text);
    assert.is(complaints.length, 1, `${path}: ${complaints}`);
    assert.match(complaints[0] ?? '', expected);
    await file.settled();
  }
});

// Nobody reads it: open(2) would wait for ever, and the pod with it.
test('write() does not wait for a reader of a FIFO', async () => {
  await must('mkfifo', folder.at('multus.log'));
  const { file, complaints } = opened();
  file.write('a\n');
  assert.is(complaints.length, 1);
});

test('write() goes on by itself once the file can be opened', () => {
  const { file, complaints } = opened(folder.at('sub', 'multus.log'));
  writeFileSync(folder.at('sub'), 'in the way');
  file.write('lost\n');
  rmSync(folder.at('sub'));
  file.write('kept\n');
  assert.is(complaints.length, 1);
  assert.is(readFileSync(folder.at('sub', 'multus.log'), 'utf8'), 'kept\n');
});

test('write() makes folder and file, for root only, and appends to what is there', () => {
  const path = folder.at('var', 'log', 'multus.log');
  const { file } = opened(path);
  file.write('a\n');
  assert.is(statSync(path).mode & 0o777, 0o600);
  opened(path).file.write('b\n');
  file.write('c\n');
  assert.is(readFileSync(path, 'utf8'), 'a\nb\nc\n');
});

test('write() begins a new file before the line that would make it larger than maxSize megabytes', () => {
  const { file } = opened();
  file.write(line('a'));
  file.write(line('b'));
  assert.equal(names(), ['multus.log'], 'exactly a megabyte is not too large');
  file.write(line('c', 2));
  assert.equal(names().length, 2);
  assert.match(names()[0] ?? '', /^multus-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/);
  assert.is(read(), 'c\n');
});

test('write() does not split a line that is larger than maxSize, nor leave an empty file for it', () => {
  const { file } = opened();
  file.write(line('a', 3 * HALF));
  file.write(line('b', 3 * HALF));
  assert.equal(
    names().map((name) => statSync(folder.at(name)).size),
    [3 * HALF, 3 * HALF],
  );
});

// Multus's weak point 11: logOptions have no effect in the program that answers one request.
test('a file that earlier programs filled is rotated by the first line of the next one', async () => {
  opened().file.write(line('a'));
  opened().file.write(line('b'));
  const { file } = opened(undefined, { compress: true });
  file.write('c\n');
  await file.settled();
  assert.is(read(), 'c\n');
  assert.match(names()[0] ?? '', /\.log\.gz$/);
  assert.equal(letters(), ['a', 'b', 'c']);
});

// Daemon and standalone programs write at a time: two rotations in a row would empty the log.
test('programs that find the file full at a time rotate it once, and lose no line', () => {
  const programs = [opened(), opened(), opened()];
  for (const [i, { file }] of programs.entries()) file.write(line('abc'[i] ?? '', HALF / 2));
  for (const { file } of programs) file.write(line('d'));
  for (const { file } of programs) file.write('e\n');
  assert.equal(letters(), ['a', 'b', 'c', 'd', 'd', 'd', 'e', 'e', 'e']);
  assert.is(names().length, 3, String(names()));
  for (const { complaints } of programs) assert.equal(complaints, []);
});

test('write() follows its name when logrotate moves the file', () => {
  const { file } = opened();
  file.write('a\n');
  renameSync(folder.at('multus.log'), folder.at('multus.log.1'));
  file.write('b\n');
  rmSync(folder.at('multus.log'));
  file.write('c\n');
  assert.is(read('multus.log.1'), 'a\n');
  assert.is(read(), 'c\n');
});

test('a file that cannot be moved is written on, and that is told', () => {
  const path = folder.at(`${'x'.repeat(240)}.log`); // with the time, the name is too long
  const { file, complaints } = opened(path);
  for (const text of [line('a'), line('b'), 'c\n', 'd\n']) file.write(text);
  assert.is(complaints.length, 1);
  assert.match(complaints[0] ?? '', /ENAMETOOLONG/);
  assert.ok(readFileSync(path, 'utf8').endsWith('c\nd\n'));
});

test('nothing is made for a log without lines', () => {
  opened();
  assert.is(existsSync(folder.at('multus.log')), false);
});

test.run();
