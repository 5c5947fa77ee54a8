/** Reads a folder of ordinary Kubernetes YAML and keeps the Pods and NetworkAttachmentDefinitions in it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { show } from '../../cni/quote.ts';
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

/** A member that must be a string; absent or null reads as ''. @param path names it in the error */
function textAt(object: unknown, key: string, path: string): string {
  const value = field(object, key) ?? '';
  if (typeof value !== 'string') throw new TypeError(`${path} must be a string, got ${show(value)}; quote it`);
  return value;
}

function annotationsOf(metadata: unknown): Record<string, string> {
  const annotations = field(metadata, 'annotations') ?? {};
  if (typeof annotations !== 'object' || Array.isArray(annotations)) {
    throw new TypeError(`metadata.annotations must be a mapping, got ${show(annotations)}`);
  }
  const keys = Object.keys(annotations);
  return Object.fromEntries(keys.map((key) => [key, textAt(annotations, key, `annotation "${key}"`)]));
}

function addItems(list: unknown, where: string, into: Manifests): void {
  const items = field(list, 'items');
  if (!Array.isArray(items)) {
    into.problems.push(`${where}: List: items must be a list, got ${show(items)}`);
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
  if (kind !== 'Pod' && kind !== 'NetworkAttachmentDefinition') return;
  const metadata = field(object, 'metadata');
  let label = `${where}: ${kind}`;
  try {
    const name = textAt(metadata, 'name', 'metadata.name');
    if (name === '') throw new TypeError('metadata.name is missing');
    const namespace = textAt(metadata, 'namespace', 'metadata.namespace') || 'default';
    const key = manifestKey(namespace, name);
    label += ` ${key}`;
    const kept: Map<string, unknown> = kind === 'Pod' ? into.pods : into.definitions;
    if (kept.delete(key)) into.problems.push(`${label} is defined twice; the later one counts`);
    const annotations = annotationsOf(metadata);
    if (kind === 'Pod') {
      into.pods.set(key, { namespace, name, uid: textAt(metadata, 'uid', 'metadata.uid'), annotations });
    } else {
      const config = textAt(field(object, 'spec'), 'config', 'spec.config');
      into.definitions.set(key, { namespace, name, config, annotations });
    }
  } catch (error) {
    into.problems.push(`${label}: ${(error as Error).message}`);
  }
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
