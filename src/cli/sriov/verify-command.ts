/** `multus sriov verify` on the command line. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { CniError } from '../../cni/errors.ts';
import { absolutePath } from '../../node/path-option.ts';
import { systemText } from '../../node/system-reason.ts';
import type { Selection } from '../../sriov/audit-report.ts';
import { parseExpect } from '../../sriov/claims/expect.ts';
import { DEFAULT_SRIOV_DIR } from '../../sriov/claims/sriov-cni-files.ts';
import { endingSignal } from '../ending-signal.ts';
import { usualCniDir } from '../node-folders.ts';
import { checkFixOptions, type FixOptions, runFixes } from './fix.ts';
import { missingSriovDir } from './sriov-dir.ts';
import { printed, takeReport, type VerifyOptions, watch } from './verify.ts';
import { type SelectionOptions, selectionOf, UsageError } from './verify-selection.ts';

interface Options extends SelectionOptions, Partial<VerifyOptions> {
  json?: boolean;
  watch?: boolean;
  fix?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

/** Of wrong usage, and of what keeps the command from finding out anything; the others are the report's. */
const FAILED = 1;
const USAGE = 2;
const UNDETERMINED = 3;
const NOT_FOUND = 4;

/** @throws InvalidArgumentError, to which the option and its value are added */
function wholeNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 to 9999.');
  return Number(text);
}

function settings(text: string): ReturnType<typeof parseExpect> {
  try {
    return parseExpect(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

const HELP = `
Exit code: 0 all is well, or only warned of; 1 something fails; 2 wrong usage; 3 something could not be determined; 4 what
was selected is not on this node. With --strict, what is warned of or unknown fails, too.

What a VF is to be like is said by sriov-cni's cache, the journal, the network's definition, --conf, --expect: the last
of them counts. docs/sriov.md describes each check.

Examples:
  multus sriov verify --node
  multus sriov verify --pod default/web --network north
  multus sriov verify --pf enp2s0 --vf 0 --expect vlan=210,spoofchk=off
  multus sriov verify --netns 4711 --ifname north --conf /etc/cni/net.d/multus/north.conf --offline
  multus sriov verify --node --strict -o json
  multus sriov verify --pf enp2s0 --fix --dry-run`;

/** Look, tell, and set the exit code. */
async function run(selection: Selection, options: VerifyOptions, isWatched: boolean): Promise<void> {
  const isTerminal = process.stdout.isTTY === true;
  if (isWatched) {
    process.exitCode = await watch(
      selection,
      options,
      (output) => process.stdout.write(output),
      endingSignal(),
      isTerminal,
    );
    return;
  }
  const { output, exitCode } = printed(await takeReport(selection, options), options, isTerminal);
  process.stdout.write(output);
  process.exitCode = exitCode;
}

/** Look, mend what can be mended, tell what is so then, and set the exit code. */
async function runFix(selection: Selection, options: VerifyOptions & FixOptions): Promise<void> {
  checkFixOptions(options, process.stdin.isTTY === true && process.stderr.isTTY === true);
  const { report, left } = await runFixes({
    ...options,
    sriovDir: options.sriovDir ?? DEFAULT_SRIOV_DIR,
    report: await takeReport(selection, options),
    look: (isQuick) => takeReport(selection, { ...options, retry: isQuick ? 0 : options.retry }),
    print: (text) => process.stderr.write(text),
  });
  const { output, exitCode } = printed(report, options, process.stdout.isTTY === true);
  process.stdout.write(output);
  process.exitCode = left > 0 && exitCode !== NOT_FOUND ? FAILED : exitCode;
}

/** A --conf that cannot be used is wrong usage; a journal that cannot be read keeps everything from being known. */
function exitCodeOfError(error: unknown, { conf }: Options): number {
  const isOfConf = conf !== undefined && error instanceof CniError && error.message.includes(conf);
  return isOfConf || error instanceof UsageError ? USAGE : UNDETERMINED;
}

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('check that VFs are as they were asked for, where they have to be, and that none is left over')
    .option('--node', 'all VFs of this node')
    .option('--pod <pod>', 'those of a pod: [namespace/]name')
    .option('--network <name>', 'with --pod: of one of its networks')
    .option('--netns <netns>', 'those in a network namespace: path, name in /run/netns, or process ID')
    .option('--ifname <name>', 'with --netns: of this name')
    .option('--pf <pf>', 'those of a PF: name of its interface, or PCI address')
    .option('--vf <index>', 'with --pf: this one', wholeNumber)
    .option('--pci <address>', 'the one at this PCI address')
    .option(
      '--expect <settings>',
      'vlan=210,qos=2,proto=802.1q,mac=...,spoofchk=on,trust=off,link-state=auto,...',
      settings,
    )
    .option('--conf <file>', 'configuration of an SR-IOV plugin that says what the selected VFs are to be like')
    .option('--offline', 'ask no API server')
    .option('--manifests <dir>', 'folder of manifests that has the networks', absolutePath)
    .option('--kubeconfig <file>', 'the API server to ask (default: as the journal has it)')
    .option('--cni-dir <dir>', 'state directory: says which pods have VFs', absolutePath)
    .option('--sriov-dir <dir>', "sriov-cni's folder", absolutePath, DEFAULT_SRIOV_DIR)
    .option('--retry <count>', 'look again so often, 100 ms apart, while something fails or is unknown', wholeNumber, 3)
    .option('--strict', 'fail by what is warned of or unknown, too')
    .addOption(new Option('--watch', 'stay, and tell what changes').conflicts('fix'))
    .option('--fix', 'mend what no pod can be using: shows the changes and asks; tells afterwards what is so then')
    .option('--yes', 'with --fix: do not ask')
    .option('--dry-run', 'with --fix: show the changes and make none')
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['table', 'wide', 'json']).default('table'),
    )
    .option('--json', 'the same as -o json')
    .addHelpText('after', HELP)
    .action(async ({ json, watch: isWatched = false, fix = false, ...given }: Options) => {
      try {
        if (!fix && (given.yes || given.dryRun))
          throw new UsageError("options '--yes' and '--dry-run' go with --fix only");
        const selection = selectionOf(given);
        process.stderr.write(missingSriovDir(given.sriovDir));
        const output = json === true ? 'json' : (given.output ?? 'table');
        const options = { retry: 3, cniDir: usualCniDir(), ...given, output };
        await (fix ? runFix(selection, options) : run(selection, options, isWatched));
      } catch (error) {
        process.stderr.write(`multus: ${systemText(error as Error)}\n`);
        process.exitCode = exitCodeOfError(error, given);
      }
    });
  return command;
}
