/** Child processes of a lab: run to their end, or kept and ended by id. */
import { type ChildProcess, spawn } from 'node:child_process';

/** How many times as long as on a machine things may take: a guest's processor is emulated, and nine times slower. */
export const PATIENCE = process.env['MULTUS_LAB'] === undefined ? 1 : 10;

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  ms: number;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  input?: string | Buffer;
  cwd?: string;
  /** Called with the child once it runs. */
  onSpawn?: (child: ChildProcess) => void;
}

/** Those that run() waits for: nobody else would end them when this process leaves. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const { pid } of running) endGroup(pid);
});

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

/** Run a program to its end; a non-zero exit is a result, not an error. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: options.env ?? process.env,
      stdio: 'pipe',
      detached: true, // an interrupted terminal is for us to act on, not for them
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdin.on('error', () => undefined); // it may end before it reads
    child.stdin.end(options.input ?? '');
    running.add(child);
    child.once('error', reject);
    child.once('spawn', () => options.onSpawn?.(child));
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stdout, stderr, ms: performance.now() - started });
    });
  });
}

/** Run a program that must succeed. @returns its stdout @throws Error with its stderr */
export async function must(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} failed with ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/** Wait until `condition` holds. @throws Error naming `what` after `limitMs`, or ten times that in a guest */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const limit = performance.now() + limitMs * PATIENCE;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`gave up after ${limitMs * PATIENCE} ms waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What a program or server said; undefined when it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
