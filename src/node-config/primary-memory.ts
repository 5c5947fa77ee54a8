/**
 * `<cniDir>/.primary.json`: the node's primary configuration as it was when it had proved to be one. The name of its file
 * says too little: another file may come before it, and its agent may give it another name.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkConfig } from '../cni/config.ts';
import { makeFolder } from '../node/make-folder.ts';
import { writeWholeFile } from '../node/whole-file.ts';
import type { Candidate } from './primary-candidates.ts';

/** No container's ID begins with a dot. */
const FILE_NAME = '.primary.json';

export interface Identity {
  /** Name of the file in its folder. */
  file: string;
  /** Name of the network; '' when only the file is known. */
  name: string;
  /** Its plugins, in their order. */
  types: string[];
}

export interface RememberedPrimary extends Identity {
  folder: string;
}

export function identityOf(file: string, { name, plugins }: NetworkConfig): Identity {
  return { file, name, types: plugins.map(({ type }) => type) };
}

function isSameNetwork({ name, types }: Identity, { network }: Candidate): boolean {
  return name !== '' && network?.name === name && network.plugins[0]?.type === types[0];
}

/**
 * The remembered one among what is there. It may have got another file name, or, in its file, another content; a file
 * that is half written is still it.
 */
export function recognise(identity: Identity, candidates: readonly Candidate[]): Candidate | undefined {
  const sameFile = candidates.find(({ file }) => file === identity.file);
  if (sameFile !== undefined && (sameFile.network === undefined || isSameNetwork(identity, sameFile))) return sameFile;
  return candidates.find((one) => isSameNetwork(identity, one)) ?? sameFile;
}

/** @returns undefined when nothing, or nothing that can be used, is there */
export function readPrimaryMemory(cniDir: string): RememberedPrimary | undefined {
  try {
    const { folder, file, name, types } = JSON.parse(readFileSync(join(cniDir, FILE_NAME), 'utf8'));
    const texts: unknown[] = [folder, file, name, ...types];
    return texts.every((text) => typeof text === 'string') ? { folder, file, name, types } : undefined;
  } catch {
    return undefined; // a node that forgot chooses anew, as at its first start
  }
}

/** @throws CniError 5, system errors of mkdir */
export async function writePrimaryMemory(cniDir: string, primary: RememberedPrimary): Promise<void> {
  makeFolder(cniDir, 0o700);
  await writeWholeFile(join(cniDir, FILE_NAME), `${JSON.stringify(primary, null, 2)}\n`, 0o600);
}
