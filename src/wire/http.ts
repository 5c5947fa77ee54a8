/**
 * The HTTP side of the daemon's socket, as Multus's shim and controllers speak it (`POST /cni`), with our own headers
 * for a shim that offers to execute.
 */

/** Socket file inside `daemonSocketDir`. */
export const SOCKET_NAME = 'multus.sock';
export const DEFAULT_SOCKET_DIR = '/run/multus';

/** Number of a request; a standalone program that runs it anew gets it as MULTUS_OPERATION. */
export const OPERATION_HEADER = 'x-multus-operation';
/** Inode of the shim's PID namespace: its process numbers mean something to us only when it is ours. */
export const PIDNS_HEADER = 'x-multus-pidns';

/** Larger request bodies are refused: a CNI configuration has a few kilobytes. */
export const MAX_BODY = 32 * 1024 * 1024;

export interface WireRequest {
  env: Record<string, string>;
  /** The CNI configuration, its bytes. */
  config: Buffer;
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === 'string')
  );
}

/** Parse the body of `POST /cni`. @throws TypeError naming the field that is wrong */
export function parseWireRequest(body: Buffer): WireRequest {
  let value: { env?: unknown; config?: unknown };
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw new TypeError('Cannot read the request body: it is not JSON'); // the reason would quote it
  }
  const { env, config } = value ?? {};
  if (!isStringRecord(env)) throw new TypeError('Cannot read the request body: "env" must be an object of strings');
  const encoded = config ?? '';
  const decoded = Buffer.from(typeof encoded === 'string' ? encoded : '', 'base64');
  // Node's decoder skips what is not base64 and stops at "=": the configuration would be another one.
  if (decoded.toString('base64') !== encoded) {
    throw new TypeError('Cannot read the request body: "config" must be a base64 string');
  }
  return { env, config: decoded };
}

/** Body of a successful ADD for a caller that does not speak frames; other commands answer with an empty body. */
export function formatWireResult(result: string): string {
  return result === '' ? '' : `{"Result":${result}}`;
}
