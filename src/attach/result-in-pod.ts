/** An attachment's result as it is true of the pod: what the plugin reported, and what we changed after it. */
import { podInterfaceIndex } from '../cni/pod-interface.ts';
import { type CniResult, parseResult } from '../cni/result.ts';
import type { JournalAttachment, JournalRecord } from './journal-record.ts';
import { withPlannedRoutes } from './routes/default-routes.ts';

/**
 * The journalled result with the name of the attachment's own link, and with the pod's default routes.
 * @param name of the link now; the requested one by default
 * @throws CniError as parseResult
 */
export function resultInPod(
  { defaultRoutes }: JournalRecord,
  { result, network, cniVersion, ifName, link }: JournalAttachment,
  name = ifName,
): CniResult {
  const claimed = parseResult(result, `result of network "${network}"`, cniVersion);
  const own = link === undefined ? -1 : podInterfaceIndex(claimed, link.delegateName);
  const interfaces = claimed.interfaces.map((one, i) => (i === own ? { ...one, name } : one));
  return withPlannedRoutes({ ...claimed, interfaces }, ifName, defaultRoutes);
}
