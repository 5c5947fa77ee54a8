/** `multus sriov`: commands for nodes whose network cards have virtual functions. */
import { Command, CommanderError } from 'commander';
import { listCommand } from './list-command.ts';
import { verifyCommand } from './verify-command.ts';

/**
 * Wrong usage ends with exit code 2: 1 says that VFs are not as they have to be.
 * @throws CommanderError where commander would end the process
 */
function withUsageCode(command: Command): Command {
  return command.exitOverride((error) => {
    throw new CommanderError(error.exitCode === 0 ? 0 : 2, error.code, error.message);
  });
}

export function sriovCommand(): Command {
  const group = new Command('sriov').description(
    'look at the virtual functions of this node; needs neither Kubernetes nor the daemon',
  );
  for (const command of [listCommand(), verifyCommand()]) group.addCommand(withUsageCode(command));
  return withUsageCode(group);
}
