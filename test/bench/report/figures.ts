/** What a cell's measurements mean, for all kinds of reports. */
import type { CellResult, Measured } from '../cell.ts';
import { bootstrap, type Interval, type Series, summarise } from '../statistics.ts';

export interface Row extends Omit<Measured, 'durations'>, Series {
  scenario: string;
  apiLatencyMs: number;
  concurrency: number;
  n: number;
  /** CPU of an operation outside the delegates, milliseconds. */
  ownCpuMs?: number;
  /** Of the medians, against raw. */
  overRaw?: Interval;
  timesRaw?: Interval;
  foreignCpu: number;
}

function rowsOf(cell: CellResult): Row[] {
  const { scenario, apiLatencyMs, concurrency, foreignCpu, measured } = cell;
  return measured.map((one) => {
    const { durations, ...others } = one;
    const raw = measured.find(({ target, command }) => target === 'raw' && command === one.command);
    const row = { scenario, apiLatencyMs, concurrency, ...others, ...summarise(durations), n: durations.length };
    if (raw === undefined || raw === one) return { ...row, foreignCpu };
    const both = [durations, raw.durations];
    return {
      ...row,
      ownCpuMs: one.cpuMs - raw.cpuMs,
      overRaw: bootstrap(both, (own = 0, least = 0) => own - least),
      timesRaw: bootstrap(both, (own = 0, least = 0) => own / least),
      foreignCpu,
    };
  });
}

/** Grouped by cell and command, targets beside each other. */
export function rows(cells: readonly CellResult[]): Row[] {
  const commands = (cell: CellResult) => [...new Set(cell.measured.map(({ command }) => command))];
  return cells.flatMap((cell) => {
    const all = rowsOf(cell);
    return commands(cell).flatMap((command) => all.filter((row) => row.command === command));
  });
}

/** (ours − raw) / (theirs − raw) of the medians of a command. */
export function shareOfOverhead(cell: CellResult, command: string, ours: string, theirs: string): Interval | undefined {
  const of = (name: string) => cell.measured.find((one) => one.target === name && one.command === command)?.durations;
  const series = [of('raw'), of(ours), of(theirs)];
  if (!series.every((one) => one !== undefined)) return undefined;
  return bootstrap(series, (raw = 0, own = 0, other = 0) => (own - raw) / (other - raw));
}
