import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSnapshot, snapshotPath, writeSnapshot } from '../../../../src/cluster/snapshot/definitions-snapshot.ts';
import { LastKnown } from '../../../../src/cluster/snapshot/last-known.ts';
import { SnapshotKeeper } from '../../../../src/cluster/snapshot/snapshot-keeper.ts';
import type { DefinitionRecord } from '../../../../src/cluster/source.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { until } from '../../../lab/process.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const definition = (name: string, config = '{"type":"ä\\n"}'): DefinitionRecord => ({
  namespace: 'ns',
  name,
  config,
  annotations: { r: 'x' },
});

test('what was written is read, by namespace and name; root alone may see it', async () => {
  await writeSnapshot(folder.path, [definition('a'), definition('b', 'line\nline')]);
  const snapshot = readSnapshot(folder.path);
  assert.ok(snapshot.outcome === 'found');
  assert.equal(
    [...snapshot.definitions],
    [
      ['ns/a', definition('a')],
      ['ns/b', definition('b', 'line\nline')],
    ],
  );
  assert.ok(Math.abs(Date.parse(snapshot.takenAt) - Date.now()) < 60_000);
  assert.is(statSync(snapshotPath(folder.path)).mode & 0o777, 0o600);
  assert.equal(readdirSync(folder.path), ['.definitions.json'], 'no draft is left');
});

// A disk that lost power, or an older program after a downgrade: a wrong configuration would be worse than none.
test('a damaged snapshot, and one of another format, is never used, and is told of', async () => {
  await writeSnapshot(folder.path, [definition('a')]);
  const path = snapshotPath(folder.path);
  const text = readFileSync(path, 'utf8');
  const damages: [string, RegExp][] = [
    [text.replace('type', 'typo'), /its checksum does not fit/],
    [text.slice(0, -10), /its checksum does not fit/],
    [text.replace('"format":1', '"format":2'), /its format is 2, this version reads 1/],
    ['', /cannot use .*JSON/],
    ['null\n', /its format is undefined/],
  ];
  for (const [content, reason] of damages) {
    writeFileSync(path, content);
    const snapshot = readSnapshot(folder.path);
    assert.ok(snapshot.outcome === 'problem');
    assert.match(snapshot.reason, reason);
    const log = new FakeLog();
    const lookup = new LastKnown(folder.path, log).definition('ns', 'a', 'nobody answers');
    assert.ok(lookup.outcome === 'unknown' && lookup.reason.startsWith('nobody answers; '), JSON.stringify(lookup));
    assert.is(log.of('going on without the definitions on disk').length, 1);
  }
  assert.equal(readSnapshot(folder.at('nowhere')), { outcome: 'none' });
});

test('each use of the snapshot is in the log, with its age; what is not in it may be there all the same', async () => {
  await writeSnapshot(folder.path, [definition('a')]);
  const log = new FakeLog();
  const known = new LastKnown(folder.path, log);
  assert.equal(known.definition('ns', 'a', 'away'), { outcome: 'found', definition: definition('a') });
  const [entry] = log.of('definition taken from the disk') as [{ network: string; takenAt: string; reason: string }];
  assert.equal([entry.network, entry.reason], ['ns/a', 'away']);
  assert.equal(known.definition('ns', 'b', 'away'), {
    outcome: 'unknown',
    reason: `away; when it was last seen, at ${entry.takenAt}, it was not there`,
  });
  assert.equal([known.has('ns', 'a'), known.has('ns', 'b')], [true, false]);
});

// Ten thousand definitions that are applied at once must not be written ten thousand times.
test('many changes are one write; what is yet to be written is on disk when the daemon has stopped', async () => {
  let reads = 0;
  let all = [definition('a')];
  const keeper = new SnapshotKeeper(
    folder.path,
    () => {
      reads += 1;
      return all;
    },
    new FakeLog(),
    { pauseMs: 20 },
  );
  for (let i = 0; i < 1000; i++) keeper.touch();
  assert.is(existsSync(snapshotPath(folder.path)), false);
  await until('it is written', () => existsSync(snapshotPath(folder.path)));
  assert.is(reads, 1);
  all = [definition('b')];
  keeper.touch();
  await keeper.stop();
  const snapshot = readSnapshot(folder.path);
  assert.equal(snapshot.outcome === 'found' && [...snapshot.definitions.keys()], ['ns/b']);
  await keeper.stop();
  assert.is(reads, 2, 'nothing to be written');
});

test('a disk that cannot be written to is told of once, and stops nothing', async () => {
  const log = new FakeLog();
  folder.write('file', '');
  const keeper = new SnapshotKeeper(folder.at('file/below'), () => [], log);
  for (let i = 0; i < 3; i++) {
    keeper.touch();
    await keeper.stop();
  }
  assert.is(log.of('cannot keep the definitions on disk').length, 1);
});

test.run();
