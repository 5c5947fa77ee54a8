/**
 * One command in a guest. Host and guest share a folder, the job: `command` is the script that the guest runs, `status`
 * is where it leaves the exit status; output comes through the guest's console. Nothing of a guest stays: its processes
 * end with this one, however that ends, and the disk it writes to is its memory.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFolder } from '../../lab/with-folder.ts';

export interface GuestOptions {
  timeoutMs: number;
  /** Where the command's output goes as it comes. */
  output: NodeJS.WritableStream;
  /** A folder of ours whose files the guest finds at `/`, over what is there. */
  layer: string;
}

/** The guest's processes are in namespaces that end with their first one; that ends with the thread that starts it. */
const ISOLATED = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--'];

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The command in our working folder, with those of our variables that tell where programs and caches are. */
function script(command: string, environment: Record<string, string>): string {
  const { PATH = '', HOME = '/root', XDG_CACHE_HOME = '', CNI_BIN_DIR = '' } = process.env;
  const variables = Object.entries({ PATH, HOME, XDG_CACHE_HOME, CNI_BIN_DIR, ...environment });
  const exports = variables
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `export ${name}=${quoted(value)}`);
  return [...exports, `cd ${quoted(process.cwd())} || exit`, command, ''].join('\n');
}

/** Run the guest's program to its end. @returns the last of what it wrote to stderr @throws Error when it takes too long */
function boot(argv: readonly string[], { timeoutMs, output }: GuestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', [...ISOLATED, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.pipe(output, { end: false });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4096);
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      if (isLate) reject(new Error(`the guest was not done after ${timeoutMs / 1000} s and is ended`));
      else resolve(stderr.trim());
    });
  });
}

/**
 * Start a guest, run a shell command in it as root, and wait for the guest's end.
 * @param argv the guest's program and arguments, made for the job's folder
 * @returns the command's exit status
 * @throws Error when the guest ends without one, with what its program said, or is not done in time
 */
export async function runJob(
  command: string,
  environment: Record<string, string>,
  options: GuestOptions,
  argv: (job: string) => readonly string[],
): Promise<number> {
  return withFolder(join(tmpdir(), 'multus-guest-'), async (job) => {
    writeFileSync(join(job, 'command'), script(command, environment));
    writeFileSync(join(job, 'status'), '');
    const stderr = await boot(argv(job), options);
    const status = readFileSync(join(job, 'status'), 'utf8').trim();
    if (status === '') throw new Error(`the guest ended before its command did${stderr && `: ${stderr}`}`);
    return Number(status);
  });
}
