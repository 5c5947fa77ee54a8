/** What its PF says of one VF. Asked again where drivers leave a VF out for a moment; whatever fails is an answer. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeVf } from '../node/native.ts';
import { askPf, type FoundVf, type PfAnswer } from './find-vf.ts';

export interface VfReport {
  device: FoundVf;
  /** undefined when nobody could be asked. */
  pf: PfAnswer | undefined;
  /** undefined: nothing is known, `problem` says why. */
  reported: NativeVf | undefined;
  /** '' when there is a report. */
  problem: string;
}

export interface AskOptions {
  /** Ends the waiting, not the answer. */
  signal?: AbortSignal;
  ask?: (pfAddress: string) => Promise<PfAnswer>;
  waitMs?: number;
}

/**
 * i40e answers EAGAIN for a VF while another request of its VFs is under way, ice EBUSY while the VF is reset; the kernel
 * then leaves the VF out of the list (rtnl_fill_vfinfo) and reports no error.
 */
const TRIES = 4;
const WAIT_MS = 100;
const TRANSIENT = ['EAGAIN', 'EBUSY'];

function reportOf(device: FoundVf, pf: PfAnswer): VfReport {
  const reported = pf.list.vfs.find(({ index }) => index === device.index);
  return { device, pf, reported, problem: reported === undefined ? reasonFor(pf) : '' };
}

function reasonFor({ list, driver }: PfAnswer): string {
  if (!list.queryable) return `driver ${driver || 'unknown'} of its PF reports nothing of VFs`;
  if (list.truncated) return "the kernel's list of VFs is too long to be read (16-bit length)";
  return `driver ${driver || 'unknown'} of its PF leaves it out of its report`;
}

function mayCome({ pf, reported }: VfReport): boolean {
  return reported === undefined && pf !== undefined && pf.list.queryable && !pf.list.truncated;
}

async function tryOnce(device: FoundVf, ask: (pfAddress: string) => Promise<PfAnswer>) {
  try {
    const report = reportOf(device, await ask(device.pfAddress));
    return { report, isTransient: mayCome(report) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const report = { device, pf: undefined, reported: undefined, problem: message };
    return { report, isTransient: TRANSIENT.includes(code) };
  }
}

/** Never throws. */
export async function askVf(device: FoundVf, options: AskOptions = {}): Promise<VfReport> {
  const { signal, ask = askPf, waitMs = WAIT_MS } = options;
  for (let tries = 1; ; tries += 1) {
    const { report, isTransient } = await tryOnce(device, ask);
    if (!isTransient || tries === TRIES || signal?.aborted === true) return report;
    await delay(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/** "enp1s0", or its PCI address where it has no name. */
export function pfNameOf({ device, pf }: VfReport): string {
  return pf?.link.name ?? device.pfNetdevs[0] ?? device.pfAddress;
}

/** "VF 3 of enp1s0 (0000:01:10.6)" */
export function vfLabel(report: VfReport): string {
  return `VF ${report.device.index} of ${pfNameOf(report)} (${report.device.address})`;
}
