import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { levelNamed, openLog, targetOf } from '../../../src/log/open-log.ts';
import { LOG_LEVELS, type LogLevel, NO_LOG_SETTINGS } from '../../../src/pod/log-settings.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

/** Levels of the lines that get into a file. */
async function linesAt(level: LogLevel | undefined, fallback = 'warn'): Promise<string[]> {
  const file = folder.at(`${level}-${fallback}.log`);
  const { log, settled } = openLog({ ...targetOf({ ...NO_LOG_SETTINGS, level, file }, fallback), toStderr: false });
  for (const one of ['debug', 'info', 'warn', 'error', 'fatal'] as const) log[one]({}, one);
  await settled();
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line).msg);
}

// An operator who asks for errors must not get a line for every pod, nor lose one who asks for everything.
test('each level of Multus and the TKE fork lets through what it names, and what is worse', async () => {
  const all = ['debug', 'info', 'warn', 'error', 'fatal'];
  const from: Record<LogLevel, string> = {
    debug: 'debug',
    verbose: 'info',
    info: 'info',
    error: 'error',
    panic: 'fatal',
  };
  for (const level of LOG_LEVELS) assert.equal(await linesAt(level), all.slice(all.indexOf(from[level])), level);
  assert.equal(await linesAt(undefined), ['warn', 'error', 'fatal']);
  assert.equal(await linesAt(undefined, 'error'), ['error', 'fatal']);
});

test('levelNamed() takes the words of both worlds, and nothing else', () => {
  const words = ['DEBUG', 'Verbose', 'info', 'warn', 'error', 'panic', 'silent'];
  assert.equal(words.map(levelNamed), ['debug', 'info', 'info', 'warn', 'error', 'fatal', 'silent']);
  for (const word of ['', 'loud', '0', 'constructor']) assert.is(levelNamed(word), undefined, word);
});

test('targetOf() writes to stderr unless told otherwise', () => {
  assert.is(targetOf(NO_LOG_SETTINGS, 'info').toStderr, true);
  assert.is(targetOf({ ...NO_LOG_SETTINGS, toStderr: false }, 'info').toStderr, false);
});

test.run();
