import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { type LogSettings, logSettingsOf, NO_LOG_SETTINGS } from '../../../src/pod/log-settings.ts';

const read = (text: string): LogSettings | undefined => logSettingsOf(RawObject.parse(text, 'x'));

test('reads every key, those of logOptions in any letter case as Go does', () => {
  const options = '{"maxage":1,"maxSize":2,"MAXBACKUPS":3,"compress":false}';
  assert.equal(read(`{"logFile":"/l","logLevel":"Verbose","logToStderr":false,"logOptions":${options}}`), {
    file: '/l',
    level: 'verbose',
    toStderr: false,
    rotation: { maxAge: 1, maxSize: 2, maxBackups: 3, compress: false },
  });
});

// A file that grows for ever fills the node's disk.
test("rotates by Multus's defaults when nothing is said, and by its size when 0 is", () => {
  const rotation = { maxAge: 5, maxSize: 100, maxBackups: 5, compress: true };
  assert.equal(read('{}'), { file: '', level: undefined, toStderr: undefined, rotation });
  assert.equal(read('{}'), NO_LOG_SETTINGS);
  assert.is(read('{"logOptions":{"maxSize":0}}')?.rotation.maxSize, 100);
});

// The log is opened before the configuration is refused: for that very refusal.
test('logSettingsOf() does not throw for keys that the configuration is refused for', () => {
  for (const text of ['{"logFile":5}', '{"logLevel":"loud"}', '{"logToStderr":"no"}', '{"logOptions":[]}']) {
    assert.is(read(text), undefined, text);
  }
});

test.run();
