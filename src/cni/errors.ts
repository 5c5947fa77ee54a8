/**
 * The errors that leave this program. 1–99 belong to the CNI specification (section 5, "Error": well-known codes);
 * 100 and above are ours. Every code is explained in docs/errors.md, and a test compares the two.
 */
import { foldKey } from './fold.ts';

export const CniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidConfig: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  pluginNotAvailable: 50,
  limitedConnectivity: 51,
  delegateFailed: 100,
  pluginNotFound: 101,
  verificationFailed: 102,
  deadlineExceeded: 103,
  alreadyAttached: 104,
  stateFailure: 105,
  cancelled: 106,
  internal: 999,
} as const;

export interface CniErrorOptions {
  /** The long message for the operator. @default '' */
  details?: string;
  /** What led to this error; kept for logs, never sent. */
  cause?: unknown;
}

/** An error that can be printed as a CNI error object. Callers test `code`, never the text. */
export class CniError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, options: CniErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details ?? '';
  }
}

// On the prototype, so that it does not appear among the fields of every logged error.
Object.defineProperty(CniError.prototype, 'name', { value: 'CniError', configurable: true, writable: true });

/** Gives any thrown value a code: a CniError stays itself, all else becomes the cause of a 999 with its message. */
export function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  return new CniError(CniCode.internal, messageOf(error), { cause: error });
}

function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) return error.message || error.name;
    return String(error);
  } catch {
    return 'unknown error';
  }
}

/**
 * Writes the error object of CNI section 5: `{"cniVersion", "code", "msg", "details"}`, the last one
 * only when it is not empty. A code that is not a positive integer cannot be sent and becomes 999.
 */
export function formatError(error: CniError, cniVersion: string): string {
  const code = Number.isSafeInteger(error.code) && error.code > 0 ? error.code : CniCode.internal;
  const details = error.details === '' ? {} : { details: error.details };
  return JSON.stringify({ cniVersion, code, msg: error.message, ...details });
}

/**
 * Reads the error object that a plugin printed on stdout.
 * Needs an integer `code` >= 0; absent `msg` and `details` read as ''. Never throws.
 * @returns undefined when the text is not such an object (a result, a stack trace, nothing).
 */
export function parseErrorObject(text: string): { code: number; msg: string; details: string } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const fields = new Map(Object.entries(parsed).map(([key, value]) => [foldKey(key), value as unknown]));
  const code = fields.get('code');
  const msg = fields.get('msg') ?? '';
  const details = fields.get('details') ?? '';
  if (typeof code !== 'number' || !Number.isSafeInteger(code) || code < 0) return undefined;
  if (typeof msg !== 'string' || typeof details !== 'string') return undefined;
  return { code, msg, details };
}
