/** The bench's command line. */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { STUDIES } from './growth/study.ts';
import { SCENARIOS } from './scenarios.ts';
import { parseCpu, parseMemory } from './targets/daemon-group.ts';
import { type Command as CniCommand, COMMANDS, TARGETS } from './targets/target.ts';

export interface Options {
  scenario: string[];
  targets: string[];
  commands: CniCommand[];
  n: number;
  batch: number;
  batches: number;
  concurrency: number[];
  api: 'stand-in' | 'kube-apiserver';
  apiLatency: number[];
  daemonCpu: string;
  daemonMemory: string;
  short: boolean;
  growth?: string[];
  sizes?: number[];
  countRequests: boolean;
  json?: string;
  markdown?: string;
  svg?: string;
}

const oneOf =
  (known: readonly string[]) =>
  (text: string): string[] => {
    const unknown = text.split(',').find((one) => !known.includes(one));
    if (unknown !== undefined)
      throw new InvalidArgumentError(`${JSON.stringify(unknown)} is none of ${known.join(', ')}.`);
    return text.split(',');
  };

const numbers =
  (least: number) =>
  (text: string): number[] => {
    const all = text.split(',').map(Number);
    if (all.every((one) => Number.isSafeInteger(one) && one >= least)) return all;
    throw new InvalidArgumentError(
      `${JSON.stringify(text)} has to be whole numbers from ${least} on, with commas between.`,
    );
  };

function count(text: string): number {
  const [first = 0, ...others] = numbers(1)(text);
  if (others.length > 0) throw new InvalidArgumentError(`${JSON.stringify(text)} has to be one number.`);
  return first;
}

const limit = (parse: (text: string) => number) => (text: string) => {
  try {
    parse(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
};

/** What no daemon can start with is a unit forgotten. */
const LEAST_MEMORY = 8 * 2 ** 20;

function memory(text: string): number {
  const bytes = parseMemory(text);
  if (bytes < LEAST_MEMORY) throw new Error(`${text} is ${bytes} bytes, too little for a daemon; 64Mi has a unit.`);
  return bytes;
}

/** A run of many minutes must not end without a place for what it measured. */
function outputFile(path: string): string {
  const isFolder = (one: string) => statSync(one, { throwIfNoEntry: false })?.isDirectory() === true;
  const folder = dirname(resolve(path));
  if (!isFolder(folder)) throw new InvalidArgumentError(`There is no folder ${folder}.`);
  if (isFolder(path)) throw new InvalidArgumentError(`${path} is a folder.`);
  return path;
}

/** @returns what is wrong with options that are right each, if anything is */
function contradiction({ commands, sizes, growth, short, countRequests }: Options): string | undefined {
  const added = commands.indexOf('ADD');
  const early = commands.find((one, i) => (one === 'CHECK' || one === 'DEL') && (added < 0 || i < added));
  if (early !== undefined) return `--commands: ${early} wants an ADD before it`;
  if (sizes !== undefined && growth === undefined) return '--sizes belongs to --growth';
  if (Number(short) + Number(growth !== undefined) + Number(countRequests) > 1) {
    return '--short, --growth and --count-requests are runs of their own: give one of them';
  }
  return undefined;
}

const names = (all: readonly { name: string }[]): string[] => all.map(({ name }) => name);

const listed = (flag: string, what: string, known: readonly string[], given: readonly string[] = known): Option =>
  new Option(flag, `${what}: ${known.join(', ')}`).argParser(oneOf(known)).default(given, given.join());

const GROWTH = new Option(
  '--growth <studies>',
  `instead: ADD with more and more of ${names(STUDIES).join(', ')}; each has its own scenarios and targets`,
).argParser(oneOf(names(STUDIES)));

const API = new Option('--api <kind>', 'what the targets ask').choices(['stand-in', 'kube-apiserver']);

export function parseOptions(): Options {
  const program = new Command('npm run bench --')
    .description(
      'Measures what attaching a pod costs: bare delegates, ours, Multus; in turn, and each result is looked at.',
    )
    .addHelpText('after', `\nScenarios:\n${SCENARIOS.map(({ name, what }) => `  ${name.padEnd(6)}${what}`).join('\n')}`)
    .addOption(listed('--scenario <names>', 'what pods ask for', names(SCENARIOS)))
    .addOption(listed('--targets <names>', 'what is compared', names(TARGETS)))
    .addOption(listed('--commands <names>', 'in this order', COMMANDS, ['ADD', 'CHECK', 'DEL']))
    .option('-n <count>', 'pods of each target, one after the other', count, 60)
    .option('--concurrency <counts>', 'operations at a time; more than 1: in batches', numbers(1), [1])
    .option('--batch <count>', 'pods of a batch', count, 64)
    .option('--batches <count>', 'batches of each target', count, 3)
    .addOption(API.default('stand-in'))
    .option('--api-latency <ms>', 'answers of the API server come later by so much', numbers(0), [0])
    .option('--daemon-cpu <amount>', 'limit of what runs always, such as 100m', limit(parseCpu), '')
    .option('--daemon-memory <amount>', 'limit of what runs always, such as 64Mi', limit(memory), '')
    .option('--short', 'only what every change has to hold; fails when it does not', false)
    .addOption(GROWTH)
    .option('--sizes <counts>', 'how many of them, instead of what each study takes', numbers(0))
    .option('--count-requests', 'instead: what is asked of the API server for a pod, by n pods of each target', false)
    .option('--json <file>', 'write all that was measured', outputFile)
    .option('--markdown <file>', 'write the tables as Markdown', outputFile)
    .option('--svg <file>', 'write a plot of ADD', outputFile)
    .parse();
  const options = program.opts<Options>();
  const problem = contradiction(options);
  if (problem !== undefined) program.error(`error: ${problem}.`);
  return options;
}
