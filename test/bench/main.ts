/** Command line of the bench: `npm run bench -- --help`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { must } from '../lab/process.ts';
import { startStandIn } from './api/stand-in.ts';
import { type Bench, type CellPlan, type CellResult, runCell } from './cell.ts';
import { buildLauncher } from './launcher/launcher.ts';
import { conditionsOf } from './report/conditions.ts';
import { rows } from './report/figures.ts';
import { asMarkdown, asText } from './report/tables.ts';
import { SCENARIOS } from './scenarios.ts';
import { parseCpu, parseMemory } from './targets/daemon-group.ts';
import { type Command as CniCommand, COMMANDS, TARGETS } from './targets/target.ts';

const NOOP_SOURCE = fileURLToPath(new URL('../fakes/noop.c', import.meta.url));
const BATCHES = 3;

interface Options {
  scenario: string[];
  targets: string[];
  commands: CniCommand[];
  n: number;
  batch: number;
  concurrency: number[];
  apiLatency: number[];
  daemonCpu: string;
  daemonMemory: string;
  json?: string;
  markdown?: string;
}

const oneOf =
  (known: readonly string[]) =>
  (text: string): string[] => {
    const unknown = text.split(',').find((one) => !known.includes(one));
    if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is none of ${known.join(', ')}`);
    return text.split(',');
  };

function numbers(text: string): number[] {
  const all = text.split(',').map(Number);
  if (!all.every((one) => Number.isSafeInteger(one) && one >= 0)) throw new InvalidArgumentError('whole numbers');
  return all;
}

function count(text: string): number {
  const [value = 0] = numbers(text);
  if (value < 1) throw new InvalidArgumentError('a whole number from 1');
  return value;
}

const limit = (parse: (text: string) => number) => (text: string) => {
  try {
    parse(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
};

const names = (all: readonly { name: string }[]): string[] => all.map(({ name }) => name);
const listed = (flag: string, what: string, known: readonly string[], given: readonly string[] = known): Option =>
  new Option(flag, `${what}: ${known.join(', ')}`).argParser(oneOf(known)).default(given, given.join());

const program = new Command('npm run bench --')
  .description('Measures what attaching a pod costs: the bare delegates, ours, Multus; interleaved, and verified.')
  .addOption(listed('--scenario <names>', 'what pods ask for', names(SCENARIOS)))
  .addOption(listed('--targets <names>', 'what is compared', names(TARGETS)))
  .addOption(listed('--commands <names>', 'in this order', COMMANDS, ['ADD', 'CHECK', 'DEL']))
  .option('-n <count>', 'pods of each target, one after the other', count, 60)
  .option('--concurrency <counts>', 'operations at once; more than 1: in batches', numbers, [1])
  .option(
    '--batch <count>',
    `pods that are attached together when more than 1 are at once, ${BATCHES} times`,
    count,
    64,
  )
  .option('--api-latency <ms>', 'answers of the API server come later by so much', numbers, [0])
  .option('--daemon-cpu <amount>', 'limit of the daemons, such as 100m', limit(parseCpu), '')
  .option('--daemon-memory <amount>', 'limit of the daemons, such as 64Mi', limit(parseMemory), '')
  .option('--json <file>', 'write all that was measured')
  .option('--markdown <file>', 'write the tables as Markdown');

function plansOf(options: Options): CellPlan[] {
  const scenarios = SCENARIOS.filter(({ name }) => options.scenario.includes(name));
  const targets = TARGETS.filter(({ name }) => options.targets.includes(name));
  const { commands, batch } = options;
  return options.apiLatency.flatMap((apiLatencyMs) =>
    options.concurrency.flatMap((concurrency) =>
      scenarios.map((scenario) => ({
        ...{ scenario, targets, commands, apiLatencyMs, concurrency },
        ...(concurrency === 1 ? { batch: 1, rounds: options.n, warmUps: 5 } : { batch, rounds: BATCHES, warmUps: 0 }),
      })),
    ),
  );
}

const say = (text: string): void => {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
};

async function withBench<T>(limits: Bench['limits'], use: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'multus-bench-'));
  const programs = { launcher: join(folder, 'launcher'), noop: join(folder, 'noop') };
  try {
    await buildLauncher(programs.launcher);
    await must('cc', '-O2', '-static', '-o', programs.noop, NOOP_SOURCE);
    const api = await startStandIn();
    try {
      return await use({ api, programs, limits, say });
    } finally {
      await api.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const limits = { cpu: options.daemonCpu, memory: options.daemonMemory };
  await withBench(limits, async (bench) => {
    const conditions = conditionsOf(bench.api.name, limits);
    const cells: CellResult[] = [];
    for (const plan of plansOf(options)) cells.push(await runCell(bench, plan));
    say('');
    process.stdout.write(asText(cells, conditions));
    if (options.json) writeFileSync(options.json, JSON.stringify({ conditions, rows: rows(cells), cells }, null, 1));
    if (options.markdown) writeFileSync(options.markdown, asMarkdown(cells, conditions));
  });
}

await main();
