/** STATUS: can every network that each pod gets attach one now? (CNI spec 1.1, STATUS) */
import { compareVersions } from '../cni/versions.ts';
import { runPlugin } from '../delegate/run-plugin.ts';
import { planAttachments } from '../pod/plan.ts';
import { defaultNetworks } from './networks.ts';
import { delegateBudget, type Operation, searchPath } from './operation.ts';

/** @throws CniError of the first plugin that is not ready, with its own code (50, 51) */
export async function status(operation: Operation): Promise<void> {
  const { config, request } = operation;
  const defaults = await defaultNetworks(config, operation.openSource(config));
  const { attachments } = planAttachments({
    defaults,
    selected: [],
    ifName: 'eth0',
    args: request.args,
    runtimeConfig: {},
  });
  const path = searchPath(operation);
  for (const { network, cniVersion, steps } of attachments) {
    if (compareVersions(cniVersion, '1.1.0') < 0) continue; // such plugins do not know the command
    for (const { type, stdin } of steps) {
      const invocation = { command: 'STATUS', network, plugin: type, containerId: '', netns: '', ifName: '' } as const;
      await runPlugin({ ...invocation, args: request.argsText, path, trace: request.trace }, stdin, {
        runner: operation.runner(path),
        deadlineMs: delegateBudget(operation),
        signal: operation.budget,
      });
    }
  }
}
