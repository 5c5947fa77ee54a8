import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ForeignRecord } from '../../../src/attach/foreign/foreign-state.ts';
import { Journal } from '../../../src/attach/journal.ts';
import { formatRecord } from '../../../src/attach/journal-record.ts';
import { bootId } from '../../../src/node/boot-id.ts';
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
  assert.match(refusal(() => journal().setAside('c0ffee')).message, /^Cannot read journal file .*c0ffee: EISDIR/);
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
  folder.write('state/.lock', '');
  folder.write('state/.b.tmp', 'x');
  one.setAside('c');
  assert.equal(one.list(), ['a', 'b']);
});

test('a file that was set aside keeps its content, and its container has no record any more', () => {
  folder.write('state/c0ffee', 'damaged');
  const aside = journal().setAside('c0ffee');
  assert.is(journal().read('c0ffee'), undefined);
  assert.is(readFileSync(aside ?? '', 'utf8'), 'damaged');
  assert.is(journal().setAside('c0ffee'), undefined, 'there is nothing any more');
});

/** What the TKE fork writes of one delegate. */
const TKE = '[{"Conf":{"name":"n","type":"x"},"ConfList":{},"ifnameRequest":"eth0","Bytes":"eyJ0eXBlIjoieCJ9"}]';

// host-local keeps the addresses of a network called "multus" where the TKE fork keeps its state.
test("host-local's files are no containers, whatever directory they are in", () => {
  for (const [name, content] of [
    ['10.0.0.2', 'c1\r\neth0'],
    ['fd00::2', 'c1'],
    ['last_reserved_ip.0', '10.0.0.2'],
    ['lock', ''],
    ['c1', TKE],
    ['10.0.0.3', TKE], // a container may have such an ID
  ] as const) {
    folder.write(`state/${name}`, content);
    folder.write(`legacy/${name}`, content);
  }
  assert.equal(journal().list(), ['10.0.0.3', 'c1']);
  assert.equal(new Journal(folder.at('absent'), folder.at('legacy')).list(), ['10.0.0.3', 'c1']);
});

test('our own record comes before the one in the legacy directory, which is found without it', async () => {
  folder.write('legacy/c0ffee', TKE);
  const one = new Journal(folder.at('state'), folder.at('legacy'));
  const found = one.find('c0ffee');
  assert.ok(found instanceof ForeignRecord);
  assert.is(found.program, 'the TKE fork of Multus');
  assert.is(found.path, folder.at('legacy', 'c0ffee'));
  const { code, message } = refusal(() => one.read('c0ffee'));
  assert.equal([code, message], [105, 'Cannot use container c0ffee: the TKE fork of Multus attached it']);
  await one.write(aRecord());
  assert.is(one.read('c0ffee')?.pod, 'prod/web');
  assert.equal(one.list(), ['c0ffee']);
});

// Multus removes its file also when a delegate's DEL failed: what libcni kept is all there is then.
test('a container of which only the result cache knows is found and listed', () => {
  const cached = { kind: 'cniCacheV1', containerId: 'c0ffee', networkName: 'n', ifName: 'eth0', config: '' };
  folder.write('state/results/n-c0ffee-eth0', JSON.stringify(cached));
  folder.write('state/results/n-c0ffee-eth1', JSON.stringify({ ...cached, containerId: '../c0ffee' }));
  folder.write('state/results/n-c0ffee-eth2', '{"kind":');
  const found = journal().find('c0ffee');
  assert.ok(found instanceof ForeignRecord);
  assert.equal(
    found.cached.map(({ ifName }) => ifName),
    ['eth0'],
  );
  assert.equal(journal().list(), ['c0ffee']);
  found.remove();
  assert.is(journal().find('c0ffee'), undefined);
});

// After a failure of power a record may be empty or torn whose container still has addresses reserved.
test('a record that did not survive counts as what was begun, until it is on disk', async () => {
  const one = journal();
  await one.place(aRecord({ complete: false }));
  await one.place(aRecord({ complete: true }), { keepBegun: true });
  assert.is(one.read('c0ffee')?.complete, true);
  const whole = readFileSync(one.path('c0ffee'), 'utf8');
  for (const torn of ['', whole.slice(0, 700), whole.replace('c0ffee', 'c0ffef')]) {
    writeFileSync(one.path('c0ffee'), torn);
    assert.is(one.read('c0ffee')?.complete, false);
  }
  assert.equal(one.list(), ['c0ffee']);
  const begun = readFileSync(folder.at('state', '.c0ffee.begun'));
  await one.place(aRecord({ bootId: bootId() }));
  await one.place(aRecord({ bootId: bootId() }), { keepBegun: true });
  writeFileSync(one.path('c0ffee'), '');
  assert.is(refusal(() => one.read('c0ffee')).code, 105, 'no power has failed: a pod that runs would be detached');
  writeFileSync(folder.at('state', '.c0ffee.begun'), begun);
  await one.sync('c0ffee', { begun: true });
  assert.equal(readdirSync(folder.at('state')), ['c0ffee']);
  assert.is(refusal(() => one.read('c0ffee')).code, 105);
});

test('a record and what was begun, both damaged, are an error', async () => {
  const one = journal();
  await one.place(aRecord());
  await one.place(aRecord(), { keepBegun: true });
  writeFileSync(one.path('c0ffee'), '');
  writeFileSync(folder.at('state', '.c0ffee.begun'), '[');
  assert.is(refusal(() => one.read('c0ffee')).code, 105);
  const aside = one.setAside('c0ffee') ?? '';
  assert.equal(readdirSync(folder.at('state')), [basename(aside)]);
});

test('a container that is forgotten leaves nothing that a killed process wrote', async () => {
  const one = journal();
  await one.place(aRecord());
  await one.place(aRecord(), { keepBegun: true });
  folder.write('state/.c0ffee.tmp', 'half');
  one.remove('c0ffee');
  assert.equal(readdirSync(folder.at('state')), []);
});

test.run();
