/** multus: the operator's command. The shim starts it when it is run by hand. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import { openLog, targetOf } from '../log/open-log.ts';
import { absolutePath } from '../node/path-option.ts';
import { systemText } from '../node/system-reason.ts';
import { NO_LOG_SETTINGS } from '../pod/log-settings.ts';
import { DEFAULT_BIN_DIR, DEFAULT_CNI_DIR } from '../pod/multus-config.ts';
import { DEFAULT_SOCKET_DIR } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { endingSignal } from './ending-signal.ts';
import { type ExplainOptions, explain } from './explain.ts';
import { type ForgetOptions, forget } from './forget.ts';
import { type InstallOptions, install } from './install.ts';
import { DEFAULT_RUNTIME_DIR, usualCniDir } from './node-folders.ts';
import { type PsOptions, ps } from './ps.ts';
import { followServiceAccount, kubeconfigOf, SERVICE_ACCOUNT_DIR, writeKubeconfig } from './service-account.ts';
import { sriovCommand } from './sriov/commands.ts';
import { checkThinOptions, readThinNode, type ThinOptions, tryThinConfig, writeThinConfig } from './thin-config.ts';
import { followThinNode } from './thin-node.ts';
import { keepUninstalling, type ReportOptions, reportUninstall } from './uninstall-report.ts';

const program = new Command('multus')
  .description('Look after the networks of the pods on this node.')
  .version(VERSION)
  .addHelpText('after', '\nmultus probe /healthz|/readyz [SOCKET_DIR]: exit code 0 when the daemon answers so.')
  .showHelpAfterError();

const STATE_DIRECTORY = `state directory (default: "cniDir" of ${DEFAULT_RUNTIME_DIR}/00-multus.conf, or ${DEFAULT_CNI_DIR})`;

program
  .command('ps')
  .description('list what is attached, and what could not be detached')
  .option('--cni-dir <dir>', STATE_DIRECTORY, absolutePath)
  .option('--json', 'print the journal as JSON')
  .action((options: Partial<PsOptions>) => {
    const { output, errors, exitCode } = ps({ cniDir: usualCniDir(), ...options });
    process.stdout.write(output);
    process.stderr.write(errors);
    process.exitCode = exitCode;
  });

program
  .command('forget')
  .description('drop a container from the journal that its plugins can never detach; frees nothing')
  .argument('<container...>', 'IDs of containers, or how they begin')
  .option('--cni-dir <dir>', STATE_DIRECTORY, absolutePath)
  .option('--force', 'also one that is attached and in order')
  .action(async (containers: string[], options: Partial<ForgetOptions>) => {
    process.stdout.write(await forget(containers, { cniDir: usualCniDir(), ...options }));
  });

program
  .command('explain')
  .description('show which networks a pod would get; runs nothing')
  .argument('<pod>', '[namespace/]name')
  .requiredOption('--conf <file>', 'CNI configuration file of multus')
  .option('--manifests <dir>', 'folder of manifests (default: "manifestsDir" of the configuration)')
  .addOption(
    new Option('--kubeconfig <file>', 'ask the API server (default: "kubeconfig" of the configuration)').conflicts(
      'manifests',
    ),
  )
  .option('--daemon-config <file>', "multusd's own file: its keys count for every request of the node")
  .option('--ifname <name>', "name of the default network's interface", 'eth0')
  .option('--json', 'print the plan with every byte as JSON')
  .action(async (pod: string, options: ExplainOptions) => {
    process.stdout.write(await explain(pod, options));
  });

/** libcni's own folder, of containerd and CRI-O alike. */
const RUNTIME_CACHE = '/var/lib/cni/results';

program
  .command('install')
  .description("put the runtime's programs in their place; what is there already is not touched")
  .option('--bin-dir <dir>', 'where the runtime looks for plugins', absolutePath, DEFAULT_BIN_DIR)
  .option('--cni-dir <dir>', 'state directory: has the list of what was installed', absolutePath, DEFAULT_CNI_DIR)
  .option('--from <dir>', 'folder of the programs', absolutePath, dirname(fileURLToPath(import.meta.url)))
  .option('--dry-run', 'say what would be done')
  .option('--json', 'print it as JSON')
  .option('--thin', 'also write 00-multus.conf, which multusd does where it runs')
  .option('--conf-dir <dir>', "the runtime's configurations, for --thin", absolutePath, DEFAULT_RUNTIME_DIR)
  .option('--config <file>', "keys of 00-multus.conf, for --thin: multusd's own file")
  .option(
    '--kubeconfig <file>',
    "with --thin, in a pod: write its service account's credentials there, for the node",
    absolutePath,
  )
  .option('--watch', 'with --thin: stay, and follow the primary configuration, the service account and the definitions')
  .addHelpText('after', '\nExit code: 0 when all of it is in place, 1 when something is not.')
  .action(async (options: InstallOptions & ThinOptions & { thin?: boolean; watch?: boolean }) => {
    const { kubeconfig, dryRun, json } = options;
    checkThinOptions(options);
    const node = options.thin === true ? readThinNode(options) : undefined;
    const cniDir = node?.cniDir ?? options.cniDir; // who looks after the node finds there that it was given back
    const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = process.env;
    const account = { folder: SERVICE_ACCOUNT_DIR, host, port };
    if (kubeconfig !== undefined) kubeconfigOf(account); // what it lacks is told before anything is installed
    process.stdout.write(await install({ ...options, cniDir }));
    if (node === undefined) return;
    const { log } = openLog(targetOf(NO_LOG_SETTINGS, options.watch === true ? 'info' : 'warn'));
    for (const note of node.notes) log.warn({ note }, 'configuration');
    if (dryRun === true) {
      if (json !== true) process.stdout.write(await tryThinConfig(node));
      return;
    }
    if (kubeconfig !== undefined) await writeKubeconfig(kubeconfig, account);
    if (options.watch !== true) {
      const written = await writeThinConfig(options, log);
      if (json !== true) process.stdout.write(written);
      return;
    }
    const signal = endingSignal();
    const credentials =
      kubeconfig === undefined ? undefined : followServiceAccount({ path: kubeconfig, account, cniDir, log, signal });
    await Promise.all([credentials, followThinNode(node, log, signal)]);
  });

program
  .command('uninstall')
  .description('give the node back to its primary configuration; to be run again until nothing is left')
  .option('--bin-dir <dir>', 'where the runtime looks for plugins', absolutePath, DEFAULT_BIN_DIR)
  .option('--cni-dir <dir>', 'state directory', absolutePath, DEFAULT_CNI_DIR)
  .option(
    '--conf-dir <dir>',
    `the runtime's configurations (default: where 00-multus.conf was written, or ${DEFAULT_RUNTIME_DIR})`,
    absolutePath,
  )
  .option('--socket-dir <dir>', 'where a daemon would answer', absolutePath, DEFAULT_SOCKET_DIR)
  .option(
    '--plugin-dir <dir>',
    'where the runtime looks for plugins beside --bin-dir, for --verify; more than once',
    (dir: string, dirs: string[] = []) => [...dirs, absolutePath(dir)],
  )
  .option('--force', 'do not wait for pods: nobody detaches their further networks; drop what can never be detached')
  .option('--verify', "check afterwards that the node is its primary configuration's alone")
  .option('--dry-run', 'say what would be done')
  .option('--json', 'print it as JSON')
  .option('--watch', 'stay: run again and --verify until the node is given back, then wait to be ended')
  .addHelpText(
    'after',
    `
At once: 00-multus.conf is removed, new pods get the primary network only. Pods that run keep all their networks and can
be deleted. Programs and journal stay until the last of them is gone: run the command again then, and it detaches what
those pods had (containerd asks only the primary's plugins to), and removes the rest.
Exit code: 0; 1 when something failed, or --verify found something (while pods are still attached, too).`,
  )
  .action(async (options: ReportOptions & { watch?: boolean }) => {
    const { log } = openLog(targetOf(NO_LOG_SETTINGS, 'warn'));
    const whole = { ...options, log, path: process.env['PATH'], runtimeCache: RUNTIME_CACHE };
    if (options.watch === true) {
      await keepUninstalling(whole, (output) => process.stdout.write(output), endingSignal());
      return;
    }
    const { output, problems } = await reportUninstall(whole);
    process.stdout.write(output);
    process.exitCode = problems.length > 0 ? 1 : 0;
  });

program.addCommand(sriovCommand());

program.parseAsync(process.argv).catch((error: Error & { details?: string }) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode; // it has said why
    return;
  }
  process.stderr.write(`multus: ${systemText(error)}${error.details ? ` (${error.details})` : ''}\n`);
  process.exitCode = 1;
});
