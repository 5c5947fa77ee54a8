/** `multus sriov`: commands for nodes whose network cards have virtual functions. */
import { Command, Option } from 'commander';
import { absolutePath } from '../../node/path-option.ts';
import { usualCniDir } from '../node-folders.ts';
import { type ListOptions, list } from './list.ts';

function listCommand(): Command {
  return new Command('list')
    .description('list physical and virtual functions, their settings, and which pods use them')
    .option('--pf <pf>', 'only this one: name of its interface, or PCI address')
    .addOption(new Option('-o, --output <format>', 'more columns').choices(['wide']))
    .option('--json', 'print all that is known as JSON')
    .option('--cni-dir <dir>', 'state directory: says which pods have them', absolutePath)
    .action(async (options: Partial<ListOptions>) => {
      const { output, errors } = await list({ cniDir: usualCniDir(), ...options });
      process.stdout.write(output);
      process.stderr.write(errors);
    });
}

export function sriovCommand(): Command {
  return new Command('sriov')
    .description('look at the virtual functions of this node; needs neither Kubernetes nor the daemon')
    .addCommand(listCommand());
}
