import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JournalAttachment } from '../../../../src/attach/journal-record.ts';
import { formatRecord, parseRecord } from '../../../../src/attach/journal-record.ts';
import { rememberChosenVf, rememberVfs } from '../../../../src/attach/sriov/remember-vf.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { FakeVfs, fakeDevice, fakeVf, PF_ADDRESS, SILENT_VF, VF_ADDRESS } from '../../../fakes/fake-vf.ts';
import { anAttachment, aRecord } from '../records.ts';

function attachmentOf(config: object): JournalAttachment {
  const stdin = JSON.stringify({ cniVersion: '1.0.0', name: 'data', type: 'sriov', ...config });
  return anAttachment({ state: 'planned', result: '', steps: [{ type: 'sriov', stdin }] });
}

async function remember(attachments: JournalAttachment[], vfs: FakeVfs): Promise<FakeLog> {
  const log = new FakeLog();
  await rememberVfs({ log, budget: new AbortController().signal }, attachments, vfs);
  return log;
}

// After ADD nobody knows the VF's name on the host any more, nor its settings.
test('what a VF is before its plugin runs is kept, and the journal carries it', async () => {
  const attachment = attachmentOf({ deviceID: VF_ADDRESS, vlan: 210 });
  await remember([attachment], new FakeVfs(fakeVf({ vlan: 5, qos: 1 })));
  const expected = {
    address: VF_ADDRESS,
    pfAddress: PF_ADDRESS,
    pf: 'enp1s0',
    index: 3,
    hostName: 'enp1s0v3',
    settings: {
      vlan: 5,
      qos: 1,
      protocol: '802.1q',
      mac: '00:00:00:00:00:00',
      spoofCheck: true,
      trust: false,
      linkState: 'auto',
      minTxRate: 0,
      maxTxRate: 0,
    },
  };
  assert.equal(attachment.vf, expected);
  const read = parseRecord(formatRecord(aRecord({ attachments: [attachment] })), '/j/c0ffee');
  assert.equal(read.attachments[0]?.vf, expected);
});

test('of a driver that reports nothing only the place is kept', async () => {
  const attachment = attachmentOf({ deviceID: VF_ADDRESS });
  await remember([attachment], new FakeVfs(SILENT_VF));
  assert.equal([attachment.vf?.hostName, attachment.vf?.settings], ['enp1s0v3', {}]);
});

test('nothing is asked for attachments without a VF', async () => {
  const vfs = new FakeVfs();
  const attachment = anAttachment();
  await remember([attachment, attachmentOf({ if0: 'enp2s0', vlan: 210 })], vfs);
  assert.equal([vfs.asked, attachment.vf], [[], undefined]);
});

// An ADD must not fail for what is only to be told after DEL.
test('what cannot be asked fails nothing', async () => {
  const vfs = new FakeVfs();
  vfs.find = () => {
    throw new Error('EACCES');
  };
  const attachment = attachmentOf({ deviceID: VF_ADDRESS });
  const log = await remember([attachment], vfs);
  assert.is(attachment.vf, undefined);
  assert.is(log.of('cannot tell what its VF is before it is attached').length, 1);
});

test('a VF that its plugin chose is kept without what it was; one that was expected stays as it was', async () => {
  const chosen = attachmentOf({ if0: 'enp1s0', vlan: 210 });
  rememberChosenVf(chosen, fakeDevice());
  assert.equal([chosen.vf?.hostName, chosen.vf?.settings], [undefined, { vlan: 0 }]);

  const expected = attachmentOf({ deviceID: VF_ADDRESS, vlan: 210 });
  await remember([expected], new FakeVfs());
  rememberChosenVf(expected, fakeDevice());
  assert.is(expected.vf?.hostName, 'enp1s0v3');
});

test.run();
