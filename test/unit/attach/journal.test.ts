import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../src/attach/journal.ts';
import { formatRecord } from '../../../src/attach/journal-record.ts';
import { laterRefusal, refusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';
import { anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);
const journal = () => new Journal(folder.at('state'));
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

test('a container must not be named like the folder that Multus keeps in the same place', async () => {
  const one = journal();
  const message = `Cannot use CNI_CONTAINERID "results": it is the name of a folder in ${one.directory}`;
  const refused = { code: 4, message, details: '' };
  assert.equal(
    refusal(() => one.read('results')),
    refused,
  );
  assert.equal(
    refusal(() => one.remove('results')),
    refused,
  );
  assert.equal(
    refusal(() => one.setAside('results')),
    refused,
  );
  assert.equal(await laterRefusal(() => one.write(aRecord({ containerId: 'results' }))), refused);
});

test('a journal that cannot be read is an error, never "nothing attached": DEL would leak', () => {
  const one = new Journal(folder.write('state', 'a file where the folder should be'));
  const { code, message } = refusal(() => one.read('c0ffee'));
  assert.is(code, 105);
  assert.ok(message.startsWith(`Cannot read journal file ${folder.at('state', 'c0ffee')}: ENOTDIR`), message);
  assert.match(refusal(() => one.list()).message, `Cannot list journal file ${folder.at('state')}: ENOTDIR`);
  mkdirSync(folder.at('other', 'c0ffee'), { recursive: true });
  assert.is(refusal(() => new Journal(folder.at('other')).read('c0ffee')).code, 105);
});

test('a record that cannot be written is an error that names the file, before anything is attached', async () => {
  const one = new Journal(folder.write('state', 'a file where the folder should be'));
  const { code, message } = await laterRefusal(() => one.write(aRecord()));
  assert.is(code, 105);
  assert.ok(message.startsWith(`Cannot write journal file ${folder.at('state', 'c0ffee')}: `), message);
});

test('a write that fails leaves the record as it was: what is attached stays known', async () => {
  const one = journal();
  await one.write(aRecord());
  mkdirSync(folder.at('state', '.c0ffee.tmp')); // the temporary file cannot be opened
  assert.is((await laterRefusal(() => one.write(aRecord({ attachments: [anAttachment()] })))).code, 105);
  assert.is(one.read('c0ffee')?.attachments.length, 2);
});

test('a rename that fails leaves no temporary file behind', async () => {
  mkdirSync(folder.at('state', 'c0ffee'), { recursive: true });
  assert.is((await laterRefusal(() => journal().write(aRecord()))).code, 105);
  assert.equal(readdirSync(folder.at('state')), ['c0ffee']);
});

test('what cannot be removed or set aside is an error', () => {
  mkdirSync(folder.at('state', 'c0ffee'), { recursive: true });
  const { message } = refusal(() => journal().remove('c0ffee'));
  assert.match(message, `Cannot remove journal file ${folder.at('state', 'c0ffee')}`);
  assert.match(refusal(() => journal().setAside('absent')).message, /^Cannot set aside journal file .*absent: ENOENT/);
});

test('what a crash left of a write is neither read nor listed, and the next write takes its place', async () => {
  folder.write('state/.c0ffee.tmp', formatRecord(aRecord()).slice(0, 100));
  const one = journal();
  assert.is(one.read('c0ffee'), undefined);
  assert.equal(one.list(), []);
  await one.write(aRecord());
  assert.is(one.read('c0ffee')?.pod, 'prod/web');
  assert.equal(readdirSync(folder.at('state')), ['c0ffee']);
});

test('a removed container leaves nothing, not even what a crash left of it', async () => {
  const one = journal();
  await one.write(aRecord());
  folder.write('state/.c0ffee.tmp', 'x');
  one.remove('c0ffee');
  assert.equal(readdirSync(folder.at('state')), []);
  one.remove('c0ffee'); // DEL is repeated: nothing to remove is success
});

test('replaces a record by another file: a reader sees the old one or the new one, never half of it', async () => {
  const one = journal();
  await one.write(aRecord());
  const before = statSync(folder.at('state', 'c0ffee')).ino;
  const next = aRecord({ complete: false, attachments: [anAttachment()] });
  await one.write(next);
  assert.is.not(statSync(folder.at('state', 'c0ffee')).ino, before);
  assert.is(readFileSync(folder.at('state', 'c0ffee'), 'utf8'), formatRecord(next));
});

test('keeps its files from other users: they name addresses and hold configurations', async () => {
  await journal().write(aRecord());
  assert.is(mode(folder.at('state')), '700');
  assert.is(mode(folder.at('state', 'c0ffee')), '600');
});

test('a container without a record has none; neither has a state directory that is not there yet', () => {
  assert.is(journal().read('c0ffee'), undefined);
  assert.equal(journal().list(), []);
  assert.not(existsSync(folder.at('state')), 'reading makes nothing');
});

test('lists containers by name, without the folders, locks and damaged files beside them', async () => {
  const one = journal();
  for (const containerId of ['b', 'a', 'c']) await one.write(aRecord({ containerId }));
  mkdirSync(folder.at('state', 'results'));
  mkdirSync(folder.at('state', '.locks'));
  folder.write('state/.b.tmp', 'x');
  one.setAside('c');
  assert.equal(one.list(), ['a', 'b']);
});

test('a file that was set aside keeps its content, and its container has no record any more', () => {
  folder.write('state/c0ffee', 'damaged');
  const aside = journal().setAside('c0ffee');
  assert.is(journal().read('c0ffee'), undefined);
  assert.is(readFileSync(aside, 'utf8'), 'damaged');
});

test.run();
