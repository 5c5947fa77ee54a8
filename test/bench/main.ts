/** The bench: `npm run bench -- --help`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../lab/process.ts';
import { startKubeApiserver } from './api/kube-apiserver.ts';
import { startStandIn } from './api/stand-in.ts';
import { type Bench, type CellPlan, type CellResult, runCell } from './cell.ts';
import type { Growth } from './growth/first-and-last.ts';
import { runStudies } from './growth/study.ts';
import { buildLauncher } from './launcher/launcher.ts';
import { type Options, parseOptions } from './options.ts';
import { type Conditions, conditionsOf } from './report/conditions.ts';
import { rows } from './report/figures.ts';
import { growthTables } from './report/growth-tables.ts';
import { plot } from './report/plot.ts';
import { requestTables } from './report/request-tables.ts';
import { asMarkdown, asText, cellTables, type Titled } from './report/tables.ts';
import { countRequests } from './requests/count-requests.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { growthTable, runShort } from './short.ts';
import { targetsOf } from './targets/target.ts';

const NOOP_SOURCE = fileURLToPath(new URL('../fakes/noop.c', import.meta.url));
const WARM_UPS = 5;

const scenariosOf = (options: Options): Scenario[] => SCENARIOS.filter(({ name }) => options.scenario.includes(name));

function plansOf(options: Options): CellPlan[] {
  const scenarios = scenariosOf(options);
  const targets = targetsOf(...options.targets);
  const { commands, batch, batches } = options;
  return options.apiLatency.flatMap((apiLatencyMs) =>
    options.concurrency.flatMap((concurrency) =>
      scenarios.map((scenario) => ({
        ...{ scenario, targets, commands, apiLatencyMs, concurrency },
        ...(concurrency === 1
          ? { batch: 1, rounds: options.n, warmUps: WARM_UPS }
          : { batch, rounds: batches, warmUps: 0 }),
      })),
    ),
  );
}

function say(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}

/** What all of a run share, ended with it, also when it is interrupted. */
async function withBench<T>(options: Options, use: (bench: Bench) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ending.abort(new Error(signal)));
  const folder = mkdtempSync(join(tmpdir(), 'multus-bench-'));
  const programs = { launcher: join(folder, 'launcher'), noop: join(folder, 'noop') };
  const limits = { cpu: options.daemonCpu, memory: options.daemonMemory };
  try {
    await buildLauncher(programs.launcher);
    await must('cc', '-O2', '-static', '-o', programs.noop, NOOP_SOURCE);
    const api = await (options.api === 'stand-in' ? startStandIn() : startKubeApiserver());
    try {
      return await use({ api, programs, limits, say, signal: ending.signal });
    } finally {
      await api.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(options: Options, conditions: Conditions, tables: readonly Titled[], all: object): void {
  process.stdout.write(asText(tables, conditions));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ conditions, ...all }, null, 1)}\n`);
  if (options.markdown !== undefined) writeFileSync(options.markdown, asMarkdown(tables, conditions));
}

function reportCells(options: Options, conditions: Conditions, cells: readonly CellResult[], growth?: Growth): void {
  report(options, conditions, cellTables(cells), { rows: rows(cells), growth, cells });
  if (growth !== undefined) process.stdout.write(`\nADD from pod 1 to pod ${growth.pods}\n${growthTable(growth)}`);
  if (options.svg !== undefined) writeFileSync(options.svg, plot(cells, conditions));
}

async function measureShort(bench: Bench, options: Options, conditions: Conditions): Promise<void> {
  const { cells, growth, passed, failed } = await runShort(bench);
  say('');
  reportCells(options, conditions, cells, growth);
  const lines = [...passed.map((one) => `ok      ${one}`), ...failed.map((one) => `FAILED  ${one}`)];
  process.stdout.write(`\n${lines.join('\n')}\n\n${passed.length} passed, ${failed.length} failed\n`);
  if (failed.length > 0) process.exitCode = 1;
}

async function main(): Promise<void> {
  const options = parseOptions();
  await withBench(options, async (bench) => {
    const conditions = conditionsOf(bench.api.name, bench.limits);
    if (options.short) return measureShort(bench, options, conditions);
    if (options.growth !== undefined) {
      const studied = await runStudies(bench, options.growth, options.n, options.sizes);
      say('');
      return report(options, conditions, growthTables(studied), { studied });
    }
    if (options.countRequests) {
      const counts = await countRequests(bench, scenariosOf(options), targetsOf(...options.targets), options.n);
      say('');
      return report(options, conditions, requestTables(counts), { counts });
    }
    const cells: CellResult[] = [];
    for (const plan of plansOf(options)) cells.push(await runCell(bench, plan));
    say('');
    return reportCells(options, conditions, cells);
  });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`\nbench: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
