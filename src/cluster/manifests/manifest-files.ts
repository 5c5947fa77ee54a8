/** Reads a folder of ordinary Kubernetes YAML and keeps the objects in it that tell about networks and their devices. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from '../../cni/quote.ts';
import { field, textAt } from '../object-fields.ts';
import { definitionRecord, objectKey, podRecord } from '../record-objects.ts';
import { resourceClaim, resourceSlice } from '../resource-objects.ts';
import type { DefinitionRecord, PodRecord, ResourceClaimRecord, ResourceSliceRecord } from '../source.ts';
import { readYaml } from './kubectl-yaml.ts';

/** What the folder holds; `problems` are files and objects that could not be used, a line each. */
export interface Manifests {
  pods: Map<string, PodRecord>;
  definitions: Map<string, DefinitionRecord>;
  claims: Map<string, ResourceClaimRecord>;
  /** Without namespace. */
  slices: Map<string, ResourceSliceRecord>;
  problems: string[];
}

/** How objects of a kind are kept. */
interface Shelf<T> {
  kept: Map<string, T>;
  read: (object: unknown, namespace: string, name: string) => T;
  isClusterScoped?: boolean;
}

/** undefined for a kind that is of no use to us. */
function shelfFor(kind: unknown, manifests: Manifests): Shelf<unknown> | undefined {
  switch (kind) {
    case 'Pod':
      return { kept: manifests.pods, read: podRecord };
    case 'NetworkAttachmentDefinition':
      return { kept: manifests.definitions, read: definitionRecord };
    case 'ResourceClaim':
      return { kept: manifests.claims, read: resourceClaim };
    case 'ResourceSlice':
      return { kept: manifests.slices, read: (object, _, name) => resourceSlice(object, name), isClusterScoped: true };
    default:
      return undefined;
  }
}

function addItems(list: unknown, where: string, into: Manifests): void {
  const items = field(list, 'items');
  if (!Array.isArray(items)) {
    into.problems.push(`${where}: List: items must be a list, got ${describe(items)}`);
    return;
  }
  items.forEach((item, i) => {
    addObject(item, `${where}, items[${i}]`, into);
  });
}

/** An object that cannot be used is left out: a pod without the annotation that is wrong would get no network. */
function addObject(object: unknown, where: string, into: Manifests): void {
  const kind = field(object, 'kind');
  if (kind === 'List') addItems(object, where, into);
  const shelf = shelfFor(kind, into);
  if (shelf === undefined) return;
  const metadata = field(object, 'metadata');
  let label = `${where}: ${kind}`;
  try {
    const name = textAt(metadata, 'name', 'metadata.name');
    if (name === '') throw new TypeError('metadata.name is missing');
    const namespace = textAt(metadata, 'namespace', 'metadata.namespace') || 'default';
    const key = shelf.isClusterScoped === true ? name : objectKey(namespace, name);
    label += ` ${key}`;
    if (shelf.kept.delete(key)) into.problems.push(`${label} is defined twice; the later one counts`);
    shelf.kept.set(key, shelf.read(object, namespace, name));
  } catch (error) {
    into.problems.push(`${label}: ${(error as Error).message}`);
  }
}

function addFile(path: string, into: Manifests): void {
  try {
    for (const document of readYaml(readFileSync(path, 'utf8'))) addObject(document.toJS(), path, into);
  } catch (error) {
    into.problems.push(`${path}: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** Paths of the manifest files in a folder, by name; not its sub-folders. @throws system errors of readdir. */
function manifestPaths(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith('.'))
    .sort()
    .map((name) => join(directory, name));
}

/** Changes when a file of the folder is added, removed or written. @throws system errors of readdir. */
export function manifestsStamp(directory: string): string {
  return manifestPaths(directory)
    .map((path) => {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return `${path} ${stat?.mtimeNs} ${stat?.size} ${stat?.ino}`;
    })
    .join('\n');
}

/** Read the folder. @throws system errors of readdir; a bad file is a `problem`, not an error. */
export function readManifests(directory: string): Manifests {
  const manifests: Manifests = {
    pods: new Map(),
    definitions: new Map(),
    claims: new Map(),
    slices: new Map(),
    problems: [],
  };
  for (const path of manifestPaths(directory)) addFile(path, manifests);
  return manifests;
}
