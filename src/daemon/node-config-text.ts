/** What the node's configuration has to be now: made from the primary one, or a copy of a file. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { loadConfFile } from '../cluster/conf-files.ts';
import { parseNetworkConfig } from '../cni/config.ts';
import { CniCode, CniError } from '../cni/errors.ts';
import { quote } from '../cni/quote.ts';
import { decodeUtf8, RawObject } from '../cni/raw-json.ts';
import { checkSupported } from '../cni/versions.ts';
import { writeWholeFile } from '../node/whole-file.ts';
import { ConfigKeys } from '../pod/config-keys.ts';
import { formatNodeConfig, NODE_CONFIG_NAME } from '../pod/node-config.ts';
import { PrimaryChoice, wrappedPrimary } from './primary-choice.ts';

/** The part of the daemon's configuration that says how the node's configuration comes about. */
export interface NodeConfigSettings {
  /** `multusConfigFile`: "auto" = made from the primary one, else the file to copy. */
  configFile: string;
  /** `cniConfigDir`: where the runtime reads. */
  cniConfigDir: string;
  /** `multusAutoconfigDir`: where the primary configuration is. */
  autoconfigDir: string;
  /** `multusMasterCNI`: name of its file, '' = the first by name. */
  masterCNI: string;
  /** `forceCNIVersion`: the primary's file is given the daemon's `cniVersion`. */
  forceCNIVersion: boolean;
  /** `readinessindicatorfile`: there is no default network before it is there. '' when unset. */
  readinessIndicatorFile: string;
  /** The daemon's configuration as written: what the made file takes over. */
  source: RawObject;
}

/** The text, or why there can be none at the moment. */
export type NodeConfigText = { text: string; from: string } | { text: undefined; reason: string };

export interface NodeConfigOrigin {
  /** The file that the runtime reads. */
  target: string;
  /** Where changes are to be looked for. */
  folders: string[];
  /**
   * @param now milliseconds of a clock that only goes forward
   * @throws CniError when what is there cannot be used
   */
  text(now: number): Promise<NodeConfigText>;
}

function invalid(reason: string): CniError {
  return new CniError(CniCode.invalidConfig, `Cannot use the daemon's configuration: ${reason}`);
}

/** Multus rewrites the primary's file for this key; here, only its `cniVersion`, and the file is never half written. */
async function forceVersion(path: string, version: string): Promise<void> {
  const what = `CNI configuration file ${path}`;
  const config = RawObject.parse(decodeUtf8(readFileSync(path), what), what);
  if (config.value('cniVersion') === version) return;
  await writeWholeFile(path, config.with({ cniVersion: JSON.stringify(version) }).text, statSync(path).mode & 0o777);
}

function made(settings: NodeConfigSettings): NodeConfigOrigin {
  const { cniConfigDir, autoconfigDir, masterCNI, forceCNIVersion, source } = settings;
  const target = join(cniConfigDir, NODE_CONFIG_NAME);
  const version = new ConfigKeys(source, "the daemon's configuration").text('cniVersion', '');
  if (autoconfigDir === '') throw invalid('"multusConfigFile" is "auto", which needs "multusAutoconfigDir"');
  if (masterCNI === NODE_CONFIG_NAME) throw invalid(`"multusMasterCNI" ${quote(masterCNI)} is the file that is made`);
  if (forceCNIVersion && version === '') throw invalid('"forceCNIVersion" needs "cniVersion"');
  if (version !== '') checkSupported(version, "the daemon's configuration");
  const primary = new PrimaryChoice(autoconfigDir, masterCNI, wrappedPrimary(target));
  return {
    target,
    folders: [autoconfigDir, cniConfigDir],
    async text(now) {
      const found = primary.find(now);
      if (found.path === undefined) return { text: undefined, reason: found.reason };
      if (forceCNIVersion) await forceVersion(found.path, version);
      return { text: formatNodeConfig(loadConfFile(found.path), found.path, source), from: found.path };
    },
  };
}

function copied({ configFile, cniConfigDir }: NodeConfigSettings): NodeConfigOrigin {
  return {
    target: join(cniConfigDir, basename(configFile)),
    folders: [dirname(configFile), cniConfigDir],
    async text() {
      const what = `CNI configuration file ${configFile}`;
      const text = readText(configFile, what);
      parseNetworkConfig(text, what); // what no runtime can read must not take the place of what it can
      return { text, from: configFile };
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

/** @throws CniError 7 when the settings contradict each other, 1 for a version that is not supported */
export function nodeConfigOrigin(settings: NodeConfigSettings): NodeConfigOrigin {
  const origin = settings.configFile === 'auto' ? made(settings) : copied(settings);
  const indicator = settings.readinessIndicatorFile;
  if (indicator === '') return origin;
  return {
    target: origin.target,
    folders: [...origin.folders, dirname(indicator)],
    async text(now) {
      if (existsSync(indicator)) return origin.text(now);
      return { text: undefined, reason: `"readinessindicatorfile" ${indicator} is not there` };
    },
  };
}
