/** Which of a result's interfaces are the pod's. */
import type { CniInterface, CniResult } from './result.ts';

/** Inside a sandbox, not on the host. */
export function isInSandbox({ sandbox = '' }: CniInterface): boolean {
  return sandbox !== '';
}

/** Index in `result.interfaces` of the pod's interface: the one of that name, else the first inside a sandbox. */
export function podInterfaceIndex(result: CniResult, ifName: string): number {
  const named = result.interfaces.findIndex((one) => one.name === ifName && isInSandbox(one));
  return named >= 0 ? named : result.interfaces.findIndex(isInSandbox);
}

/** Does the result claim that there is an interface in the pod? Results of chained helpers may be empty. */
export function claimsInterface(result: CniResult, ifName: string): boolean {
  return podInterfaceIndex(result, ifName) >= 0 || result.ips.length > 0;
}
