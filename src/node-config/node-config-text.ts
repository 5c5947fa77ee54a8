/** What the node's configuration has to be now: made from the primary one, or a copy of a file. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { loadConfFile } from '../cluster/conf-files.ts';
import { parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { quote } from '../cni/quote.ts';
import { decodeUtf8, RawObject } from '../cni/raw-json.ts';
import { SUPPORTED_VERSIONS } from '../cni/versions.ts';
import { writeWholeFile } from '../node/whole-file.ts';
import type { DaemonConfig } from '../pod/daemon-config.ts';
import { DEFAULT_TYPE, formatNodeConfig, NODE_CONFIG_NAME, OTHER_NODE_CONFIG_NAME } from '../pod/node-config.ts';
import { recordConfig, withdrawnReason } from './install-record.ts';
import { PrimaryChoice, wrappedPrimary } from './primary-choice.ts';
import { readPrimaryMemory, writePrimaryMemory } from './primary-memory.ts';
import { StartError } from './start-error.ts';

/** What the daemon's configuration says about the node's. */
export type NodeConfigSettings = Pick<
  DaemonConfig,
  | 'source'
  | 'cniVersion'
  | 'cniConfigDir'
  | 'multusConfigFile'
  | 'multusAutoconfigDir'
  | 'multusMasterCNI'
  | 'forceCNIVersion'
  | 'readinessIndicatorFile'
>;

/** What is not in its file. */
export interface NodeConfigContext {
  /** State directory: what was remembered of the primary, and whether the node was given back. */
  cniDir: string;
  /** The daemon has an API server. */
  kubernetes?: boolean;
  /** Only to say what the file would be: nothing is written. */
  isTrial?: boolean;
}

/** The text, with what an operator should know of it; or why there can be none at the moment. */
export type NodeConfigText = { text: string; from: string; remarks: string[] } | { text: undefined; reason: string };

export interface NodeConfigOrigin {
  /** The file that the runtime reads. */
  target: string;
  /** Another file that takes its place when it is one of us: removed once `target` is there. */
  replaces?: string;
  /** Where changes are to be looked for. */
  folders: string[];
  /**
   * @param now milliseconds of a clock that only goes forward
   * @throws CniError when what is there cannot be used
   */
  text(now: number): Promise<NodeConfigText>;
}

function invalid(reason: string): StartError {
  return new StartError(2, `Cannot start: ${reason}`);
}

/** Multus rewrites the primary's file for this key; here, only its `cniVersion`, and the file is never half written. */
async function forceVersion(path: string, version: string): Promise<void> {
  const what = `CNI configuration file ${path}`;
  const config = RawObject.parse(decodeUtf8(readFileSync(path), what), what);
  if (config.value('cniVersion') === version) return;
  await writeWholeFile(path, config.with({ cniVersion: JSON.stringify(version) }).text, statSync(path).mode & 0o777);
}

function typeOf(source: RawObject): string {
  const type = source.value('type');
  return typeof type === 'string' && type !== '' ? type : DEFAULT_TYPE;
}

function made(settings: NodeConfigSettings, context: NodeConfigContext): NodeConfigOrigin {
  const { cniConfigDir, multusAutoconfigDir, multusMasterCNI, forceCNIVersion, cniVersion, source } = settings;
  const target = join(cniConfigDir, NODE_CONFIG_NAME);
  if (multusMasterCNI === NODE_CONFIG_NAME) {
    throw invalid(`"multusMasterCNI" is ${quote(multusMasterCNI)}, the file that is made`);
  }
  if (forceCNIVersion && cniVersion === '') throw invalid('"forceCNIVersion" needs "cniVersion"');
  if (cniVersion !== '' && !SUPPORTED_VERSIONS.includes(cniVersion)) {
    throw invalid(`"cniVersion" must be one of ${SUPPORTED_VERSIONS.join(', ')}, got ${quote(cniVersion)}`);
  }
  const remembered = readPrimaryMemory(context.cniDir);
  const primary = new PrimaryChoice(multusAutoconfigDir, {
    master: multusMasterCNI,
    ownType: typeOf(source),
    remembered,
    wrapped: wrappedPrimary(target),
  });
  let written = JSON.stringify(remembered);
  /** @returns why it could not be: a node works without, until its next start */
  const remember = async (): Promise<string[]> => {
    const { memory } = primary;
    if (context.isTrial === true || memory === undefined || JSON.stringify(memory) === written) return [];
    try {
      await writePrimaryMemory(context.cniDir, memory);
      written = JSON.stringify(memory);
      return [];
    } catch (error) {
      return [`the primary cannot be remembered: ${(error as Error).message}`];
    }
  };
  return {
    target,
    replaces: join(cniConfigDir, OTHER_NODE_CONFIG_NAME),
    folders: [multusAutoconfigDir, cniConfigDir],
    async text(now) {
      const found = primary.find(now);
      if (found.path === undefined) return { text: undefined, reason: found.reason };
      const { path, remarks } = found;
      if (forceCNIVersion && context.isTrial !== true) await forceVersion(path, cniVersion);
      const text = formatNodeConfig(loadConfFile(path), path, source, context);
      return { text, from: path, remarks: [...remarks, ...(await remember())] };
    },
  };
}

function copied({ multusConfigFile: configFile, cniConfigDir }: NodeConfigSettings): NodeConfigOrigin {
  return {
    target: join(cniConfigDir, basename(configFile)),
    folders: [dirname(configFile), cniConfigDir],
    async text() {
      const what = `CNI configuration file ${configFile}`;
      const text = readText(configFile, what);
      parseNetworkConfig(text, what); // what no runtime can read must not take the place of what it can
      return { text, from: configFile, remarks: [] };
    },
  };
}

function readText(path: string, what: string): string {
  try {
    return decodeUtf8(readFileSync(path), what);
  } catch (error) {
    if (error instanceof CniError) throw error;
    throw new CniError(CniCode.ioFailure, `Cannot read ${what}: ${(error as Error).message}`, { cause: error });
  }
}

function originOf(settings: NodeConfigSettings, context: NodeConfigContext): NodeConfigOrigin | undefined {
  if (settings.multusConfigFile !== 'auto') return copied(settings);
  if (settings.multusAutoconfigDir !== '') return made(settings, context);
  if (settings.source.value('multusConfigFile') === 'auto') {
    throw invalid('"multusConfigFile" is "auto", which needs "multusAutoconfigDir"');
  }
  return undefined;
}

/** Why there must be no file for now, whatever the primary; undefined when nothing is against it. */
function obstacle({ readinessIndicatorFile }: NodeConfigSettings, { cniDir }: NodeConfigContext): string | undefined {
  const withdrawn = withdrawnReason(cniDir);
  if (withdrawn !== undefined || readinessIndicatorFile === '' || existsSync(readinessIndicatorFile)) return withdrawn;
  return `"readinessindicatorfile" ${readinessIndicatorFile} is not there`;
}

/**
 * @returns undefined when the node's configuration is nothing of the daemon's
 * @throws StartError 2 when the settings contradict each other
 */
export function nodeConfigOrigin(
  settings: NodeConfigSettings,
  context: NodeConfigContext,
): NodeConfigOrigin | undefined {
  const origin = originOf(settings, context);
  if (origin === undefined) return undefined;
  const indicator = settings.readinessIndicatorFile;
  return {
    ...origin,
    folders: [...origin.folders, ...(indicator === '' ? [] : [dirname(indicator)])],
    async text(now) {
      const reason = obstacle(settings, context);
      if (reason !== undefined) return { text: undefined, reason };
      const found = await origin.text(now);
      if (found.text !== undefined && context.isTrial !== true) await recordConfig(context.cniDir, origin.target);
      return found;
    },
  };
}
