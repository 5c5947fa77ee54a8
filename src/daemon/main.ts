/** multusd: listens for shims, and looks after the journal of the node. */
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { RetryTimes, reconcile } from '../attach/reconcile.ts';
import { LocalRunner } from '../delegate/local-runner.ts';
import { DEFAULT_CNI_DIR } from '../pod/multus-config.ts';
import { DEFAULT_SOCKET_DIR } from '../wire/http.ts';
import { VERSION } from '../wire/version.ts';
import { Requests } from './requests.ts';
import { DaemonServer } from './server.ts';

interface Options {
  socketDir: string;
  cniDir: string;
  logLevel: string;
  maxOperations: number;
  reconcileInterval: number;
}

/** Requests that wait beyond those that run. */
const QUEUE_LENGTH = 1000;

/** How long operations may take to end after SIGTERM; then their shims go on without us. */
const STOP_LIMIT_MS = 10_000;

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

function logLevel(text: string): string {
  if (!LOG_LEVELS.includes(text)) throw new InvalidArgumentError(`It must be one of ${LOG_LEVELS.join(', ')}.`);
  return text;
}

async function run(options: Options): Promise<void> {
  const log = pino({ level: options.logLevel, base: null }, pino.destination(2));
  // Plugins that run as our children get no more of our environment than this.
  const delegateEnv = { PATH: process.env['PATH'] };
  const requests = new Requests(log, { concurrency: options.maxOperations, queueLength: QUEUE_LENGTH });
  requests.stateDirectories.set(options.cniDir, undefined);
  const server = new DaemonServer(requests, { socketDir: options.socketDir, delegateEnv });
  const ending = new AbortController();

  const retries = new RetryTimes();
  const reconcileAll = async (): Promise<void> => {
    for (const [cniDir, adopter] of requests.stateDirectories) {
      const runner = (searchPath: readonly string[]) => new LocalRunner({ searchPath, baseEnv: delegateEnv });
      await reconcile({ cniDir, adopter, runner, log, signal: ending.signal }, retries);
    }
  };

  log.info({ socket: await server.listen(), version: VERSION }, 'listening');
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
    void Promise.all([server.stop(), reconciling]).then(() => {
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
  .option('--socket-dir <dir>', 'directory of multus.sock', DEFAULT_SOCKET_DIR)
  .option('--cni-dir <dir>', 'state directory to look after from the start', DEFAULT_CNI_DIR)
  .option('--log-level <level>', LOG_LEVELS.join(', '), logLevel, 'info')
  .option('--max-operations <n>', 'operations of a kind (ADD; DEL and GC; the rest) that run at a time', positive, 32)
  .option('--reconcile-interval <seconds>', 'seconds between looks at the journal', positive, 60)
  .action(run);

program.parseAsync(process.argv).catch((error: Error) => {
  process.stderr.write(`multusd: ${error.message}\n`);
  process.exit(1);
});
