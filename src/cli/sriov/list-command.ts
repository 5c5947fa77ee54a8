/** `multus sriov list` on the command line. */
import { Command, Option } from 'commander';
import { absolutePath } from '../../node/path-option.ts';
import { DEFAULT_SRIOV_DIR } from '../../sriov/claims/sriov-cni-files.ts';
import { usualCniDir } from '../node-folders.ts';
import { type ListOptions, list } from './list.ts';
import { missingSriovDir } from './sriov-dir.ts';

const HELP = `
"-": there is none. "?": the driver does not report it. RATE is in Mbit/s. What could not be looked at is told on stderr.
Exit code: 0; 1 when there is no such PF; 2 wrong usage.`;

export function listCommand(): Command {
  return new Command('list')
    .description('list physical and virtual functions, their settings, and which pods use them')
    .option('--pf <pf>', 'only this one: name of its interface, or PCI address')
    .option('--cni-dir <dir>', 'state directory: says which pods have VFs', absolutePath)
    .option('--sriov-dir <dir>', "sriov-cni's folder", absolutePath, DEFAULT_SRIOV_DIR)
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['table', 'wide', 'json']).default('table'),
    )
    .option('--json', 'the same as -o json')
    .addHelpText('after', HELP)
    .action(async ({ json, ...options }: Partial<ListOptions> & { json?: boolean }) => {
      const format: Pick<ListOptions, 'output'> = json === true ? { output: 'json' } : {};
      const { output, errors } = await list({ cniDir: usualCniDir(), ...options, ...format });
      process.stdout.write(output);
      process.stderr.write(missingSriovDir(options.sriovDir) + errors);
    });
}
