/** Readers for fields of Kubernetes objects, as JSON or YAML gives them: each returns the value or refuses it by its path. */
import { describe } from '../cni/quote.ts';

/** undefined where there is no object, or no such member. */
export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** A member that must be a string; absent or null reads as ''. @param path names it in the error @throws TypeError */
export function textAt(object: unknown, key: string, path: string): string {
  const value = field(object, key) ?? '';
  if (typeof value !== 'string') throw new TypeError(`${path} must be a string, got ${describe(value)}; quote it`);
  return value;
}

/** A member that must be a list; absent or null reads as []. @throws TypeError */
export function listAt(object: unknown, key: string, path: string): unknown[] {
  const value = field(object, key) ?? [];
  if (!Array.isArray(value)) throw new TypeError(`${path} must be a list, got ${describe(value)}`);
  return value;
}

/** A member that must be a mapping; absent or null reads as {}. @throws TypeError */
export function mappingAt(object: unknown, key: string, path: string): Record<string, unknown> {
  const value = field(object, key) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new TypeError(`${path} must be a mapping, got ${describe(value)}`);
  }
  return value as Record<string, unknown>;
}
