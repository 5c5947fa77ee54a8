/**
 * The record of an ADD. A user loses: a pod whose delegates ran while no file, or none that survives, says so.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AddJournal } from '../../../src/attach/add-journal.ts';
import { Journal } from '../../../src/attach/journal.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';
import { aDefaultAttachment, anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);
const journal = () => new Journal(folder.at('state'));
const begunFile = () => folder.at('state', '.c0ffee.begun');

const begun = () => aRecord({ complete: false, attachments: [aDefaultAttachment({ state: 'planned', result: '' })] });

/** Is the record complete, and in which state are its attachments? */
function stateOf(): unknown[] {
  const record = journal().read('c0ffee');
  return [record?.complete, ...(record?.attachments ?? []).map(({ state }) => state)];
}

test('what is about to be done is there before anything is done', async () => {
  await new AddJournal(journal(), begun()).begin();
  assert.equal(stateOf(), [false, 'planned']);
});

test('each step is there for readers, and what was begun stays beside it until all is on disk', async () => {
  const record = begun();
  const kept = new AddJournal(journal(), record);
  await kept.begin();
  record.attachments = [aDefaultAttachment(), anAttachment()];
  kept.update();
  kept.update();
  while (stateOf().length < 3) await new Promise((next) => setTimeout(next, 1));
  assert.equal(stateOf(), [false, 'attached', 'attached']);
  record.complete = true;
  await kept.finish();
  assert.equal(stateOf(), [true, 'attached', 'attached']);
  assert.match(readFileSync(begunFile(), 'utf8'), '"state":"planned"');
  await kept.secure();
  assert.equal(readdirSync(folder.at('state')), ['c0ffee']);
});

// It would come back after the rollback has removed it.
test('what was about to be written is not, once the ADD has failed', async () => {
  const record = begun();
  const kept = new AddJournal(journal(), record);
  await kept.begin();
  kept.update();
  await kept.settled();
  journal().remove('c0ffee');
  await new Promise(setImmediate);
  assert.equal(journal().list(), []);
});

test('an ADD whose record cannot be written is not answered with success', async () => {
  const kept = new AddJournal(journal(), begun());
  await kept.begin();
  await kept.settled();
  rmSync(folder.at('state'), { recursive: true });
  folder.write('state', 'a file where the folder should be');
  assert.is((await laterRefusal(() => kept.finish())).code, 105);
  await kept.settled();
  assert.is((await laterRefusal(() => kept.secure())).code, 105);
});

test.run();
