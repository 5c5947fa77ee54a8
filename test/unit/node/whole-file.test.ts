import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeWholeFile } from '../../../src/node/whole-file.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

test('says which file cannot be written and leaves nothing beside it', async () => {
  const absent = folder.at('no', 'a.conf');
  const { code, message } = await laterRefusal(() => writeWholeFile(absent, 'x', 0o600));
  assert.is(code, 5);
  assert.match(message, `Cannot write ${absent}: ENOENT`);
  mkdirSync(folder.at('b.conf', 'full'), { recursive: true });
  assert.is((await laterRefusal(() => writeWholeFile(folder.at('b.conf'), 'x', 0o600))).code, 5);
  assert.equal(readdirSync(folder.path), ['b.conf']);
});

// A runtime that reads half a configuration is not ready, and a node that is not ready loses its pods' traffic.
test('puts a new file in the place of the old one: who has the old one open reads it to its end', async () => {
  const path = folder.write('a.conf', 'old');
  const before = statSync(path).ino;
  await writeWholeFile(path, 'new', 0o600);
  assert.is(readFileSync(path, 'utf8'), 'new');
  assert.is.not(statSync(path).ino, before);
  assert.equal(readdirSync(folder.path), ['a.conf']);
});

test('the mode is the one that was asked for, whatever the umask says', async () => {
  const umask = process.umask(0o077);
  try {
    await writeWholeFile(folder.at('a.conf'), 'x', 0o644);
  } finally {
    process.umask(umask);
  }
  assert.is(statSync(folder.at('a.conf')).mode & 0o777, 0o644);
});

test('a draft of a daemon that was killed is not in the way, and nobody gets at the text through it', async () => {
  const elsewhere = folder.write('elsewhere', 'theirs');
  symlinkSync(elsewhere, folder.at('.a.conf.tmp'));
  await writeWholeFile(folder.at('a.conf'), 'ours', 0o600);
  assert.is(readFileSync(elsewhere, 'utf8'), 'theirs');
  assert.equal(readdirSync(folder.path).sort(), ['a.conf', 'elsewhere']);
  assert.is(statSync(folder.at('a.conf')).mode & 0o777, 0o600);
});

test('replaces a link, and leaves alone what it leads to', async () => {
  const target = folder.write('target', 'theirs');
  symlinkSync(target, folder.at('a.conf'));
  await writeWholeFile(folder.at('a.conf'), 'ours', 0o600);
  assert.equal([readFileSync(target, 'utf8'), readFileSync(folder.at('a.conf'), 'utf8')], ['theirs', 'ours']);
});

test.run();
