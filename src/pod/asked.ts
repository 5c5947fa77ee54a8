/** What a pod asked of a network, as a text to be compared: an entry of the annotation that changes it is another one. */
import type { SelectionRequests } from './selection.ts';

/** JSON without the white space between its parts; what is in strings, and every digit, stays. */
function compact(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
}

/**
 * All that an attachment is made by beside its network and the name of its interface. JSON, `{}` when nothing was asked.
 * Nothing but the order of its own lists counts: neither white space nor fields that nobody knows.
 */
export function askedText(requests: SelectionRequests): string {
  const { ips, mac, infinibandGuid, portMappings, bandwidth, deviceId, ipamClaim, cniArgs, defaultRoute } = requests;
  const members: [string, string | undefined][] = [
    ['ips', ips.length === 0 ? undefined : JSON.stringify(ips)],
    ['mac', mac === '' ? undefined : JSON.stringify(mac)],
    ['infinibandGuid', infinibandGuid === '' ? undefined : JSON.stringify(infinibandGuid)],
    ['portMappings', portMappings.length === 0 ? undefined : JSON.stringify(portMappings)],
    ['bandwidth', bandwidth && JSON.stringify(bandwidth)],
    ['deviceId', deviceId === '' ? undefined : JSON.stringify(deviceId)],
    ['ipamClaim', ipamClaim === '' ? undefined : JSON.stringify(ipamClaim)],
    ['cniArgs', cniArgs && membersText(Object.entries(cniArgs).map(([key, value]) => [key, compact(value.text)]))],
    ['defaultRoute', defaultRoute && JSON.stringify(defaultRoute)],
  ];
  return membersText(members);
}

function membersText(members: readonly (readonly [string, string | undefined])[]): string {
  const set = members.filter(([, value]) => value !== undefined);
  return `{${set.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}
