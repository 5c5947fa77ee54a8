// timeout: 600s
// The daemon is replaced and killed while a runtime starts and stops pods: no pod may notice.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../lab/process.ts';
import { assertNetworks, DEFINITIONS } from './lab/networks.ts';
import type { LabNode } from './lab/node.ts';
import { onNode } from './lab/on-node.ts';
import { withAll } from './lab/with-all.ts';

const PODS = 200;
const AT_ONCE = 8;
/** Of each: a new daemon takes over from the one that runs; the one that runs is killed, and started again. */
const TIMES = 5;
const ANNOTATIONS = { 'k8s.v1.cni.cncf.io/networks': 'lan' };

async function replace(node: LabNode): Promise<void> {
  const old = node.daemonProcess;
  await node.startDaemon();
  await old?.kill();
}

async function crash(node: LabNode): Promise<void> {
  await node.endDaemon('SIGKILL');
  await node.startDaemon();
}

for (const containerd of [1, 2] as const) {
  // At every upgrade some pods would fail to start, or to end, and their addresses would be lost.
  onNode(
    `${PODS} pods start and stop while the daemon is replaced ${TIMES} times and killed ${TIMES} times`,
    { containerd, mode: 'thick' },
    async (node) => {
      const { runtime } = node;
      node.manifest('networks.yaml', ...DEFINITIONS);
      let ended = 0;
      const names = Array.from({ length: PODS }, (_, i) => `pod${i}`);
      const pods = withAll(
        names,
        async (name) => {
          const { id } = await runtime.run({ name, uid: `uid-${name}`, annotations: ANNOTATIONS });
          await assertNetworks(runtime, id, 1);
          await runtime.stopSandbox(id);
          await runtime.remove(id);
          ended++;
        },
        AT_ONCE,
      );
      // Spread over the pods, until they have all come and gone, or one has failed.
      let failed = false;
      pods.catch(() => {
        failed = true;
      });
      const events = Array.from({ length: 2 * TIMES }, (_, i) => (i % 2 === 0 ? replace : crash));
      for (const [i, event] of events.entries()) {
        const share = ((i + 0.5) * PODS) / events.length;
        await until(`${share} pods have ended`, () => failed || ended >= share, 120_000);
        await event(node);
      }
      await pods;
      assert.is(ended, PODS);
    },
  );
}

test.run();
