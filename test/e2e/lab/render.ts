/** The objects of a folder of deploy/, as `kubectl apply -k` sends them. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { must } from '../../lab/process.ts';
import { goTool } from '../../tools/go/build.mjs';

export const DEPLOY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'deploy');

// biome-ignore lint/suspicious/noExplicitAny: objects of any kind
export type Manifest = any;

/** @param folder below deploy/, or absolute */
export async function render(folder: string): Promise<Manifest[]> {
  const text = await must(await goTool('kustomize'), 'build', folder.startsWith('/') ? folder : join(DEPLOY, folder));
  return parseAllDocuments(text).map((document) => document.toJS());
}

/** The one object of its kind, and name. @throws Error when there is none or are several */
export function only(objects: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = objects.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind} ${name ?? ''}`);
  return found[0];
}
