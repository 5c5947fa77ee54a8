/**
 * Unary gRPC calls over a unix socket (github.com/grpc/grpc, PROTOCOL-HTTP2.md), on node:http2. The one service that
 * we call has small messages and a few calls a minute: no compression, no retries, no connection that is kept.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { quote } from '../../cni/quote.ts';

/** The server's own answer that it does not do it. Codes: google.golang.org/grpc/codes. */
export class GrpcStatusError extends Error {
  readonly code: number;
  /** The server's own words, whole. */
  readonly said: string;

  constructor(code: number, said: string) {
    super(`it answered with gRPC status ${code}${said === '' ? '' : `, ${quote(said)}`}`);
    this.code = code;
    this.said = said;
  }
}

/** In front of each message: a byte that says whether it is compressed, and its length. */
const PREFIX_BYTES = 5;

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function unframed(body: Buffer): Buffer {
  if (body.length < PREFIX_BYTES) throw new Error(`its answer ends after ${body.length} bytes`);
  if (body[0] !== 0) throw new Error('its answer is compressed, though nobody asked for that');
  const length = body.readUInt32BE(1);
  if (length !== body.length - PREFIX_BYTES) {
    throw new Error(`its answer says that it has ${length} bytes, it has ${body.length - PREFIX_BYTES}`);
  }
  return body.subarray(PREFIX_BYTES);
}

type Headers = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** grpc-message is percent-encoded. */
function statusMessage(headers: Headers): string {
  const text = String(headers['grpc-message'] ?? '');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @throws GrpcStatusError, or Error where the headers are not of a gRPC server */
function checkHeaders(headers: Headers): void {
  const status = headers['grpc-status'];
  if (status !== undefined && status !== '0') throw new GrpcStatusError(Number(status), statusMessage(headers));
  if (headers[':status'] !== undefined && headers[':status'] !== 200) {
    throw new Error(`it answered with HTTP status ${headers[':status']}`);
  }
}

/** Reads one answer off its stream. */
function answerOf(stream: ClientHttp2Stream, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status: unknown;
    const look = (headers: Headers): void => {
      status = headers['grpc-status'] ?? status;
      try {
        checkHeaders(headers);
      } catch (error) {
        reject(error);
      }
    };
    stream.once('response', look); // an answer without a message has its status here
    stream.once('trailers', look);
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes + PREFIX_BYTES) reject(new Error(`its answer has more than ${maxBytes} bytes`));
      else chunks.push(chunk);
    });
    stream.once('error', reject);
    stream.once('close', () => {
      if (status === undefined) reject(new Error('it ended the answer without a gRPC status'));
      else resolve(Buffer.concat(chunks));
    });
  });
}

export interface GrpcCallOptions {
  /** Larger answers are refused. */
  maxBytes: number;
  signal: AbortSignal;
}

/** A connection for a few calls. Close it when done. */
export class GrpcConnection {
  private readonly session: ClientHttp2Session;
  /** Why the connection broke: what its streams say of it is less. */
  private failure: Error | undefined;

  constructor(socketPath: string) {
    this.session = connect('http://localhost', { createConnection: () => connectSocket(socketPath) });
    this.session.on('error', (error) => {
      this.failure ??= error;
    });
  }

  /**
   * @param method `/package.Service/Method`
   * @throws GrpcStatusError; the signal's reason; Error whose message has the server for "it"
   */
  async call(method: string, request: Buffer, { maxBytes, signal }: GrpcCallOptions): Promise<Buffer> {
    signal.throwIfAborted();
    try {
      const stream = this.session.request(
        { ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers' },
        { signal },
      );
      const answer = answerOf(stream, maxBytes);
      stream.end(framed(request));
      return unframed(await answer);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof GrpcStatusError ? error : (this.failure ?? error);
    }
  }

  close(): void {
    this.session.destroy();
  }
}
