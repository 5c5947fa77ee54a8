/** Tests on a node of their own. */
import { test } from 'uvu';
import type { Major } from './containerd.ts';
import { LabNode, type Mode, type NodeOptions } from './node.ts';

/** Both runtimes, with a daemon and without one. */
export const KINDS: { containerd: Major; mode: Mode }[] = [
  { containerd: 1, mode: 'thick' },
  { containerd: 1, mode: 'thin' },
  { containerd: 2, mode: 'thick' },
  { containerd: 2, mode: 'thin' },
];

/** How much of a log is shown with a failure. */
const LOG_TAIL = 4000;

/**
 * A test with a node that nobody else uses; what pods leave behind fails it.
 * @param kind a part of the node's options, and of the test's name
 * @param further options that are there when the test runs
 */
export function onNode(
  name: string,
  kind: NodeOptions,
  body: (node: LabNode) => Promise<void>,
  further: () => Partial<NodeOptions> = () => ({}),
): void {
  test(`${name} (containerd ${kind.containerd}.x, ${kind.mode})`, async () => {
    const node = await LabNode.start({ ...kind, ...further() });
    try {
      await body(node);
    } catch (error) {
      const logs = [node.runtime.log, node.daemonLog, node.followerLog].map((log) => log.slice(-LOG_TAIL));
      const [runtime, daemon, follower] = logs;
      console.error(
        `--- containerd ${node.runtime.version}\n${runtime}--- multusd\n${daemon}--- follower\n${follower}---`,
      );
      await node.close(true);
      throw error;
    }
    await node.close();
  });
}
