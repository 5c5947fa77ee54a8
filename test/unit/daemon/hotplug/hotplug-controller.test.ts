import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HotplugRequest } from '../../../../src/attach/hotplug/hotplug-request.ts';
import type { JournalRecord } from '../../../../src/attach/journal-record.ts';
import type { PodWatch, WatchedPod } from '../../../../src/cluster/source.ts';
import { RawObject } from '../../../../src/cni/raw-json.ts';
import { HotplugController } from '../../../../src/daemon/hotplug/hotplug-controller.ts';
import type { PodContainers } from '../../../../src/daemon/hotplug/pod-containers.ts';
import { parseNodeKeys } from '../../../../src/pod/multus-config.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { until } from '../../../lab/process.ts';
import { aDefaultAttachment, anAttachment, aRecord } from '../../attach/records.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

/** Pod prod/web, which has eth0 and "prod/data" on net1, and a controller whose network "bad" never comes. */
class Followed {
  readonly log = new FakeLog();
  readonly record: JournalRecord = aRecord({ attachments: [aDefaultAttachment(), anAttachment()] });
  /** What was tried: "ADD net1". */
  readonly tried: string[] = [];
  readonly controller: HotplugController;
  private say: Parameters<PodWatch['subscribe']>[0] = () => undefined;

  constructor(bad: (signal: AbortSignal) => Promise<void>) {
    const plug = async ({ command, ifName, selection }: HotplugRequest, _: string, signal: AbortSignal) => {
      this.tried.push(`${command} ${ifName}`);
      if (selection?.name === 'bad') return bad(signal);
      const others = this.record.attachments.filter((one) => one.ifName !== ifName);
      this.record.attachments = command === 'ADD' ? [...others, anAttachment({ ifName })] : others;
    };
    this.controller = new HotplugController({
      watch: {
        pods: () => [this.pod('data')],
        subscribe: (listener) => {
          this.say = listener;
          return () => undefined;
        },
      },
      containers: { find: () => ({ record: this.record, cniDir: '/x' }) } as unknown as PodContainers,
      plug,
      config: parseNodeKeys(RawObject.parse('{}', 'test')),
      log: this.log,
      tell: () => undefined,
      firstWaitMs: 60_000, // no try by itself in this test
    });
  }

  edit(networks: string): void {
    this.say(this.pod(networks), 'prod/web');
  }

  private pod(networks: string): WatchedPod {
    const annotations = { [NETWORKS]: networks };
    const names = { namespace: 'prod', name: 'web', uid: '' };
    return { ...names, annotations, phase: 'Running', hostNetwork: false, isDeleting: false, resourceVersion: '1' };
  }
}

// The network that the edit took away would stay away for up to five minutes.
test('an edit that fails and is taken back is taken back at once', async () => {
  const followed = new Followed(async () => {
    throw new Error('no');
  });
  followed.edit('bad');
  await until('it failed', () => followed.log.of('AttachFailed').length === 1);
  assert.equal(followed.tried, ['DEL net1', 'ADD net1']);
  followed.edit('data');
  await until('it has what it had', () => followed.record.attachments.some(({ ifName }) => ifName === 'net1'));
  await followed.controller.stop();
});

// Each upgrade would warn the users of pods of failures that are none: the next daemon goes on.
test('what is being attached when the daemon stops has not failed', async () => {
  const followed = new Followed(
    (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  followed.edit('bad');
  await until('it hangs', () => followed.tried.length === 2);
  await followed.controller.stop();
  assert.is(followed.log.of('hot-plug was ended').length, 1);
  assert.is(followed.log.of('AttachFailed').length, 0);
});

test.run();
