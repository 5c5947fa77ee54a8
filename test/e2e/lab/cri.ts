/** The kubelet's side of the CRI (k8s.io/cri-api/pkg/apis/runtime/v1/api.proto): what of it starts and ends sandboxes. */
import { GrpcConnection, GrpcStatusError } from '../../../src/node/kubelet/grpc-connection.ts';
import { decode, encode, type Message, type Schema } from './protobuf.ts';

const METADATA: Schema = { name: [1, 'string'], uid: [2, 'string'], namespace: [3, 'string'], attempt: [4, 'number'] };
const SANDBOX_ID: Schema = { pod_sandbox_id: [1, 'string'] };
const NAMESPACES: Schema = { network: [1, 'number'], pid: [2, 'number'], ipc: [3, 'number'] };
const SANDBOX_CONFIG: Schema = {
  metadata: [1, METADATA],
  hostname: [2, 'string'],
  log_directory: [3, 'string'],
  dns_config: [4, { servers: [1, ['string']], searches: [2, ['string']], options: [3, ['string']] }],
  port_mappings: [
    5,
    [{ protocol: [1, 'number'], container_port: [2, 'number'], host_port: [3, 'number'], host_ip: [4, 'string'] }],
  ],
  labels: [6, 'map'],
  annotations: [7, 'map'],
  linux: [8, { cgroup_parent: [1, 'string'], security_context: [2, { namespace_options: [1, NAMESPACES] }] }],
};
const CONDITION: Schema = { type: [1, 'string'], status: [2, 'number'], reason: [3, 'string'], message: [4, 'string'] };
const SANDBOX: Schema = {
  id: [1, 'string'],
  metadata: [2, METADATA],
  state: [3, 'number'],
  labels: [5, 'map'],
  annotations: [6, 'map'],
};
const SANDBOX_STATUS: Schema = {
  id: [1, 'string'],
  metadata: [2, METADATA],
  state: [3, 'number'],
  network: [5, { ip: [1, 'string'], additional_ips: [2, [{ ip: [1, 'string'] }]] }],
};

const METHODS = {
  Version: [{ version: [1, 'string'] }, { runtime_name: [2, 'string'], runtime_version: [3, 'string'] }],
  Status: [{ verbose: [1, 'number'] }, { status: [1, { conditions: [1, [CONDITION]] }], info: [2, 'map'] }],
  RunPodSandbox: [{ config: [1, SANDBOX_CONFIG] }, SANDBOX_ID],
  StopPodSandbox: [SANDBOX_ID, {}],
  RemovePodSandbox: [SANDBOX_ID, {}],
  PodSandboxStatus: [
    { ...SANDBOX_ID, verbose: [2, 'number'] },
    { status: [1, SANDBOX_STATUS], info: [2, 'map'] },
  ],
  ListPodSandbox: [{}, { items: [1, [SANDBOX]] }],
} as const satisfies Record<string, readonly [Schema, Schema]>;

/** As the kubelet's `runtimeRequestTimeout`, doubled for RunPodSandbox as there. */
const TIMEOUT_MS = 240_000;
const MAX_BYTES = 16 << 20;

/**
 * @param socket of the runtime
 * @throws Error with the runtime's own message, or saying why it could not be asked
 */
export async function callRuntime(
  socket: string,
  method: keyof typeof METHODS,
  request: Message = {},
  timeoutMs = TIMEOUT_MS,
): Promise<Message> {
  const [input, output] = METHODS[method];
  const connection = new GrpcConnection(socket);
  try {
    const options = { maxBytes: MAX_BYTES, signal: AbortSignal.timeout(timeoutMs) };
    const path = `/runtime.v1.RuntimeService/${method}`;
    return decode(output, await connection.call(path, encode(input, request), options));
  } catch (error) {
    throw error instanceof GrpcStatusError ? new Error(error.said, { cause: error }) : error;
  } finally {
    connection.close();
  }
}
