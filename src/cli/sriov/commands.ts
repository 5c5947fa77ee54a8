/** `multus sriov`: commands for nodes whose network cards have virtual functions. */
import { Command } from 'commander';
import { listCommand } from './list-command.ts';

export function sriovCommand(): Command {
  return new Command('sriov')
    .description('look at the virtual functions of this node; needs neither Kubernetes nor the daemon')
    .addCommand(listCommand());
}
