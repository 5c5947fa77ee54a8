/** A pod's devices from the kubelet's PodResources socket. Loads node:http2: import it when there is a socket. */
import { setTimeout as delay } from 'node:timers/promises';
import { CniCode, CniError } from '../../cni/errors.ts';
import type { DeviceSets, KubeletPod } from './device-sets.ts';
import { GrpcConnection, GrpcStatusError } from './grpc-connection.ts';
import { decodePodResources, encodeGetRequest } from './pod-resources-messages.ts';

const SERVICE = '/v1.PodResourcesLister';
/** As large as the kubelet's clients commonly allow: List answers for all pods of the node. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** google.golang.org/grpc/codes */
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;

/** The kubelet answers 100 requests a second, and refuses those beyond. */
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

/** Sockets of kubelets that do not have Get (older than 1.27, or with the feature switched off). */
const withoutGet = new Set<string>();

async function callPatiently(
  connection: GrpcConnection,
  method: string,
  request: Buffer,
  signal: AbortSignal,
): Promise<Buffer> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await connection.call(`${SERVICE}/${method}`, request, { maxBytes: MAX_ANSWER_BYTES, signal });
    } catch (error) {
      if (!(error instanceof GrpcStatusError) || error.code !== RESOURCE_EXHAUSTED) throw error;
      await delay(wait, undefined, { signal }).catch(() => {
        throw error; // says more than that the time is over
      });
    }
  }
}

/** Get where the kubelet has it, else List. @throws what made it impossible, with the kubelet for "it" */
async function ask(
  connection: GrpcConnection,
  pod: KubeletPod,
  socket: string,
  signal: AbortSignal,
): Promise<DeviceSets> {
  let refusal: GrpcStatusError | undefined;
  if (!withoutGet.has(socket)) {
    try {
      const answer = await callPatiently(connection, 'Get', encodeGetRequest(pod), signal);
      const devices = decodePodResources(answer, pod, `answer of the kubelet at ${socket} to Get`);
      if (devices !== undefined) return devices;
    } catch (error) {
      if (!(error instanceof GrpcStatusError) || error.code === RESOURCE_EXHAUSTED) throw error;
      refusal = error;
    }
  }
  const answer = await callPatiently(connection, 'List', Buffer.alloc(0), signal);
  const devices = decodePodResources(answer, pod, `answer of the kubelet at ${socket} to List`);
  // A kubelet that refuses Get for a pod that it has refuses it for every pod, whatever status it gives for that.
  if (refusal?.code === UNIMPLEMENTED || (refusal !== undefined && devices !== undefined)) withoutGet.add(socket);
  if (devices === undefined) throw new Error('it does not have the pod');
  return devices;
}

/**
 * Ask the kubelet for the devices of one pod.
 * @param deadlineMs after which the kubelet counts as not answering
 * @throws CniError 11 naming socket and reason, 6 when the answer cannot be read; the signal's reason
 */
export async function readPodResources(
  pod: KubeletPod,
  socket: string,
  signal: AbortSignal,
  deadlineMs: number,
): Promise<DeviceSets> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const connection = new GrpcConnection(socket);
  try {
    return await ask(connection, pod, socket, AbortSignal.any([signal, deadline]));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CniError) throw error;
    const isLate = deadline.aborted && !(error instanceof GrpcStatusError);
    const reason = isLate ? `it did not answer within ${deadlineMs} ms` : (error as Error).message;
    throw new CniError(
      CniCode.tryAgainLater,
      `Cannot ask the kubelet at ${socket} for the devices of pod ${pod.namespace}/${pod.name}: ${reason}`,
      { cause: error },
    );
  } finally {
    connection.close();
  }
}
