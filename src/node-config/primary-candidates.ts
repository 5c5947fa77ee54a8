/**
 * The network configurations of a folder, by the use that a node may make of them: which one of them could be the
 * primary, and why the others cannot.
 */
import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { loadConfFile } from '../cluster/conf-files.ts';
import type { NetworkConfig } from '../cni/config.ts';
import { isWrapper } from '../pod/node-config.ts';

/** What Multus takes for a primary; the runtimes read .json, too, which no network's own agent writes. */
const EXTENSIONS = ['.conf', '.conflist'];

/** Multus's files and ours, whatever they hold. */
const OWN_PREFIX = '00-multus';

/** Behind the name of every file that Cilium puts out of the way when `cni.exclusive` is set, its default. */
export const CILIUM_SUFFIX = '.cilium_bak';

/** A file that could be the primary. */
export interface Candidate {
  /** Its name in the folder. */
  file: string;
  /** undefined: it cannot be used at the moment; whoever loads it is told why. */
  network: NetworkConfig | undefined;
}

export interface FolderContent {
  /** By file name, as a runtime reads them. */
  candidates: Candidate[];
  /** `<file>: <why it is none>`, without the files that no runtime reads. */
  others: string[];
  /** Names of files that Cilium renamed. */
  renamed: string[];
}

export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // gone meanwhile, or a link that leads nowhere
  }
}

/** undefined when it cannot be used; whoever loads it is told why. */
export function loadIfUsable(path: string): NetworkConfig | undefined {
  try {
    return loadConfFile(path);
  } catch {
    return undefined;
  }
}

/** podman makes a bridge of its own for every network: `cni-podman0` and so on. */
function isPodmanBridge({ plugins }: NetworkConfig): boolean {
  return plugins.some(({ type, config }) => {
    const bridge = config.value('bridge');
    return type === 'bridge' && typeof bridge === 'string' && bridge.startsWith('cni-podman');
  });
}

/**
 * Why a file is not the node's network, although a runtime would take it for that: it belongs to a program of its own, or
 * is what a distribution's package puts there so that there is something.
 */
function reasonAgainst(file: string, network: NetworkConfig | undefined, ownType: string): string | undefined {
  if (network !== undefined && isWrapper(network, ownType)) return 'it is one of us under another name';
  if (network?.plugins.every(({ type }) => type === 'loopback')) return 'it has the loopback interface only';
  if (/^\d+-podman/.test(file) || network?.name === 'podman') return "it is podman's";
  if (network !== undefined && isPodmanBridge(network)) return "it is podman's";
  if (/^\d+-crio(-ipv[46])?-bridge\./.test(file) || network?.name === 'crio') return 'it is the example of CRI-O';
  return undefined;
}

/**
 * @param ownType the `type` under which the runtime knows us
 * @throws system errors of readdir
 */
export function readPrimaryFolder(folder: string, ownType: string): FolderContent {
  const content: FolderContent = { candidates: [], others: [], renamed: [] };
  for (const file of readdirSync(folder).sort()) {
    if (file.endsWith(CILIUM_SUFFIX)) content.renamed.push(file);
    if (file.startsWith(OWN_PREFIX) || !EXTENSIONS.includes(extname(file)) || !isFile(join(folder, file))) continue;
    const network = loadIfUsable(join(folder, file));
    const reason = reasonAgainst(file, network, ownType);
    if (reason === undefined) content.candidates.push({ file, network });
    else content.others.push(`${file}: ${reason}`);
  }
  return content;
}
