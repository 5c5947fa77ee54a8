/**
 * The laboratory's one command: runs tests, or any command, as root inside a guest with another kernel.
 *
 *     node --import tsx test/vm/run.ts uml|igb [--kernel name] [test files or folders...]
 *     node --import tsx test/vm/run.ts uml|igb [--kernel name] --sh 'command'
 *     node --import tsx test/vm/run.ts uml|igb [--kernel name] --prepare   (only downloads and builds)
 *
 * The exit status is that of the command inside.
 */
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { withFolder } from '../lab/with-folder.ts';
import { compileInto } from './lab/compiled.ts';
import type { GuestOptions } from './lab/guest.ts';
import { igbTests } from './lab/igb-tests.ts';
import { umlTests } from './lab/uml-tests.ts';

/** What a lab's module exports. */
interface Lab {
  /** Names for --kernel; the first is meant when none is given. */
  KERNELS: readonly string[];
  prepare(kernel: string): Promise<unknown>;
  runGuest(prepared: unknown, command: string, options: GuestOptions): Promise<number>;
}

/** The labs' modules, and what runs in them unless other tests are named. */
const LABS: Record<string, { module: string; tests: (kernel: string) => readonly string[] }> = {
  uml: { module: './lab/uml.ts', tests: umlTests },
  igb: { module: './lab/qemu.ts', tests: igbTests },
};

const TIME_LIMIT_S = 1200;

const USAGE = `usage: run.ts ${Object.keys(LABS).join('|')} [--kernel name] [--limit seconds] [--prepare | --sh command | tests...]`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      kernel: { type: 'string' },
      limit: { type: 'string', default: String(TIME_LIMIT_S) },
      prepare: { type: 'boolean', default: false },
      sh: { type: 'string' },
    },
    allowPositionals: true,
  });
  const [name = '', ...tests] = positionals;
  const found = Object.hasOwn(LABS, name) ? LABS[name] : undefined;
  if (found === undefined) throw new Error(`no lab is called "${name}"; ${USAGE}`);
  const limit = Number(values.limit);
  if (!(limit > 0 && limit < 1e6)) throw new Error(`--limit "${values.limit}" is no number of seconds; ${USAGE}`);
  const lab: Lab = await import(found.module);
  const { kernel = lab.KERNELS[0] ?? '' } = values;
  if (!lab.KERNELS.includes(kernel))
    throw new Error(`${name} has no kernel "${kernel}", but ${lab.KERNELS.join(', ')}`);

  const prepared = await lab.prepare(kernel);
  if (values.prepare) return 0;
  return withFolder(join(tmpdir(), 'multus-layer-'), async (layer) => {
    await compileInto(layer);
    const targets = tests.length > 0 ? tests : found.tests(kernel);
    const command = values.sh ?? `node test/run.mjs ${targets.join(' ')}`;
    return lab.runGuest(prepared, command, { timeoutMs: limit * 1000, output: process.stdout, layer });
  });
}

// By exit(), which ends what runs and removes its folders, as a signal alone would not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    console.error(`test/vm/run.ts: ${error.message}`);
    console.log('0 passed, 1 failed, 0 skipped');
    process.exitCode = 1;
  },
);
