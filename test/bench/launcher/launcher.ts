/** The program that starts and measures plugins in a machine: batches go in, what became of them comes out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { must } from '../../lab/process.ts';
import { Decoder, Encoder } from './bytes.ts';

const SOURCE = fileURLToPath(new URL('launcher.c', import.meta.url));
/** An operation of Multus may wait for a minute; nothing that is measured does. */
const LIMIT_MS = 180_000;

/** One plugin, as a runtime runs it. */
export interface Execution {
  path: string;
  env: Record<string, string>;
  stdin: string;
}

/** Executions one after the other; the first that fails is the last. */
export type Job = readonly Execution[];

export interface Done {
  /** Milliseconds since the batch began. */
  startMs: number;
  durationMs: number;
  /** User and system time of its processes and of those that they waited for. */
  cpuMs: number;
  maxRssKib: number;
  /** Of the last execution; minus the number of the signal that ended it. */
  code: number;
  /** Of each execution that ran. */
  stdout: string[];
  /** Of the last execution. */
  stderr: string;
}

/** @param file where the program is to be */
export async function buildLauncher(file: string): Promise<void> {
  await must('cc', '-O2', '-static', '-pthread', '-o', file, SOURCE);
}

function encodeBatch(jobs: readonly Job[], concurrency: number): Buffer {
  const encoder = new Encoder().u32(concurrency).u32(jobs.length);
  for (const job of jobs) {
    encoder.u32(job.length);
    for (const { path, env, stdin } of job) {
      const variables = Object.entries(env);
      encoder.string(path).u32(variables.length);
      for (const [name, value] of variables) encoder.string(`${name}=${value}`);
      encoder.text(stdin);
    }
  }
  return encoder.withLength();
}

function decodeAnswer(bytes: Buffer, count: number): Done[] {
  const decoder = new Decoder(bytes);
  return Array.from({ length: count }, () => {
    const [startMs, durationMs, cpuMs] = [decoder.u64() / 1e6, decoder.u64() / 1e6, decoder.u64() / 1e3];
    const [maxRssKib, code, ran] = [decoder.u32(), decoder.i32(), decoder.u32()];
    const stdout = Array.from({ length: ran }, () => decoder.text());
    return { startMs, durationMs, cpuMs, maxRssKib, code, stdout, stderr: decoder.text() };
  });
}

export class Launcher {
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;
  private received: Buffer[] = [];
  private onBytes: () => void = () => undefined;

  /** @param words the program, with what brings it into its namespaces before it */
  constructor(words: readonly string[]) {
    const [file = '', ...args] = words;
    // In a session of its own: a terminal's Ctrl-C is for the bench, which still needs the launcher to clean up.
    this.child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    this.ended = once(this.child, 'exit');
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.received.push(bytes);
      this.onBytes();
    });
    this.child.stdin?.on('error', () => undefined); // its end is noticed by who waits for an answer
  }

  /** Run jobs, so many at a time. One batch at a time. @returns what became of each, in their order */
  async run(jobs: readonly Job[], concurrency: number): Promise<Done[]> {
    this.received = [];
    const answer = this.answer();
    this.child.stdin?.write(encodeBatch(jobs, concurrency));
    return decodeAnswer(await answer, jobs.length);
  }

  private answer(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`the launcher ${why}`));
      const timer = setTimeout(() => fail(`has not answered in ${LIMIT_MS / 1000} s`), LIMIT_MS);
      const exited = () => fail('ended');
      this.child.once('exit', exited);
      let size = 0;
      let wanted = Number.POSITIVE_INFINITY;
      this.onBytes = () => {
        size += this.received.at(-1)?.length ?? 0;
        if (wanted === Number.POSITIVE_INFINITY && size >= 4) {
          wanted = 4 + Buffer.concat(this.received).readUInt32LE();
        }
        if (size < wanted) return;
        clearTimeout(timer);
        this.child.off('exit', exited);
        resolve(Buffer.concat(this.received).subarray(4));
      };
    });
  }

  async close(): Promise<void> {
    this.child.stdin?.end();
    await this.ended;
  }
}
