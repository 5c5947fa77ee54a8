/** The objects of a folder of deploy/, as `kubectl apply -k` sends them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { must } from '../../lab/process.ts';
import { goTool } from '../../tools/go/build.mjs';

export const DEPLOY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'deploy');

// biome-ignore lint/suspicious/noExplicitAny: objects of any kind
export type Manifest = any;

/**
 * @param folder below deploy/, or what a kustomization.yaml of a user says
 * @throws Error with what kustomize says
 */
export async function render(folder: string | object): Promise<Manifest[]> {
  if (typeof folder === 'string') return build(join(DEPLOY, folder));
  const scratch = mkdtempSync(join(tmpdir(), 'kustomization-'));
  try {
    writeFileSync(join(scratch, 'kustomization.yaml'), JSON.stringify(pathsFrom(scratch, folder)));
    return await build(scratch);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** The objects of a kustomization. @throws Error with what kustomize says */
export async function build(folder: string): Promise<Manifest[]> {
  const text = await must(await goTool('kustomize'), 'build', folder);
  return parseAllDocuments(text).map((document) => document.toJS());
}

/** kustomize takes no absolute paths. */
function pathsFrom(folder: string, kustomization: object): object {
  const lists = Object.entries(kustomization as Record<string, string[]>);
  return Object.fromEntries(lists.map(([key, paths]) => [key, paths.map((path) => relative(folder, path))]));
}

/** The one object of its kind, and name. @throws Error when there is none or are several */
export function only(objects: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = objects.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind} ${name ?? ''}`);
  return found[0];
}
