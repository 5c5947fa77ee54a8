import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readDaemonConfig } from '../../../src/node-config/read-daemon-config.ts';
import { StartError } from '../../../src/node-config/start-error.ts';
import { refusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

test('readDaemonConfig() refuses a file that was named and is not there, and does without the usual one', () => {
  const isNamed = (error: unknown): boolean =>
    error instanceof StartError && error.exitCode === 1 && error.message.includes(folder.at('absent.json'));
  assert.throws(() => readDaemonConfig(folder.at('absent.json')), isNamed);
  assert.is(readDaemonConfig(undefined, folder.at('absent.json')), undefined);
});

test('readDaemonConfig() reads the usual file when none is named, and refuses it when it is damaged', () => {
  assert.is(readDaemonConfig(undefined, folder.write('usual.json', '{"connectionLimit":3}'))?.connectionLimit, 3);
  const path = folder.write('usual.json', '{"connectionLimit":3');
  const { code, message } = refusal(() => readDaemonConfig(undefined, path));
  assert.is(code, 6);
  assert.ok(message.includes(path), message);
});

test.run();
