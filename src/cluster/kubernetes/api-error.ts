/** What an API server did not do for us, and why: in words for the operator, in fields for the program. */
import { field } from '../object-fields.ts';

export interface ApiErrorOptions extends ErrorOptions {
  /** Status.details.name of the answer: what it is that is not there. */
  objectName?: string;
  retryAfterMs?: number;
  isTold?: boolean;
}

export class ApiError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** '' where the answer names no object: then a 404 is about the kind of object. */
  readonly objectName: string;
  /** Milliseconds that the server asks to wait; 0 when it does not say. */
  readonly retryAfterMs: number;
  /** The reason is in the log already: nobody who meets it says it again. */
  readonly isTold: boolean;

  constructor(
    status: number,
    message: string,
    { objectName = '', retryAfterMs = 0, isTold = false, ...rest }: ApiErrorOptions = {},
  ) {
    super(message, rest);
    this.isTold = isTold;
    this.status = status;
    this.objectName = objectName;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What the cluster has no longer, or has never had. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}

/** An API server that lags behind, or was restored: it has not seen yet what another one told us. */
export function isTooNew(error: unknown): boolean {
  return error instanceof ApiError && error.status === 504 && /too large resource version/i.test(error.message);
}

/** Who may not do what comes late in the message of a 403. */
const LONGEST_MESSAGE = 300;

function hintOf(status: number): string {
  switch (status) {
    case 401:
      return ': it does not take our credentials';
    case 403:
      return ': our role does not allow it';
    case 429:
      return ': it has too much to do';
    default:
      return '';
  }
}

/** Seconds; a date is not used by API servers. */
export function retryAfterOf(header: string | undefined): number {
  const seconds = Number(header ?? '');
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1000 : 0;
}

/**
 * An answer that is no success.
 * @param what was asked, e.g. "GET /api/v1/…"
 * @param status HTTP status, or the code of a Status object in a watch
 * @param body a Status object, if the server is a Kubernetes API server
 */
export function refusalOf(what: string, status: number, body: unknown, retryAfterMs = 0): ApiError {
  const message = field(body, 'message');
  const said =
    typeof message === 'string' && message !== '' ? `: ${JSON.stringify(message.slice(0, LONGEST_MESSAGE))}` : '';
  const name = field(field(body, 'details'), 'name');
  const seconds = field(field(body, 'details'), 'retryAfterSeconds');
  return new ApiError(status, `the API server answers ${status} to ${what}${hintOf(status)}${said}`, {
    objectName: typeof name === 'string' ? name : '',
    retryAfterMs: retryAfterMs || (typeof seconds === 'number' ? retryAfterOf(String(seconds)) : 0),
  });
}
