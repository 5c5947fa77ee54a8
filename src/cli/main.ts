/** multus: the operator's command. The shim starts it when it is run by hand. */
import { Command } from 'commander';
import { DEFAULT_CNI_DIR } from '../pod/multus-config.ts';
import { VERSION } from '../wire/version.ts';
import { type ExplainOptions, explain } from './explain.ts';
import { type ForgetOptions, forget } from './forget.ts';
import { type PsOptions, ps } from './ps.ts';

const program = new Command('multus')
  .description('Look at the networks of the pods on this node.')
  .version(VERSION)
  .showHelpAfterError();

program
  .command('ps')
  .description('list what is attached, and what could not be detached')
  .option('--cni-dir <dir>', 'state directory ("cniDir" of the configuration)', DEFAULT_CNI_DIR)
  .option('--json', 'print the journal as JSON')
  .action((options: PsOptions) => {
    const { output, errors, exitCode } = ps(options);
    process.stdout.write(output);
    process.stderr.write(errors);
    process.exitCode = exitCode;
  });

program
  .command('forget')
  .description('drop a container from the journal that its plugins can never detach; frees nothing')
  .argument('<container...>', 'IDs of containers, or how they begin')
  .option('--cni-dir <dir>', 'state directory ("cniDir" of the configuration)', DEFAULT_CNI_DIR)
  .option('--force', 'also one that is attached and in order')
  .action(async (containers: string[], options: ForgetOptions) => {
    process.stdout.write(await forget(containers, options));
  });

program
  .command('explain')
  .description('show which networks a pod would get; runs nothing')
  .argument('<pod>', '[namespace/]name')
  .requiredOption('--conf <file>', 'CNI configuration file of multus')
  .option('--manifests <dir>', 'folder of manifests (default: "manifestsDir" of the configuration)')
  .option('--daemon-config <file>', "multusd's own file: its keys count for every request of the node")
  .option('--ifname <name>', "name of the default network's interface", 'eth0')
  .option('--json', 'print the plan with every byte as JSON')
  .action(async (pod: string, options: ExplainOptions) => {
    process.stdout.write(await explain(pod, options));
  });

program.parseAsync(process.argv).catch((error: Error & { details?: string }) => {
  process.stderr.write(`multus: ${error.message}${error.details ? ` (${error.details})` : ''}\n`);
  process.exitCode = 1;
});
