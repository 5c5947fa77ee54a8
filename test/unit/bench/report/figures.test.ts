import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CellResult, Measured } from '../../../bench/cell.ts';
import { rows, shareOfOverhead } from '../../../bench/report/figures.ts';

const measured = (target: string, ms: number, cpuMs: number): Measured => {
  return {
    target,
    command: 'ADD',
    durations: [ms, ms, ms],
    cpuMs,
    startedCpuMs: cpuMs,
    perSecond: 1000 / ms,
    maxRssKib: 1,
  };
};

function cellOf(...all: Measured[]): CellResult {
  const conditions = { scenario: 'S0-1', apiLatencyMs: 0, concurrency: 1, batch: 1, load: 0, foreignCpu: 0 };
  return { ...conditions, measured: all, daemons: [] };
}

test('shareOfOverhead() takes the delegates out of both, and is unknown when one was not measured', () => {
  const cell = cellOf(measured('raw', 1, 1), measured('thick', 3, 2), measured('multus-thick', 11, 9));
  assert.equal(shareOfOverhead(cell, 'ADD', 'thick', 'multus-thick'), { value: 0.2, low: 0.2, high: 0.2 });
  assert.is(shareOfOverhead(cell, 'DEL', 'thick', 'multus-thick'), undefined);
  assert.is(shareOfOverhead(cellOf(measured('thick', 3, 2)), 'ADD', 'thick', 'thick'), undefined);
});

test('rows() compares with raw, and raw with nothing', () => {
  const [raw, thick] = rows([cellOf(measured('raw', 2, 1), measured('thick', 6, 4))]);
  assert.is(raw?.overRaw, undefined);
  assert.equal([thick?.overRaw?.value, thick?.timesRaw?.value, thick?.ownCpuMs, thick?.median], [4, 3, 3, 6]);
});

test.run();
