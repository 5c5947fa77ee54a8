/** multusd: listens for shims, and looks after the journal and the configuration of the node. */
import { Command, InvalidArgumentError } from 'commander';
import { writeOverlay } from '../attach/overlay-file.ts';
import { RetryTimes, reconcile } from '../attach/reconcile.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { levelNamed } from '../log/open-log.ts';
import { DEFAULT_DAEMON_CONFIG } from '../pod/daemon-config.ts';
import { DEFAULT_CNI_DIR } from '../pod/multus-config.ts';
import { DEFAULT_SOCKET_DIR } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { startHotplug } from './hotplug/start-hotplug.ts';
import { keepNodeConfig } from './node-config-file.ts';
import { nodeConfigOrigin } from './node-config-text.ts';
import { RequestLogs } from './request-logs.ts';
import { Requests } from './requests.ts';
import { DaemonServer } from './server.ts';
import { DEFAULT_MAX_OPERATIONS, type Options, readDaemonConfig, settingsOf } from './settings.ts';
import { StartError } from './start-error.ts';

/** Requests that wait beyond those that run. */
const QUEUE_LENGTH = 1000;

/** How long operations may take to end after SIGTERM; then their shims go on without us. */
const STOP_LIMIT_MS = 10_000;

const LOG_LEVELS = 'debug, verbose, info, warn, error, panic, silent';

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

function logLevel(text: string): string {
  const level = levelNamed(text);
  if (level === undefined) throw new InvalidArgumentError(`It must be one of ${LOG_LEVELS}.`);
  return level;
}

async function run(options: Options): Promise<void> {
  const config = readDaemonConfig(options.config);
  const settings = settingsOf(options, config);
  const nodeConfig = config === undefined ? undefined : nodeConfigOrigin(config);
  const { socketDir, overlay } = settings;
  const logs = new RequestLogs(settings.log, settings.logLevel);
  const log = logs.own;
  // Plugins that run as our children get no more of our environment than this.
  const delegateEnv = { PATH: process.env['PATH'] };
  const lanes = { concurrency: settings.maxOperations, queueLength: QUEUE_LENGTH };
  const { nodeKeys, stateDirectories } = settings;
  const requests = new Requests({ logs, overlay, nodeKeys, lanes, stateDirectories });
  const server = new DaemonServer(requests, { socketDir, delegateEnv });
  const ending = new AbortController();

  const retries = new RetryTimes();
  const reconcileAll = async (): Promise<void> => {
    for (const [cniDir, adopter] of requests.stateDirectories) {
      const runner = (searchPath: readonly string[]) => new LocalRunner({ searchPath, baseEnv: delegateEnv });
      await reconcile(
        { cniDir, adopter, runner, openSource: requests.openSource, log, signal: ending.signal },
        retries,
      );
    }
  };

  const socket = await server.listen(() => writeOverlay(socketDir, overlay));
  log.info({ socket, version: VERSION, nodeKeys: Object.keys(overlay) }, 'listening');
  for (const note of settings.notes) log.warn({ note }, 'configuration');
  // Not before the socket answers: the file is what makes the runtime ask.
  const keeping = nodeConfig === undefined ? undefined : keepNodeConfig(nodeConfig, log, ending.signal);
  const hotplug = settings.hotplug ? startHotplug({ requests, delegateEnv, log, signal: ending.signal }) : undefined;
  let reconciling = reconcileAll();
  const timer = setInterval(() => {
    reconciling = reconciling.then(reconcileAll);
  }, options.reconcileInterval * 1000);

  const stop = (signal: string): void => {
    log.info({ signal, active: requests.active }, 'stopping');
    clearInterval(timer);
    ending.abort(new Error('the daemon stops'));
    const limit = setTimeout(() => {
      log.warn({ active: requests.active }, 'stopped before all operations ended; their shims go on');
      process.exit(0);
    }, STOP_LIMIT_MS);
    void Promise.all([server.stop(), reconciling, keeping, hotplug?.stop()]).then(() => {
      clearTimeout(limit);
      log.info({}, 'stopped');
      process.exit(0);
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

const program = new Command('multusd')
  .description('Daemon of multus-native: attaches pods to their networks when a runtime runs the shim.')
  .version(VERSION)
  .option(
    '--config <file>',
    `daemon-config.json of Multus; options win over it (default: ${DEFAULT_DAEMON_CONFIG}, if any)`,
  )
  .option('--socket-dir <dir>', `directory of multus.sock (default: "socketDir", or ${DEFAULT_SOCKET_DIR})`)
  .option('--cni-dir <dir>', `state directory to look after beside "cniDir" (default: ${DEFAULT_CNI_DIR})`)
  .option('--log-level <level>', `${LOG_LEVELS} (default: "logLevel", or info)`, logLevel)
  .option(
    '--max-operations <n>',
    `operations of a kind (ADD; DEL and GC; the rest) at a time (default: "connectionLimit", or ${DEFAULT_MAX_OPERATIONS})`,
    positive,
  )
  .option('--hotplug', 'follow the annotations of running pods (default: "hotplug", or no)')
  .option('--reconcile-interval <seconds>', 'seconds between looks at the journal', positive, 60)
  .action(run);

program.parseAsync(process.argv).catch((error: Error) => {
  process.stderr.write(`multusd: ${error.message}\n`);
  process.exit(error instanceof StartError ? error.exitCode : 1);
});
