import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../../src/attach/journal.ts';
import type { JournalAttachment, JournalRecord } from '../../../../src/attach/journal-record.ts';
import { SILENT } from '../../../../src/attach/publish/announcer.ts';
import { lookAtReturnedVfs } from '../../../../src/attach/sriov/returned-vf.ts';
import type { PodEvent } from '../../../../src/cluster/source.ts';
import { bootId } from '../../../../src/node/boot-id.ts';
import type { LiveNetns } from '../../../../src/sriov/model.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { fakeLink } from '../../../fakes/fake-netns.ts';
import { FakeVfs, fakeVf, PF_ADDRESS, VF_ADDRESS } from '../../../fakes/fake-vf.ts';
import { folderFor } from '../../folder.ts';
import { anAttachment, aRecord } from '../records.ts';

const folder = folderFor(test);

const BEFORE = {
  address: VF_ADDRESS,
  pfAddress: PF_ADDRESS,
  pf: 'enp1s0',
  index: 3,
  hostName: 'enp1s0v3',
  settings: { vlan: 0, spoofCheck: true, trust: false },
};
const STDIN = JSON.stringify({ cniVersion: '1.0.0', name: 'data', type: 'sriov', deviceID: VF_ADDRESS, vlan: 210 });

const attachmentWithVf = (more: Partial<JournalAttachment> = {}): JournalAttachment =>
  anAttachment({ steps: [{ type: 'sriov', stdin: STDIN }], vf: BEFORE, ...more });

/** Detach has succeeded; what is told of the VF, as log fields and events. */
async function look(vfs: FakeVfs, attachment = attachmentWithVf(), record: Partial<JournalRecord> = {}) {
  const log = new FakeLog();
  const events: string[] = [];
  const announcer = {
    ...SILENT,
    event: (_: unknown, { type, reason, message }: PodEvent) => void events.push(`${type} ${reason}: ${message}`),
  };
  const emptied = aRecord({ bootId: bootId(), attachments: [], ...record });
  const signal = AbortSignal.abort(); // waits for nothing
  await lookAtReturnedVfs({ announcer, log, signal }, emptied, [attachment], new Journal(folder.path), vfs);
  return { log, events, told: log.of('the VF was left changed') as { problem: string; mend: string }[] };
}

/** Where the VF's network device is, under this name. */
function placed(vfs: FakeVfs, name: string, netns: Partial<LiveNetns>): FakeVfs {
  vfs.names = [];
  const live = { dev: '4', ino: '4026531840', path: '/run/netns/x', isHost: false, ...netns };
  vfs.place = { netns: live, link: fakeLink(7, name, { kind: '', parentDevice: VF_ADDRESS }) };
  return vfs;
}

test('settings that the pod has left are told with the command that mends them, in the log and as an event', async () => {
  const { told, events } = await look(new FakeVfs(fakeVf({ vlan: 210, trust: true })));
  const problem =
    'VF 3 of enp1s0 (0000:01:10.6) was not reset: it must have VLAN none, it has 210, must have trust off, it has on';
  const mend = 'ip link set enp1s0 vf 3 vlan 0 trust off';
  assert.equal(told, [{ network: 'prod/data', ifName: 'net1', vf: VF_ADDRESS, problem, mend }]);
  assert.equal(events, [`Warning VfNotReset: Remove net1 from prod/data: ${problem}; mend it with "${mend}"`]);
});

test('a VF that came back as it was is not told of', async () => {
  const { told, events, log } = await look(new FakeVfs());
  assert.equal([told, events, log.entries], [[], [], []]);
});

// The next pod's plugin looks for the VF on the host, and fails: sriov-cni's "failed to get netlink device".
test('a VF that its plugin left in the pod is told, with where it is', async () => {
  const vfs = placed(new FakeVfs(), 'north', { ino: aRecord().netns.ino });
  const [leftover] = (await look(vfs)).told;
  assert.match(leftover?.problem ?? '', 'it is still in the pod as "north"');
  assert.is(leftover?.mend, 'nsenter --net=/run/netns/x ip link set north netns 1 name enp1s0v3');
});

test('a VF that came home under another name is told: with the namespace it loses the name of before', async () => {
  const vfs = new FakeVfs();
  vfs.names = ['dev6'];
  const [leftover] = (await look(vfs)).told;
  assert.match(leftover?.problem ?? '', 'must have the name "enp1s0v3" again on the host, it has "dev6"');
  assert.is(leftover?.mend, 'ip link set dev6 name enp1s0v3');
  const late = (await look(placed(new FakeVfs(), 'net1', { isHost: true }))).told;
  assert.is(late[0]?.mend, 'ip link set net1 name enp1s0v3', 'the kernel brought it while we looked');
});

test('a VF that is nowhere is told', async () => {
  const vfs = new FakeVfs();
  vfs.names = [];
  assert.match(
    (await look(vfs)).told[0]?.problem ?? '',
    'its network device is in no namespace that can be looked into (driver: igbvf)',
  );
});

// The late DEL of an old pod would report the settings of the new one as a leak, to be "mended" by root.
test('a VF that another container has by now is not told of', async () => {
  const elsewhere = placed(new FakeVfs(fakeVf({ vlan: 210 })), 'net1', { ino: '4026539999' });
  assert.equal((await look(elsewhere)).told, []);

  const attaching = attachmentWithVf({ state: 'attaching' });
  await new Journal(folder.path).write(aRecord({ containerId: 'beef', attachments: [attaching] }));
  assert.equal((await look(new FakeVfs(fakeVf({ vlan: 210 })))).told, []);
});

test('what was before a reboot is not compared', async () => {
  const vfs = new FakeVfs(fakeVf({ vlan: 210 }));
  assert.equal((await look(vfs, attachmentWithVf(), { bootId: 'another' })).told, []);
  assert.equal(vfs.asked, []);
});

test('an attachment that is still in the journal is looked at when it goes', async () => {
  const attachment = attachmentWithVf({ state: 'detaching' });
  assert.equal((await look(new FakeVfs(fakeVf({ vlan: 210 })), attachment, { attachments: [attachment] })).told, []);
});

test('a VF that had no network device, or is gone, is not looked for', async () => {
  const userspace = new FakeVfs();
  userspace.names = [];
  assert.equal((await look(userspace, attachmentWithVf({ vf: { ...BEFORE, hostName: '' } }))).told, []);
  const gone = new FakeVfs();
  gone.device = undefined;
  assert.equal((await look(gone)).told, []);
});

test('of a VF that its plugin chose any name on the host will do', async () => {
  const vfs = new FakeVfs();
  vfs.names = ['eth9'];
  assert.equal((await look(vfs, attachmentWithVf({ vf: { ...BEFORE, hostName: undefined } }))).told, []);
  const pod = placed(new FakeVfs(), 'net1', { ino: aRecord().netns.ino });
  const [leftover] = (await look(pod, attachmentWithVf({ vf: { ...BEFORE, hostName: undefined } }))).told;
  assert.match(leftover?.mend ?? '', 'netns 1 name net1');
});

// DEL has succeeded: what cannot be asked must not turn it into a failure.
test('what cannot be asked is a line in the log', async () => {
  const vfs = new FakeVfs();
  vfs.find = () => {
    throw new Error('EACCES');
  };
  const { log } = await look(vfs);
  assert.equal(log.of('cannot tell whether the VF came back'), [
    { network: 'prod/data', ifName: 'net1', vf: VF_ADDRESS, error: 'EACCES' },
  ]);
});

test.run();
