/** `multus install --thin`: the file by which the runtime finds us, on a node where no daemon makes it. */
import { existsSync, readFileSync } from 'node:fs';
import type { Log } from '../attach/operation.ts';
import { RawObject } from '../cni/raw-json.ts';
import { NodeConfigFile } from '../node-config/node-config-file.ts';
import { type NodeConfigOrigin, nodeConfigOrigin } from '../node-config/node-config-text.ts';
import { readDaemonConfig } from '../node-config/read-daemon-config.ts';
import { parseDaemonConfig } from '../pod/daemon-config.ts';

export interface ThinOptions {
  /** A file with the keys of Multus's daemon-config.json. */
  config?: string;
  /** Folder of the runtime's configurations, the primary's among them. */
  confDir: string;
  cniDir: string;
  /** What the standalone program asks the API server with; the file then says that the node is one of a cluster. */
  kubeconfig?: string;
  dryRun?: boolean;
}

/** What the programs of the node go by. */
export interface ThinNode {
  origin: NodeConfigOrigin;
  cniDir: string;
  /** '' = the API server is not to be asked. */
  kubeconfig: string;
  /** Keys of the file that have no effect. */
  notes: string[];
}

/** What would be ignored without --thin. @throws Error naming the option */
export function checkThinOptions(options: {
  thin?: boolean;
  watch?: boolean;
  config?: string;
  kubeconfig?: string;
}): void {
  const alone = (['watch', 'config', 'kubeconfig'] as const).find((name) => options[name] !== undefined);
  if (options.thin !== true && alone !== undefined) throw new Error(`--${alone} needs --thin`);
}

/** What the file does not say, the options do. @throws Error, CniError when the file cannot be used */
export function readThinNode({ config, confDir, cniDir, kubeconfig, dryRun = false }: ThinOptions): ThinNode {
  const source = config === undefined ? undefined : readDaemonConfig(config)?.source;
  const cluster = kubeconfig === undefined ? {} : { kubeconfig, kubernetes: true };
  const defaults = { multusAutoconfigDir: confDir, cniConfigDir: confDir, cniDir, ...cluster };
  const missing = Object.entries(defaults).filter(([key]) => source?.has(key) !== true);
  const members = Object.fromEntries(missing.map(([key, value]) => [key, JSON.stringify(value)]));
  const whole = (source ?? RawObject.parse('{}', 'options')).with(members);
  const parsed = parseDaemonConfig(whole, config === undefined ? 'options' : `configuration ${config}`);
  const stateDirectory = parsed.cniDir || cniDir;
  const origin = nodeConfigOrigin(parsed, { cniDir: stateDirectory, isTrial: dryRun });
  if (origin === undefined) throw new Error('nothing is said about the node configuration'); // a folder is always set
  const credentials = (parsed.source.value('kubeconfig') ?? '') as string;
  return { origin, cniDir: stateDirectory, kubeconfig: credentials, notes: parsed.notes };
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** What the file would be. @returns what to print @throws CniError when there is nothing usable to make it from */
export async function tryThinConfig({ origin }: ThinNode): Promise<string> {
  const wanted = await origin.text(0);
  if (wanted.text === undefined) return `${origin.target} would not be written: ${wanted.reason}\n`;
  return `${origin.target} would wrap ${wanted.from}:\n${wanted.text}`;
}

/**
 * Write the file once.
 * @returns what to print
 * @throws Error, CniError when there is nothing to make it from, or it cannot be written; what was there stays
 */
export async function writeThinConfig(options: ThinOptions, log: Log): Promise<string> {
  const { origin } = readThinNode(options);
  const wanted = await origin.text(0);
  if (wanted.text === undefined) throw new Error(`Cannot write ${origin.target}: ${wanted.reason}`);
  await new NodeConfigFile(origin, log).look(0);
  // The file's keeper logs what fails, because it tries again.
  if (readIfThere(origin.target) !== wanted.text) throw new Error(`Cannot write ${origin.target}: the log says why`);
  return `${origin.target} wraps ${wanted.from}\n`;
}
