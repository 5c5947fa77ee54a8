import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backupPath, tidyBackups } from '../../../src/log/backups.ts';
import { native } from '../../../src/node/native.ts';
import type { LogRotation } from '../../../src/pod/log-settings.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const NOW = Date.parse('2026-11-21T12:00:00Z');
const DAY = 86_400_000;
const KEEP_ALL: LogRotation = { maxSize: 1, maxBackups: 0, maxAge: 0, compress: false };

const names = (): string[] => readdirSync(folder.path).sort();
const tidy = (rotation: Partial<LogRotation>): Promise<void> =>
  tidyBackups(folder.at('multus.log'), { ...KEEP_ALL, ...rotation }, NOW);

/** Backups of so many days ago. */
function writeBackups(...days: number[]): void {
  for (const age of days) folder.write(nameOf(age), `${age} days old\n`);
}
const nameOf = (age: number): string => backupPath('multus.log', NOW - age * DAY);

test('backupPath() names the time in UTC as Multus does, and never a file that is there', () => {
  assert.is(nameOf(0), 'multus-2026-11-21T12-00-00.000.log');
  assert.is(backupPath('/var/log/x', NOW), '/var/log/x-2026-11-21T12-00-00.000');
  assert.is(backupPath('/var/.log', NOW), '/var/.log-2026-11-21T12-00-00.000');
  folder.write('multus-2026-11-21T12-00-00.000.log', '');
  folder.write('multus-2026-11-21T12-00-00.001.log.gz', '');
  assert.is(backupPath(folder.at('multus.log'), NOW), folder.at('multus-2026-11-21T12-00-00.002.log'));
});

test('tidyBackups() touches nothing that is not a backup of this log', async () => {
  const others = [
    'multus.log',
    'multus.log.1',
    'multus-2026-11-01.log',
    'multus-2026-11-01T12-00-00.000.log.bak',
    'multus-2026-11-01T12-00-00.000.txt',
    'multusd-2026-11-01T12-00-00.000.log',
    'multus-2026-99-01T12-00-00.000.log',
    'multus-x-2026-11-01T12-00-00.000.log',
  ].sort();
  for (const name of others) folder.write(name, name);
  await tidy({ maxBackups: 1, maxAge: 1, compress: true });
  assert.equal(names(), others);
});

test('tidyBackups() keeps the newest maxBackups, compressed or not', async () => {
  writeBackups(1, 2, 3, 4);
  folder.write(`${nameOf(5)}.gz`, '');
  folder.write(`${nameOf(1.5)}.gz`, '');
  await tidy({ maxBackups: 3 });
  assert.equal(names(), [nameOf(2), `${nameOf(1.5)}.gz`, nameOf(1)].sort());
});

test('tidyBackups() removes what is older than maxAge days by its name: files may be copied', async () => {
  writeBackups(1, 2, 2.5, 30);
  await tidy({ maxAge: 2 });
  assert.equal(names(), [nameOf(1), nameOf(2)].sort());
});

test('tidyBackups() keeps everything when both limits are 0', async () => {
  writeBackups(1, 1000);
  await tidy({});
  assert.is(names().length, 2);
});

test('tidyBackups() compresses every backup, for root only', async () => {
  writeBackups(1, 2);
  await tidy({ compress: true });
  assert.equal(names(), [`${nameOf(2)}.gz`, `${nameOf(1)}.gz`]);
  const path = folder.at(`${nameOf(1)}.gz`);
  assert.is(gunzipSync(readFileSync(path)).toString(), '1 days old\n');
  assert.is(statSync(path).mode & 0o777, 0o600);
});

// A runtime may kill the program at any time.
test('tidyBackups() ends what a killed program began', async () => {
  writeBackups(1, 2);
  folder.write(`${nameOf(1)}.gz.tmp`, 'half');
  folder.write(`${nameOf(2)}.gz`, 'whole, but its text is still there');
  await tidy({ compress: true });
  assert.equal(names(), [`${nameOf(2)}.gz`, `${nameOf(1)}.gz`]);
  for (const age of [1, 2]) {
    assert.is(gunzipSync(readFileSync(folder.at(`${nameOf(age)}.gz`))).toString(), `${age} days old\n`);
  }
});

test('tidyBackups() leaves a backup to the program that compresses it already', async () => {
  writeBackups(1);
  const fd = openSync(folder.at(nameOf(1)), 'r+');
  assert.ok(native().tryLockRange(fd, 0, 0));
  await tidy({ compress: true });
  assert.equal(names(), [nameOf(1)]);
  closeSync(fd);
  await Promise.all([tidy({ compress: true }), tidy({ compress: true })]);
  assert.equal(names(), [`${nameOf(1)}.gz`]);
});

test.run();
