import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readOverlay, writeOverlay } from '../../../src/attach/overlay-file.ts';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { refusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const configFor = (socketDir: unknown): RawObject =>
  RawObject.parse(JSON.stringify({ daemonSocketDir: socketDir }), '');

// A configuration may hold secrets, and half a file would keep pods from being attached.
test('writeOverlay() leaves one file, whole and for root only, that reads as what was written', () => {
  const overlay = { cniDir: '"\\u002fx"', limit: '18446744073709551616', a: '{ "b":1.0 }' };
  const socketDir = folder.at('run');
  writeOverlay(socketDir, { old: '1' });
  writeOverlay(socketDir, overlay);
  assert.equal(readdirSync(socketDir), ['overlay.json']);
  assert.is(statSync(folder.at('run', 'overlay.json')).mode & 0o777, 0o600);
  assert.is(readFileSync(folder.at('run', 'overlay.json'), 'utf8').includes('18446744073709551616'), true);
  assert.equal(readOverlay(configFor(socketDir)), overlay);
});

test('writeOverlay() takes the place of a draft that a killed daemon left', () => {
  folder.write('.overlay.json.tmp', '{"cut o');
  writeOverlay(folder.path, { a: '1' });
  assert.equal(readdirSync(folder.path), ['overlay.json']);
});

// The keys of a daemon that had another file would count for ever.
test('writeOverlay() removes the file of an earlier daemon when nothing counts for the whole node', () => {
  writeOverlay(folder.path, { a: '1' });
  writeOverlay(folder.path, {});
  assert.is(existsSync(folder.at('overlay.json')), false);
  writeOverlay(folder.path, {});
});

test('readOverlay() finds nothing where no daemon ever was', () => {
  assert.equal(readOverlay(configFor(folder.at('absent'))), {});
  assert.equal(readOverlay(configFor(join(folder.write('file', ''), 'below'))), {});
});

test('readOverlay() tells a file that cannot be read (5) from one that is damaged (6), by its path', () => {
  folder.write('run/overlay.json', '{"cniDir":');
  const damaged = refusal(() => readOverlay(configFor(folder.at('run'))));
  assert.is(damaged.code, 6);
  assert.ok(damaged.message.includes(folder.at('run', 'overlay.json')), damaged.message);
  mkdirSync(folder.at('odd', 'overlay.json'), { recursive: true });
  const unreadable = refusal(() => readOverlay(configFor(folder.at('odd'))));
  assert.is(unreadable.code, 5);
  assert.ok(unreadable.message.includes(folder.at('odd', 'overlay.json')), unreadable.message);
});

test.run();
