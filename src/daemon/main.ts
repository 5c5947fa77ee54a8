/** multusd: listens for shims, and looks after the journal and the configuration of the node. */
import { hostname } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { writeOverlay } from '../attach/overlay-file.ts';
import { KubernetesSource } from '../cluster/kubernetes/kubernetes-source.ts';
import { levelNamed } from '../log/open-log.ts';
import { absolutePath } from '../node/path-option.ts';
import { nodeConfigOrigin } from '../node-config/node-config-text.ts';
import { readDaemonConfig } from '../node-config/read-daemon-config.ts';
import { StartError } from '../node-config/start-error.ts';
import { DEFAULT_DAEMON_CONFIG } from '../pod/daemon-config.ts';
import { DEFAULT_CNI_DIR, parseNodeKeys } from '../pod/multus-config.ts';
import { DEFAULT_SOCKET_DIR } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { Background } from './background.ts';
import { deserted, logSuccession } from './hand-over.ts';
import { RequestLogs } from './request-logs.ts';
import { Requests } from './requests.ts';
import { DaemonServer } from './server.ts';
import { DEFAULT_MAX_OPERATIONS, type Options, settingsOf } from './settings.ts';

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
  const settings = settingsOf(options, config, { ...process.env, hostname: hostname() });
  const { cluster } = settings;
  const { socketDir, overlay } = settings;
  const { cniDir } = parseNodeKeys(settings.nodeKeys);
  const nodeConfig =
    config === undefined ? undefined : nodeConfigOrigin(config, { cniDir, kubernetes: cluster !== undefined });
  const logs = new RequestLogs(settings.log, settings.logLevel);
  const log = logs.own;
  // Plugins that run as our children get no more of our environment than this.
  const delegateEnv = { PATH: process.env['PATH'] };
  const lanes = { concurrency: settings.maxOperations, queueLength: QUEUE_LENGTH };
  const { nodeKeys, stateDirectories } = settings;
  const userAgent = `multus-native/${VERSION} (daemon)`;
  const source = cluster === undefined ? undefined : new KubernetesSource({ ...cluster, cniDir, userAgent, log });
  const requests = new Requests({ logs, overlay, nodeKeys, lanes, stateDirectories, cluster: source, userAgent });
  const { hotplug } = settings;
  const { reconcileInterval } = options;
  const background = new Background({ requests, source, nodeConfig, hotplug, reconcileInterval, delegateEnv, log });
  const finish = async (): Promise<void> => {
    await listening.catch(() => undefined); // who is told to end while it takes over has callers already
    await Promise.all([server.stop(), background.end()]);
    await background.tellTheLast();
  };
  let isStopping = false;
  const stop = (reason: object, exitCode = 0): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ ...reason, active: requests.active }, 'stopping');
    const limit = setTimeout(() => {
      log.warn({ active: requests.active }, 'stopped before all operations ended; their shims go on');
      process.exit(exitCode);
    }, STOP_LIMIT_MS);
    void finish().then(() => {
      clearTimeout(limit);
      log.info({}, 'stopped');
      process.exit(exitCode);
    });
  };
  // Ending by ourselves would have us started again where a supervisor keeps two of us, as in a rolling update, and we would
  // take the socket back from our successor.
  const standBy = async (): Promise<void> => {
    log.warn({ active: requests.active }, 'another daemon has taken over: answering who has asked, then standing by');
    void finish().then(() => log.info({}, 'standing by'));
    await deserted(server.path);
    stop({ reason: 'the daemon that took over is gone; whoever keeps us shall start us again' }, 1);
  };
  const server = new DaemonServer(requests, {
    socketDir,
    delegateEnv,
    prepare: () => writeOverlay(socketDir, overlay),
    onReplaced: async () => {
      if (!background.signal.aborted) void standBy();
      await background.end();
    },
    onLost: (error) => stop({ error, reason: 'callers do not find us; whoever keeps us shall start us again' }, 1),
  });

  const listening = server.listen();
  process.once('SIGTERM', (signal) => stop({ signal }));
  process.once('SIGINT', (signal) => stop({ signal }));
  const succession = await listening;
  log.info({ socket: server.path, version: VERSION, nodeKeys: Object.keys(overlay) }, 'listening');
  logSuccession(succession, log);
  for (const note of settings.notes) log.warn({ note }, 'configuration');
  void server.keepSocket(log, background.signal);
  background.start();
}

const program = new Command('multusd')
  .description('Daemon of multus-native: attaches pods to their networks when a runtime runs the shim.')
  .version(VERSION)
  .option(
    '--config <file>',
    `daemon-config.json of Multus; options win over it (default: ${DEFAULT_DAEMON_CONFIG}, if any)`,
  )
  .option(
    '--socket-dir <dir>',
    `directory of multus.sock (default: "socketDir", or ${DEFAULT_SOCKET_DIR})`,
    absolutePath,
  )
  .option(
    '--cni-dir <dir>',
    `state directory to look after beside "cniDir" (default: ${DEFAULT_CNI_DIR})`,
    absolutePath,
  )
  .option('--log-level <level>', `${LOG_LEVELS} (default: "logLevel", or info)`, logLevel)
  .option(
    '--max-operations <n>',
    `operations of a kind (ADD; DEL and GC; the rest) at a time (default: "connectionLimit", or ${DEFAULT_MAX_OPERATIONS})`,
    positive,
  )
  .option('--hotplug', 'follow the annotations of running pods (default: "hotplug", or no)')
  .option(
    '--kubeconfig <file>',
    'for the API server (default: "kubeconfig", or what the kubelet gives to a pod)',
    absolutePath,
  )
  .option('--node-name <name>', 'of this node in the cluster (default: $MULTUS_NODE_NAME, or the host name)')
  .option('--reconcile-interval <seconds>', 'seconds between looks at the journal', positive, 60)
  .action(run);

program.parseAsync(process.argv).catch((error: Error) => {
  process.stderr.write(`multusd: ${error.message}\n`);
  process.exit(error instanceof StartError ? error.exitCode : 1);
});
