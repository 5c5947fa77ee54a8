// Runs one test file, or the C++ test program, in a process of its own and reads what came of it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const DEFAULT_LIMIT_S = 120;
/** How long output may stay open after the test's own end before whoever holds it counts as left behind. */
const DRAIN_MS = 5000;

const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const pid of running) killGroup(pid); // in groups of their own, they do not get the terminal's signal
    process.kill(process.pid, signal);
  });
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** `// timeout: 300s` among a file's first lines. */
function timeLimit(source) {
  const found = /^\/\/ timeout: (\d+)s$/m.exec(source.split('\n', 10).join('\n'));
  const patience = process.env.MULTUS_LAB === undefined ? 1 : 3; // guests (test/vm) are slow
  return Number(found?.[1] ?? DEFAULT_LIMIT_S) * patience * 1000;
}

/** uvu runs only suites whose run() was called, and passes silently when none was. */
function suitesNotRun(source) {
  const names = [...source.matchAll(/^const (\w+) = suite\b/gm)].map((match) => match[1]);
  if (/import \{[^}]*\btest\b[^}]*\} from '[^']*\buvu\b[^']*'/.test(source)) names.push('test');
  return names.filter((name) => !new RegExp(`^\\s*${name}\\.run\\(\\)`, 'm').test(source));
}

/** Start the process; resolves once it has ended and its output is closed, or was given up. */
function execute(command, args, { cwd, limit }) {
  return new Promise((resolve, reject) => {
    // FORCE_COLOR of an outer tool would put escape codes into the totals.
    const { FORCE_COLOR, ...env } = process.env;
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const end = { output: '', hang: false, held: false, code: null, signal: null };
    const collect = (text) => {
      end.output += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    running.add(child.pid);
    const timer = setTimeout(() => {
      end.hang = true;
      killGroup(child.pid);
    }, limit);
    let drain;
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      Object.assign(end, { code, signal });
      drain = setTimeout(() => {
        end.held = true;
        killGroup(child.pid);
        child.stdout.destroy();
        child.stderr.destroy();
      }, DRAIN_MS);
    });
    child.on('close', () => {
      clearTimeout(drain);
      running.delete(child.pid);
      resolve(end);
    });
  });
}

/** Counts of uvu's closing table. uvu does not count skipped tests in Total; a failed `before` hook shows only here. */
function uvuCounts(output) {
  const last = (name) => Number([...output.matchAll(new RegExp(`^  ${name}:\\s+(\\d+)$`, 'gm'))].at(-1)?.[1]);
  const [total, passed, skipped] = ['Total', 'Passed', 'Skipped'].map(last);
  return Number.isNaN(total) ? undefined : { passed, failed: total - passed, skipped };
}

/** Counts of a test program's closing line. */
function lineCounts(output) {
  const found = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1);
  return found && { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0) };
}

/**
 * Run `file` from `root`. The result's `failed` is at least 1 when anything is wrong; `problems` says what, unless the
 * output does. A test that finds out only while running that it cannot prove anything prints `SKIPPED: reason` and
 * returns: uvu counts it as passed, it counts as skipped here.
 */
export async function runFile(file, root) {
  const isTs = file.endsWith('.ts');
  const source = isTs ? readFileSync(file, 'utf8') : '';
  const limit = timeLimit(source);
  const start = performance.now();
  const compiled = file.replace(/\.ts$/, '.js'); // there in guests only (test/vm)
  const words = existsSync(compiled) ? [compiled] : ['--import', 'tsx', file];
  const [command, args] = isTs ? [process.execPath, words] : [file, []];
  const end = await execute(command, args, { cwd: root, limit });
  const ms = performance.now() - start;

  const found = (isTs ? uvuCounts : lineCounts)(end.output);
  const counts = found ?? { passed: 0, failed: 0, skipped: 0 };
  const reasons = [...end.output.matchAll(/SKIPPED: (.+)$/gm)].map((match) => match[1]);
  const returned = Math.min(Math.max(reasons.length - counts.skipped, 0), counts.passed);

  const problems = suitesNotRun(source).map((name) => `${name}.run() is missing`);
  if (end.hang) problems.push(`not done after ${limit / 1000} s, killed`);
  else if (found === undefined) problems.push('ended without printing its totals');
  else if (counts.passed + counts.failed + counts.skipped === 0) problems.push('ran no tests');
  if (end.held) problems.push('ended, but left processes that hold its output open');
  if (end.signal !== null && !end.hang) problems.push(`killed by ${end.signal}`);
  if (end.code > 0 && counts.failed === 0) problems.push(`exit code ${end.code}`);
  return {
    passed: counts.passed - returned,
    failed: counts.failed > 0 ? counts.failed : Math.min(problems.length, 1),
    skipped: counts.skipped + returned,
    hang: end.hang,
    problems,
    reasons,
    output: end.output,
    ms,
  };
}
