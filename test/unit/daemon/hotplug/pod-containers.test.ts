// Networks that go into the wrong container of a pod, or into one that is going, are lost, or keep it from being deleted.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../../src/attach/journal.ts';
import type { JournalRecord } from '../../../../src/attach/journal-record.ts';
import { PodContainers } from '../../../../src/daemon/hotplug/pod-containers.ts';
import { bootId } from '../../../../src/node/boot-id.ts';
import { aDefaultAttachment, anAttachment, aRecord } from '../../attach/records.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const ARGS = 'IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=prod;K8S_POD_UID=u-1';

/** A container of pod prod/web, of this boot, in a namespace that this machine cannot tell of. */
const running = (more: Partial<JournalRecord> = {}): JournalRecord =>
  aRecord({
    bootId: bootId(),
    netnsPath: '/no/such/folder/x',
    attachments: [aDefaultAttachment({ args: ARGS }), anAttachment({ args: ARGS })],
    ...more,
  });

test('find() takes the newest container of the pod, in whichever state directory it is', async () => {
  const [one, two] = [folder.at('one'), folder.at('two')];
  const containers = new PodContainers(() => [one, two]);
  const found = (): string => {
    const container = containers.find('prod/web', 'u-1');
    return typeof container === 'string' ? container : `${container.cniDir} ${container.record.containerId}`;
  };
  assert.match(found(), 'the journal has no container of it');
  await new Journal(one).write(running({ containerId: 'old', createdAt: '2026-11-21T14:00:00.000Z' }));
  assert.is(found(), `${one} old`);
  await new Journal(two).write(running({ containerId: 'new', createdAt: '2026-11-21T15:00:00.000Z' }));
  await new Journal(two).write(
    running({ containerId: 'other', pod: 'prod/db', createdAt: '2026-11-21T16:00:00.000Z' }),
  );
  assert.is(found(), `${two} new`);
  await new Journal(one).write(running({ containerId: 'old', createdAt: '2026-11-21T17:00:00.000Z' }));
  assert.is(found(), `${one} old`, 'a record that is written anew is read anew');
  new Journal(one).remove('old');
  assert.is(found(), `${two} new`);
  rmSync(two, { recursive: true });
  assert.match(found(), 'the journal has no container of it');
});

test('find() leaves alone what comes, goes, is another pod, or cannot be told', async () => {
  const containers = new PodContainers(() => [folder.path]);
  const journal = new Journal(folder.path);
  const [main, second] = running().attachments;
  if (main === undefined || second === undefined) throw new Error('two attachments');
  const cases: [Partial<JournalRecord>, string][] = [
    [{ complete: false }, 'its ADD never ended'],
    [{ attachments: [{ ...main, state: 'detaching' }] }, 'it is being deleted'],
    [{ bootId: 'another boot' }, 'its network namespace is gone'],
    [{ netnsPath: folder.at('gone') }, 'its network namespace is gone'],
    [{ attachments: [main, { ...second, asked: undefined }] }, 'an earlier version attached it'],
    [{ name: '', attachments: [second] }, 'another program attached it'],
  ];
  for (const [change, reason] of cases) {
    await journal.write(running(change));
    const found = containers.find('prod/web', 'u-1');
    assert.type(found, 'string', reason);
    assert.match(String(found), reason);
  }
  await journal.write(running());
  assert.match(String(containers.find('prod/web', 'u-2')), 'it is of pod UID u-1, the pod has UID u-2 now');
  for (const uid of ['u-1', '']) assert.type(containers.find('prod/web', uid), 'object');
});

test('find() passes over files that are no record of ours', async () => {
  const containers = new PodContainers(() => [folder.path]);
  await new Journal(folder.path).write(running({ containerId: 'good' }));
  writeFileSync(folder.at('cut'), '[{"multusNative":{"schema":1');
  writeFileSync(folder.at('multus'), '[{"Conf":{"name":"a","type":"b"},"Bytes":"e30="}]');
  renameSync(folder.at('cut'), folder.at('damaged'));
  const found = containers.find('prod/web', 'u-1');
  assert.ok(typeof found === 'object');
  assert.is(found.record.containerId, 'good');
});

test.run();
