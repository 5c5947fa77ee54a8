/** Reads a folder of ordinary Kubernetes YAML and keeps the Pods and NetworkAttachmentDefinitions in it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { DefinitionRecord, PodRecord } from '../source.ts';

/** What the folder holds; `problems` are files and objects that could not be used, a line each. */
export interface Manifests {
  pods: Map<string, PodRecord>;
  definitions: Map<string, DefinitionRecord>;
  problems: string[];
}

/** Key of both maps. */
export function manifestKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function annotationsOf(metadata: unknown, where: string, problems: string[]): Record<string, string> {
  const annotations: Record<string, string> = {};
  for (const [key, value] of Object.entries(field(metadata, 'annotations') ?? {})) {
    if (typeof value === 'string') annotations[key] = value;
    else problems.push(`${where}: annotation "${key}" must be a string, got ${JSON.stringify(value)}; quote it`);
  }
  return annotations;
}

function addObject(object: unknown, where: string, into: Manifests): void {
  const kind = text(field(object, 'kind'));
  if (kind === 'List') {
    const items = field(object, 'items');
    if (Array.isArray(items)) {
      items.forEach((item, i) => {
        addObject(item, `${where}, items[${i}]`, into);
      });
    }
    return;
  }
  if (kind !== 'Pod' && kind !== 'NetworkAttachmentDefinition') return;
  const metadata = field(object, 'metadata');
  const name = text(field(metadata, 'name'));
  const namespace = text(field(metadata, 'namespace')) || 'default';
  if (name === '') {
    into.problems.push(`${where}: ${kind} has no metadata.name`);
    return;
  }
  const key = manifestKey(namespace, name);
  const label = `${where}: ${kind} ${key}`;
  const annotations = annotationsOf(metadata, label, into.problems);
  if (kind === 'Pod') {
    if (into.pods.has(key)) into.problems.push(`${label} is defined twice; the later one counts`);
    into.pods.set(key, { namespace, name, uid: text(field(metadata, 'uid')), annotations });
    return;
  }
  const config = field(field(object, 'spec'), 'config') ?? '';
  if (typeof config !== 'string') {
    into.problems.push(`${label}: spec.config must be a string of JSON, got ${JSON.stringify(config)}`);
    return;
  }
  if (into.definitions.has(key)) into.problems.push(`${label} is defined twice; the later one counts`);
  into.definitions.set(key, { namespace, name, config, annotations });
}

function addFile(path: string, into: Manifests): void {
  try {
    for (const document of parseAllDocuments(readFileSync(path, 'utf8'))) {
      const error = document.errors[0];
      if (error !== undefined) throw error;
      addObject(document.toJS(), path, into);
    }
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
  const manifests: Manifests = { pods: new Map(), definitions: new Map(), problems: [] };
  for (const path of manifestPaths(directory)) addFile(path, manifests);
  return manifests;
}
