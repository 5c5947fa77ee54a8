/** STATUS: can every network that each pod gets attach one now? (CNI spec 1.1, STATUS) */
import { pluginStdin } from '../cni/stdin.ts';
import { compareVersions } from '../cni/versions.ts';
import { runPlugin } from '../delegate/run-plugin.ts';
import type { Network } from '../pod/plan.ts';
import { delegateBudget, type Operation, searchPath } from './operation.ts';
import { requireReadiness } from './readiness.ts';
import { lookupsOf, nodeNetworks } from './resolve/networks.ts';

/** Can this network attach? Plugins of a version that does not know the command are not asked. @throws CniError of a plugin */
export async function networkStatus(operation: Operation, { label: network, config }: Network): Promise<void> {
  if (compareVersions(config.cniVersion, '1.1.0') < 0) return;
  const { argsText: args, trace } = operation.request;
  const path = searchPath(operation);
  for (const plugin of config.plugins) {
    const invocation = {
      command: 'STATUS',
      network,
      plugin: plugin.type,
      containerId: '',
      netns: '',
      ifName: '',
    } as const;
    const stdin = pluginStdin(config, plugin, {});
    await runPlugin({ ...invocation, args, path, trace }, stdin, {
      runner: operation.runner(path),
      deadlineMs: delegateBudget(operation),
      signal: operation.budget,
    });
  }
}

/** @throws CniError of the first plugin that is not ready, with its own code (50, 51) */
export async function status(operation: Operation): Promise<void> {
  requireReadiness(operation);
  for (const network of await nodeNetworks(lookupsOf(operation))) {
    await networkStatus(operation, network);
  }
}
