import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { RequestLogs } from '../../../src/daemon/request-logs.ts';
import { type LogSettings, NO_LOG_SETTINGS } from '../../../src/pod/log-settings.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const OWN: LogSettings = { ...NO_LOG_SETTINGS, toStderr: false };
const config = (keys: Record<string, unknown>): RawObject =>
  RawObject.parse(JSON.stringify({ logToStderr: false, ...keys }), 'configuration');

function messages(name: string): string[] {
  if (!existsSync(folder.at(name))) return [];
  const lines = readFileSync(folder.at(name), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line).msg);
}

// Multus's weak point 28: each request sets level and file for the whole process.
test('requests log to their own files at their own levels, and change nothing for others', () => {
  const logs = new RequestLogs({ ...OWN, file: folder.at('own') }, 'info');
  const one = logs.of(config({ logFile: folder.at('one'), logLevel: 'debug' }));
  const two = logs.of(config({ logFile: folder.at('two'), logLevel: 'error' }));
  for (const [name, log] of Object.entries({ own: logs.own, one, two })) {
    log.debug({}, `${name} debug`);
    log.error({}, `${name} error`);
  }
  assert.equal(messages('own'), ['own error']);
  assert.equal(messages('one'), ['one debug', 'one error']);
  assert.equal(messages('two'), ['two error']);
});

test('a request that says nothing of its log, or something wrong, is told in the daemon’s', () => {
  const logs = new RequestLogs({ ...OWN, file: folder.at('own'), level: 'error' }, 'debug');
  assert.is(logs.of(config({ logFile: folder.at('own'), logLevel: 'error' })), logs.own);
  assert.is(logs.of(config({ logLevel: 'loud' })), logs.own);
  logs.own.debug({}, 'the command line’s level');
  assert.equal(messages('own'), ['the command line’s level']);
});

test('requests of one configuration share one open file', () => {
  const logs = new RequestLogs(OWN, 'info');
  const keys = { logFile: folder.at('one') };
  assert.is(logs.of(config(keys)), logs.of(config(keys)));
});

test.run();
