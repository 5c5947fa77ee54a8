/** STATUS: can every network that each pod gets attach one now? (CNI spec 1.1, STATUS) */
import { pluginStdin } from '../cni/stdin.ts';
import { compareVersions } from '../cni/versions.ts';
import { runPlugin } from '../delegate/run-plugin.ts';
import { nodeNetworks } from './networks.ts';
import { delegateBudget, type Operation, searchPath } from './operation.ts';
import { requireReadiness } from './readiness.ts';

/** @throws CniError of the first plugin that is not ready, with its own code (50, 51) */
export async function status(operation: Operation): Promise<void> {
  const { config, request } = operation;
  requireReadiness(operation);
  const path = searchPath(operation);
  for (const { label: network, config: own } of await nodeNetworks(config, operation.openSource(config))) {
    if (compareVersions(own.cniVersion, '1.1.0') < 0) continue; // such plugins do not know the command
    for (const plugin of own.plugins) {
      const invocation = {
        command: 'STATUS',
        network,
        plugin: plugin.type,
        containerId: '',
        netns: '',
        ifName: '',
      } as const;
      const stdin = pluginStdin(own, plugin, {});
      await runPlugin({ ...invocation, args: request.argsText, path, trace: request.trace }, stdin, {
        runner: operation.runner(path),
        deadlineMs: delegateBudget(operation),
        signal: operation.budget,
      });
    }
  }
}
