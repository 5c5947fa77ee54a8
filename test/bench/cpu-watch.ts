/** How busy the machine was with what is not measured: the figures of a cell are worth as much as that is little. */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/** Of the kernel's counters in /proc, since ever. */
const TICK_MS = 10;

/** What all processors did, but for idling; what other guests of the host took of them is as bad as what programs here do. */
function busyMs(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)
    .join()
    .split(/ +/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

/** User and system time of a process. */
function usedMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

export class CpuWatch {
  private readonly pids: readonly number[];
  private readonly load = loadavg()[0] ?? Number.NaN;
  private startedAt = 0;
  private busyBefore = 0;
  private oursBefore = 0;
  private ownMs = 0;

  /** @param pids of the bench, besides this process */
  constructor(pids: readonly number[]) {
    this.pids = [...pids, process.pid];
  }

  private get pidsMs(): number {
    return this.pids.reduce((sum, pid) => sum + usedMs(pid), 0);
  }

  start(): void {
    this.startedAt = performance.now();
    this.busyBefore = busyMs();
    this.oursBefore = this.pidsMs;
    this.ownMs = 0;
  }

  /** What else was used by what is measured. */
  ours(ms: number): void {
    this.ownMs += ms;
  }

  /** @returns the load before it, and others' CPU since `start()` in percent of one processor */
  end(): { load: number; foreignCpu: number } {
    const foreign = busyMs() - this.busyBefore - (this.pidsMs - this.oursBefore) - this.ownMs;
    return { load: this.load, foreignCpu: Math.max(0, (foreign / (performance.now() - this.startedAt)) * 100) };
  }
}
