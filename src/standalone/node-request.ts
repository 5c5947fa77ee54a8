/** A request as the daemon of its node would take it, when there is no daemon to take it. */
import { readOverlay } from '../attach/overlay-file.ts';
import { toCniError } from '../cni/errors.ts';
import type { CniRequest } from '../cni/request.ts';
import { overlaid } from '../pod/overlay.ts';

/** Nothing keeps a container from being deleted: what lies where this DEL does not look, the daemon's reconciler finds. */
const WITHOUT_OVERLAY = ['DEL', 'VERSION'];

/**
 * The request with the keys that the daemon wrote down for its node.
 * @returns `problem` when DEL has to do without them, else ''
 * @throws CniError 5 or 6 when they cannot be read: a pod would be attached otherwise than the node's owner wants it
 */
export function asNodeHasIt(request: CniRequest): { request: CniRequest; problem: string } {
  try {
    return { request: { ...request, config: overlaid(request.config, readOverlay(request.config)) }, problem: '' };
  } catch (error) {
    if (!WITHOUT_OVERLAY.includes(request.command)) throw error;
    return { request, problem: toCniError(error).message };
  }
}
