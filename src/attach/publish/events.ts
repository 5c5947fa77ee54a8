/** What events say of a pod. Reasons and texts that Multus has are Multus's: tools look for them. Pure. */
import type { PodEvent } from '../../cluster/source.ts';
import { CniCode, toCniError } from '../../cni/errors.ts';
import type { CniResult } from '../../cni/result.ts';
import type { PodIdentity } from '../../pod/identity.ts';
import { NetworkNotFoundError } from '../resolve/network-not-found.ts';

/** The API server takes no longer note. */
const LONGEST_MESSAGE = 1024;

/** A detach that failed as often is no matter of a moment any more. */
export const STUCK_AFTER = 3;

/** What an event is about. */
interface Attached {
  network: string;
  ifName: string;
}

/** Cut to so many bytes of UTF-8. */
function bounded(text: string, longest = LONGEST_MESSAGE): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= longest) return text;
  const cut = bytes.subarray(0, longest - Buffer.byteLength('…')).toString();
  return `${cut.replace(/\uFFFD+$/, '')}…`;
}

function event(pod: PodIdentity, type: PodEvent['type'], reason: string, message: string): PodEvent {
  return { ...pod, type, reason, message: bounded(message) };
}

/** As Multus tells it, with the addresses in their order. */
export function addedInterface(pod: PodIdentity, { network, ifName }: Attached, { ips }: CniResult): PodEvent {
  const addresses = ips.map(({ address }) => address).join(' ');
  return event(pod, 'Normal', 'AddedInterface', `Add ${ifName} [${addresses}] from ${network}`);
}

/** Of a pod that goes on without it. */
export function removedInterface(pod: PodIdentity, { network, ifName }: Attached): PodEvent {
  return event(pod, 'Normal', 'RemovedInterface', `Remove ${ifName} from ${network}`);
}

/**
 * Why a pod did not get its networks; undefined when nobody wants them any more. The message is what the runtime is told
 * too; what a plugin printed besides is not in it.
 * @param attached what failed, where that is one network
 */
export function attachFailed(pod: PodIdentity, thrown: unknown, attached?: Attached): PodEvent | undefined {
  if (thrown instanceof NetworkNotFoundError) {
    const { namespace, definition, reason } = thrown;
    const message = `cannot find a network-attachment-definition (${definition}) in namespace (${namespace}): ${reason}`;
    return event(pod, 'Warning', 'NoNetworkFound', message);
  }
  const { code, message } = toCniError(thrown);
  if (code === CniCode.cancelled) return undefined;
  const what = attached === undefined ? '' : `Add ${attached.ifName} from ${attached.network}: `;
  const end = ` (code ${code})`;
  const room = LONGEST_MESSAGE - Buffer.byteLength(what) - end.length;
  return event(pod, 'Warning', 'AttachFailed', `${what}${bounded(message, room)}${end}`);
}

/** @param failures detaches that failed, the last one for `error` */
export function detachStuck(
  pod: PodIdentity,
  { network, ifName, failures, error }: Attached & { failures: number; error: string },
): PodEvent {
  const message = `Remove ${ifName} from ${network} failed ${failures} times, it is tried again: ${error}`;
  return event(pod, 'Warning', 'DetachStuck', message);
}

/** Of a device that the next pod will find as this one left it. */
export function vfNotReset(pod: PodIdentity, { network, ifName }: Attached, problem: string): PodEvent {
  return event(pod, 'Warning', 'VfNotReset', `Remove ${ifName} from ${network}: ${problem}`);
}

/** What an edit of a running pod's annotations cannot have. @param reason `NetworksRejected`, `DefaultNetworkKept` */
export function editRefused(
  pod: PodIdentity,
  reason: 'NetworksRejected' | 'DefaultNetworkKept',
  message: string,
): PodEvent {
  return event(pod, 'Warning', reason, message);
}
