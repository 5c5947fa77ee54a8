/** Reads Pod and NetworkAttachmentDefinition objects, as an API server or a manifest has them. */
import { field, mappingAt, textAt } from './object-fields.ts';
import { podClaims } from './resource-objects.ts';
import type { DefinitionRecord, PodRecord, WatchedPod } from './source.ts';

/** Key of what has a namespace. */
export function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** @param wanted left out: all. @throws TypeError naming the annotation */
function annotationsOf(object: unknown, wanted?: readonly string[]): Record<string, string> {
  const annotations = mappingAt(field(object, 'metadata'), 'annotations', 'metadata.annotations');
  const keys = wanted?.filter((key) => key in annotations) ?? Object.keys(annotations);
  return Object.fromEntries(keys.map((key) => [key, textAt(annotations, key, `annotation "${key}"`)]));
}

/** @param wanted annotations to keep; left out: all. @throws TypeError naming the field */
export function podRecord(object: unknown, namespace: string, name: string, wanted?: readonly string[]): PodRecord {
  const uid = textAt(field(object, 'metadata'), 'uid', 'metadata.uid');
  return { namespace, name, uid, annotations: annotationsOf(object, wanted), claims: podClaims(object) };
}

/** @param wanted annotations to keep. @throws TypeError naming the field */
export function watchedPod(object: unknown, namespace: string, name: string, wanted: readonly string[]): WatchedPod {
  const metadata = field(object, 'metadata');
  return {
    ...podRecord(object, namespace, name, wanted),
    phase: textAt(field(object, 'status'), 'phase', 'status.phase'),
    hostNetwork: field(field(object, 'spec'), 'hostNetwork') === true,
    isDeleting: textAt(metadata, 'deletionTimestamp', 'metadata.deletionTimestamp') !== '',
    resourceVersion: textAt(metadata, 'resourceVersion', 'metadata.resourceVersion'),
  };
}

/** @param wanted annotations to keep; left out: all. @throws TypeError naming the field */
export function definitionRecord(
  object: unknown,
  namespace: string,
  name: string,
  wanted?: readonly string[],
): DefinitionRecord {
  const config = textAt(field(object, 'spec'), 'config', 'spec.config');
  return { namespace, name, config, annotations: annotationsOf(object, wanted) };
}
