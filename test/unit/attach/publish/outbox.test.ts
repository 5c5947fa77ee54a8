import { existsSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../../src/attach/journal.ts';
import { Outbox } from '../../../../src/attach/publish/outbox.ts';
import { CniError } from '../../../../src/cni/errors.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

// A pod's newer status would never be told: the one that came while the older was on its way.
test('a promise that is made anew is not settled with the earlier one', () => {
  const outbox = new Outbox(folder.path);
  outbox.put('c1');
  const first = outbox.find('c1');
  assert.ok(first);
  outbox.put('c1');
  outbox.settle(first);
  const second = outbox.find('c1');
  assert.is.not(second?.mark, first.mark);
  outbox.settle(second ?? first);
  assert.is(outbox.find('c1'), undefined);
});

test('an empty folder, and none at all, owe nothing; what is not a container’s is not looked at', () => {
  const outbox = new Outbox(folder.at('state'));
  assert.equal([outbox.list(), outbox.find('c1')], [[], undefined]);
  outbox.remove('c1');
  outbox.put('c1');
  folder.write('state/.outbox/.c2.tmp', '');
  assert.equal(outbox.list(), ['c1']);
});

// DEL, GC and the reconciler would take promises for containers.
test('is root’s alone, and none of it is a record of the journal', () => {
  new Outbox(folder.path).put('c1');
  const modes = ['.outbox', '.outbox/c1'].map((name) => statSync(folder.at(name)).mode & 0o777);
  assert.equal(modes, [0o700, 0o600]);
  assert.equal(new Journal(folder.path).list(), []);
});

test('a folder that cannot be used is an error with its path', () => {
  const state = folder.write('file', '');
  const outbox = new Outbox(state);
  for (const act of [() => outbox.put('c1'), () => outbox.find('c1'), () => outbox.list()]) {
    assert.throws(
      act,
      (error: unknown) => error instanceof CniError && error.code === 105 && /file/.test(error.message),
    );
  }
  assert.not(existsSync(folder.at('.outbox')));
});

test.run();
