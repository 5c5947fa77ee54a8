/** The bench's command line. */
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
    if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is none of ${known.join(', ')}`);
    return text.split(',');
  };

const numbers =
  (least: number) =>
  (text: string): number[] => {
    const all = text.split(',').map(Number);
    if (all.every((one) => Number.isSafeInteger(one) && one >= least)) return all;
    throw new InvalidArgumentError(`${text} must be whole numbers from ${least} on`);
  };

function count(text: string): number {
  const [first = 0, ...others] = numbers(1)(text);
  if (others.length > 0) throw new InvalidArgumentError(`${text} must be one number`);
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

const names = (all: readonly { name: string }[]): string[] => all.map(({ name }) => name);

const listed = (flag: string, what: string, known: readonly string[], given: readonly string[] = known): Option =>
  new Option(flag, `${what}: ${known.join(', ')}`).argParser(oneOf(known)).default(given, given.join());

const GROWTH = new Option(
  '--growth <studies>',
  `instead: ADD with more and more of ${names(STUDIES).join(', ')}; each has its own scenarios and targets`,
).argParser(oneOf(names(STUDIES)));

const API = new Option('--api <kind>', 'what the targets ask').choices(['stand-in', 'kube-apiserver']);

export function parseOptions(): Options {
  return new Command('npm run bench --')
    .description(
      'Measures what attaching a pod costs: bare delegates, ours, Multus; in turn, and each result is looked at.',
    )
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
    .option('--daemon-memory <amount>', 'limit of what runs always, such as 64Mi', limit(parseMemory), '')
    .option('--short', 'only what every change has to hold; fails when it does not', false)
    .addOption(GROWTH)
    .option('--sizes <counts>', 'how many of them, instead of what each study takes', numbers(0))
    .option('--count-requests', 'instead: what is asked of the API server for a pod, by n pods of each target', false)
    .option('--json <file>', 'write all that was measured')
    .option('--markdown <file>', 'write the tables as Markdown')
    .option('--svg <file>', 'write a plot of ADD')
    .parse()
    .opts<Options>();
}
