/**
 * A kubelet that has nothing but the PodResources socket. Its messages are written from api.proto, not with what src/
 * has for them: so that a mistake made there is not made here too.
 */
import { mkdirSync } from 'node:fs';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';

export interface FakeContainer {
  /** Device ids by resource, each entry a message of its own. */
  devices?: [string, string[]][];
  /** CDI names by claim, a list for each of its devices. */
  claims?: [string, string[][]][];
}

export interface FakePod {
  namespace: string;
  name: string;
  containers: FakeContainer[];
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

/** A length-delimited field. */
export function delimited(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function message(...fields: Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** Fields that the kubelet fills and that say nothing of devices: cpu_ids, memory with topology. */
const OTHER_FIELDS = [delimited(3, Buffer.from([0, 1, 0x80, 1])), delimited(4, message(delimited(1, 'memory')))];

function containerResources({ devices = [], claims = [] }: FakeContainer): Buffer {
  return message(
    delimited(1, 'app'),
    ...devices.map(([resource, ids]) =>
      delimited(
        2,
        message(
          delimited(1, resource),
          ...ids.map((id) => delimited(2, id)),
          delimited(3, delimited(1, Buffer.from([8, 1]))),
        ),
      ),
    ),
    ...OTHER_FIELDS,
    ...claims.map(([claim, resources]) =>
      delimited(
        5,
        message(
          delimited(2, claim),
          delimited(3, 'prod'),
          ...resources.map((names) =>
            delimited(4, message(...names.map((name) => delimited(1, delimited(1, name))), delimited(2, 'driver'))),
          ),
        ),
      ),
    ),
  );
}

/** PodResources. */
export function podResources({ namespace, name, containers }: FakePod): Buffer {
  return message(
    delimited(1, name),
    delimited(2, namespace),
    ...containers.map((container) => delimited(3, containerResources(container))),
  );
}

/** GetPodResourcesResponse, or ListPodResourcesResponse of any number of pods. */
export function podResourcesAnswer(...pods: FakePod[]): Buffer {
  return message(...pods.map((pod) => delimited(1, podResources(pod))));
}

/** A gRPC message as it goes over HTTP/2. */
export function grpcFrame(content: Buffer, flag = 0, length = content.length): Buffer {
  const prefix = Buffer.from([flag, 0, 0, 0, 0]);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, content]);
}

const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

/** An answer with a message, and the status behind it. */
export function answerWith(
  stream: ServerHttp2Stream,
  body: Buffer,
  trailers: Record<string, string> = { 'grpc-status': '0' },
): void {
  stream.on('error', () => undefined); // the client may have had enough of it
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

/** An answer that is a status only. */
export function refuseWith(stream: ServerHttp2Stream, code: number, text: string): void {
  stream.respond(
    { ...GRPC, 'grpc-status': String(code), 'grpc-message': encodeURIComponent(text) },
    { endStream: true },
  );
}

/** What a real kubelet says of a pod that it does not have. */
const UNKNOWN = 2;
const UNIMPLEMENTED = 12;

export class FakeKubelet {
  /** What it was asked: "Get prod/web", "List". */
  readonly calls: string[] = [];
  pods: FakePod[] = [];
  /** Does it have Get? `disabled`: it does, and refuses it, as with the feature gate off. */
  get: 'here' | 'absent' | 'disabled' = 'here';
  /** Answers in its place when it returns true. */
  instead: (method: string, stream: ServerHttp2Stream) => boolean = () => false;
  private readonly server: Http2Server;
  private readonly sessions = new Set<ServerHttp2Session>();

  private constructor() {
    this.server = createServer();
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.once('close', () => this.sessions.delete(session));
    });
    this.server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => this.answer(String(headers[':path']), Buffer.concat(chunks), stream));
    });
  }

  /** A kubelet on `<kubeletDir>/pod-resources/kubelet.sock`. */
  static async start(kubeletDir: string): Promise<FakeKubelet> {
    const kubelet = new FakeKubelet();
    mkdirSync(join(kubeletDir, 'pod-resources'), { recursive: true });
    await new Promise<void>((resolve, reject) => {
      kubelet.server.once('error', reject);
      kubelet.server.listen(join(kubeletDir, 'pod-resources', 'kubelet.sock'), resolve);
    });
    return kubelet;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    for (const session of this.sessions) session.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.sessions.size;
  }

  private answer(path: string, request: Buffer, stream: ServerHttp2Stream): void {
    const method = path.replace('/v1.PodResourcesLister/', '');
    const [name = '', namespace = ''] = stringsOf(request.subarray(5));
    this.calls.push(method === 'Get' ? `Get ${namespace}/${name}` : method);
    if (this.instead(method, stream)) return;
    if (method === 'List') {
      answerWith(stream, grpcFrame(podResourcesAnswer(...this.pods)));
    } else if (method !== 'Get' || this.get === 'absent') {
      refuseWith(stream, UNIMPLEMENTED, `unknown method ${method}`);
    } else if (this.get === 'disabled') {
      refuseWith(stream, UNKNOWN, 'PodResources API Get method disabled');
    } else {
      const pod = this.pods.find((one) => one.name === name && one.namespace === namespace);
      if (pod === undefined) refuseWith(stream, UNKNOWN, `pod ${name} in namespace ${namespace} not found`);
      else answerWith(stream, grpcFrame(podResourcesAnswer(pod)));
    }
  }
}

/** The strings of a message that has nothing else, none longer than 127 bytes. */
function stringsOf(bytes: Buffer): string[] {
  const strings: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + (bytes[at + 1] ?? 0);
    strings.push(bytes.toString('utf8', at + 2, end));
    at = end;
  }
  return strings;
}
