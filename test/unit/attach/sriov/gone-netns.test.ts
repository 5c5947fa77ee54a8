import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../../src/attach/journal.ts';
import type { JournalRecord } from '../../../../src/attach/journal-record.ts';
import { goneNetnsPath } from '../../../../src/attach/sriov/gone-netns.ts';
import { bootId } from '../../../../src/node/boot-id.ts';
import { VF_ADDRESS } from '../../../fakes/fake-vf.ts';
import { folderFor } from '../../folder.ts';
import { anAttachment, aRecord } from '../records.ts';

const folder = folderFor(test);

const VF = { address: VF_ADDRESS, pfAddress: '0000:01:00.0', pf: 'eth0', index: 3, hostName: 'eth0v3', settings: {} };
const AT_HOME = { netdevs: () => ['eth0v3'] };
const { signal } = new AbortController();
const gone = (more = {}) => aRecord({ bootId: bootId(), netnsPath: join(folder.path, 'gone'), ...more });

// With an empty CNI_NETNS sriov-cni leaves the VLAN on the PF: the next pod would be in it.
test('a VF that is back on the host: the plugin gets the path of ADD', async () => {
  const record = gone();
  assert.is(await goneNetnsPath(record, anAttachment({ vf: VF }), signal, undefined, AT_HOME), record.netnsPath);
});

test('a VF that comes home while we look', async () => {
  const record = gone();
  const looks = [[], [], ['net1']];
  const late = { netdevs: () => looks.shift() ?? [] };
  assert.is(await goneNetnsPath(record, anAttachment({ vf: VF }), signal, undefined, late), record.netnsPath);
});

// What the plugin would reset is another pod's by then.
test("a VF that is not on the host may be another pod's: the plugin gets no path", async () => {
  assert.is(await goneNetnsPath(gone(), anAttachment({ vf: VF }), signal, undefined, { netdevs: () => [] }), '');
});

test('a VF that another container has, or is about to get, while it is still on the host: the plugin gets no path', async () => {
  const journal = new Journal(folder.at('journal'));
  const pathWith = async (next: JournalRecord) => {
    await journal.write(next);
    const record = gone();
    return (await goneNetnsPath(record, anAttachment({ vf: VF }), signal, journal, AT_HOME)) === record.netnsPath;
  };
  const next = (state: 'attaching' | 'detaching', vf = VF) =>
    aRecord({ containerId: 'next', attachments: [anAttachment({ state, vf })] });
  assert.is(await pathWith(next('attaching')), false);
  assert.is(await pathWith(next('detaching')), true);
  assert.is(await pathWith(next('attaching', { ...VF, address: '0000:01:10.0' })), true);
});

test('no path where there is no VF, another namespace lies at it, or the node was started anew', async () => {
  assert.is(await goneNetnsPath(gone(), anAttachment(), signal, undefined, AT_HOME), '');
  const reused = gone({ netnsPath: '/proc/self/ns/net' });
  assert.is(await goneNetnsPath(reused, anAttachment({ vf: VF }), signal, undefined, AT_HOME), '');
  assert.is(await goneNetnsPath(gone({ bootId: 'before' }), anAttachment({ vf: VF }), signal, undefined, AT_HOME), '');
});

test.run();
