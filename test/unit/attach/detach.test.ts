import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { detachAll } from '../../../src/attach/detach.ts';
import type { JournalAttachment } from '../../../src/attach/journal-record.ts';
import { DelegateStartError } from '../../../src/delegate/runner.ts';
import type { Netns } from '../../../src/node/netns.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { FakeNetns, fakeLink } from '../../fakes/fake-netns.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { anAttachment, aRecord } from './records.ts';

/** Detach one attachment in a pod with these links; the plugin does what it is told. */
async function detach(attachment: JournalAttachment, pod: FakeNetns, plugin: () => void = () => undefined) {
  const log = new FakeLog();
  const record = aRecord({ attachments: [attachment] });
  const runner = new FakeRunner(() => {
    pod.changes.push('DEL');
    plugin();
    return '';
  });
  const signal = new AbortController().signal;
  const errors = await detachAll(record, [attachment], { runner, netns: pod.asNetns, trace: {}, signal, log });
  return { errors, log, runner, record };
}

const LINK = { index: 7, mac: '02:00:00:00:00:07', delegateName: 'net1' };
const podWith = (...links: ReturnType<typeof fakeLink>[]) => new FakeNetns({ links: [fakeLink(1, 'lo'), ...links] });

test("a device that the plugin left is never removed: it is the host's, and would be gone for good", async () => {
  const pod = podWith(fakeLink(7, 'net1', { kind: '' }));
  const { errors, log } = await detach(anAttachment({ link: LINK }), pod);
  assert.equal([errors, pod.changes], [[], ['DEL']]);
  const message = 'the plugin reported success for DEL but its device is still in the pod';
  assert.equal(log.of(message), [{ network: 'prod/data', ifName: 'net1', kind: '' }]);
});

test("another network's link under the same number or MAC is never removed", async () => {
  for (const other of [fakeLink(7, 'net1', { mac: '02:00:00:00:00:99' }), fakeLink(8, 'net1', { mac: LINK.mac })]) {
    const pod = podWith(other);
    await detach(anAttachment({ link: LINK }), pod);
    assert.equal(pod.changes, ['DEL']);
  }
});

// A wrong cniVersion in a delegate would leave a record for every sandbox that the kubelet tries, for ever.
test('what a plugin refuses before it does anything is not kept: its ADD was refused as well', async () => {
  for (const [code, isKept] of [
    [1, false],
    [4, false],
    [7, false],
    [11, true],
    [999, true],
  ] as const) {
    const refusing = () => ({
      exitCode: 1,
      stdout: Buffer.from(JSON.stringify({ cniVersion: '1.0.0', code, msg: 'no' })),
    });
    const never = anAttachment({ state: 'attaching', result: '' });
    const record = aRecord({ attachments: [never] });
    const { signal } = new AbortController();
    const options = { netns: undefined, trace: {}, signal, log: new FakeLog(), isWitness: true };
    const errors = await detachAll(record, [never], { ...options, runner: new FakeRunner(refusing) });
    assert.equal([errors, record.attachments.length], [[], isKept ? 1 : 0], `code ${code}`);
    const attached = anAttachment();
    const kept = aRecord({ attachments: [attached] });
    assert.is((await detachAll(kept, [attached], { ...options, runner: new FakeRunner(refusing) })).length, 1);
    assert.is(kept.attachments.length, 1, 'what was attached stays until it is detached');
  }
});

// The daemon was killed before it could write what the plugin had done; its DEL wants the result, or is being replaced.
test('of a record, what a plugin refuses or a missing one may have done is kept, and given up with the pod only', async () => {
  const { signal } = new AbortController();
  const refused = { exitCode: 1, stdout: Buffer.from('{"cniVersion":"1.0.0","code":7,"msg":"no prevResult"}') };
  const plugins: FakeRunnerOptions[] = [
    { onFeed: () => refused },
    { onStart: () => new DelegateStartError('ENOENT', 'not found') },
  ];
  for (const plugin of plugins) {
    for (const state of ['planned', 'attaching'] as const) {
      const record = aRecord({ attachments: [anAttachment({ state, result: '' })] });
      const tries = async (count: number, netns: Netns | undefined): Promise<number> => {
        const options = { netns, trace: {}, signal, log: new FakeLog() };
        const runner = new FakeRunner(plugin);
        for (let i = 0; i < count; i++) await detachAll(record, record.attachments, { ...options, runner });
        return record.attachments.length;
      };
      assert.is(await tries(4, podWith().asNetns), 1, 'the pod is there');
      assert.is(await tries(1, undefined), 0, 'it is gone, and the plugin has refused often');
      record.attachments = [anAttachment({ state, result: '' })];
      assert.equal([await tries(2, undefined), await tries(1, undefined)], [1, 0]);
    }
  }
});

test('a name that cannot be given back does not keep the plugin from its DEL', async () => {
  const pod = podWith(fakeLink(7, 'net1', { kind: '' }));
  pod.failure = new Error('EBUSY');
  const { errors, log } = await detach(anAttachment({ link: { ...LINK, delegateName: 'macv0' } }), pod);
  assert.equal([errors, pod.changes], [[], ['rename 7 macv0', 'DEL']]);
  const fields = { network: 'prod/data', ifName: 'net1', error: 'EBUSY' };
  assert.equal(log.of('cannot give the link its first name back'), [fields]);
});

test('a link that we renamed gets its first name back, so that its plugin finds it', async () => {
  const pod = podWith(fakeLink(7, 'net1'));
  let found = '';
  await detach(anAttachment({ link: { ...LINK, delegateName: 'macv0' } }), pod, () => {
    found = pod.snapshotValue.links.find(({ index }) => index === 7)?.name ?? '';
  });
  assert.is(found, 'macv0');
  const elsewhere = podWith(fakeLink(7, 'renamed-by-pod', { kind: '' }));
  await detach(anAttachment({ link: { ...LINK, delegateName: 'macv0' } }), elsewhere);
  assert.equal(elsewhere.changes, ['DEL'], 'a link that somebody else renamed is left');
});

// sriov-cni loses a VF that it does not find under its name: its DEL fails, and succeeds the next time without doing anything.
test('a VF that was renamed in the pod gets its name back, so that its plugin finds it', async () => {
  const pod = podWith(fakeLink(7, 'renamed-by-pod', { kind: '' }));
  const vf = { address: '0000:01:10.6', pfAddress: '0000:01:00.0', pf: 'eth0', index: 3, hostName: 'v3', settings: {} };
  await detach(anAttachment({ link: LINK, vf }), pod);
  assert.equal(pod.changes, ['rename 7 net1', 'DEL']);
});

test('a virtual link that the plugin left behind is removed, and told', async () => {
  const pod = podWith(fakeLink(7, 'net1'));
  const { log, record } = await detach(anAttachment({ link: LINK }), pod);
  assert.equal(pod.changes, ['DEL', 'delete 7']);
  assert.is(log.of('the plugin reported success for DEL but left its link; it was removed').length, 1);
  assert.equal(record.attachments, []);
});

test('a plugin in a pod that still is there gets its namespace, and has done all', async () => {
  const pod = podWith(fakeLink(7, 'net1'));
  const { runner, log } = await detach(anAttachment({ link: LINK }), pod, () => {
    pod.snapshotValue.links.pop();
  });
  assert.equal(pod.changes, ['DEL']);
  assert.is(runner.runs[0]?.env['CNI_NETNS'], '/run/netns/fake');
  assert.equal(
    log.entries.map(({ message }) => message),
    ['detached'],
  );
});

test.run();
