// Runs a command whose output matters only when it fails.
import { spawnSync } from 'node:child_process';

/** A command ended with failure; `output` is everything it printed. */
export class CommandError extends Error {
  constructor(command, reason, output) {
    super(`${command}: ${reason}`);
    this.output = output;
  }
}

/** Run to the end; throws CommandError when the command cannot start or does not exit with 0. */
export function runQuietly(command, args, { cwd, env = process.env } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  });
  const line = [command, ...args].join(' ');
  if (result.error !== undefined) throw new CommandError(line, result.error.message, '');
  if (result.status !== 0) {
    const reason = result.signal === null ? `exit code ${result.status}` : `killed by ${result.signal}`;
    throw new CommandError(line, reason, `${result.stdout}${result.stderr}`);
  }
}
