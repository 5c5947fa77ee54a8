/**
 * A request of a shim of ours, told from all others by its first bytes and read without Node's HTTP server: that costs as
 * much as a third of an ADD. Whatever is not exactly what our shims send is the server's.
 */
import { EXEC_PROTOCOL } from '../wire/frames.ts';
import { MAX_BODY, OPERATION_HEADER, PIDNS_HEADER } from '../wire/http.ts';

export interface ShimRequest {
  operation: string;
  /** As the shim says, '' when it says nothing. */
  pidNamespace: string;
  bodyLength: number;
  /** What followed the head. */
  rest: Buffer;
}

const FIRST_LINE = 'POST /cni HTTP/1.1\r\n';
const END = '\r\n\r\n';

/** A head is sent at once, and far shorter. */
const MAX_HEAD = 2048;

/** undefined when these bytes do not begin with the whole head of such a request. */
export function readShimRequest(received: Buffer): ShimRequest | undefined {
  const start = received.toString('latin1', 0, MAX_HEAD);
  const end = start.indexOf(END);
  if (end < 0 || !start.startsWith(FIRST_LINE)) return undefined;
  const headers = new Map<string, string>();
  for (const line of start.slice(FIRST_LINE.length, end).split('\r\n')) {
    const [, name, value] = /^([\w-]+): ([ -~]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return undefined;
    headers.set(name.toLowerCase(), value);
  }
  const length = headers.get('content-length') ?? '';
  const bodyLength = Number(length);
  if (headers.get('upgrade') !== EXEC_PROTOCOL || headers.get('connection') !== 'Upgrade') return undefined;
  if (!/^\d{1,8}$/.test(length) || bodyLength > MAX_BODY || headers.has('transfer-encoding')) return undefined;
  return {
    operation: headers.get(OPERATION_HEADER) ?? '',
    pidNamespace: headers.get(PIDNS_HEADER) ?? '',
    bodyLength,
    rest: received.subarray(end + END.length),
  };
}
