import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Options, settingsOf } from '../../../src/daemon/settings.ts';
import { readDaemonConfig } from '../../../src/node-config/read-daemon-config.ts';
import { StartError } from '../../../src/node-config/start-error.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const settings = (file: Record<string, unknown> | undefined, options: Partial<Options> = {}) =>
  settingsOf(
    { reconcileInterval: 60, ...options },
    file === undefined ? undefined : readDaemonConfig(folder.write('d.json', JSON.stringify(file))),
  );

function startError(run: () => unknown): StartError {
  try {
    run();
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  }
  return assert.unreachable('must throw a StartError') as never;
}

// Multus's daemon ends so, and whoever watches it knows the code.
test('settingsOf() refuses a connection limit that lets nobody in, with exit code 3', () => {
  for (const connectionLimit of [0, -1]) {
    const { exitCode, message } = startError(() => settings({ connectionLimit }));
    assert.is(exitCode, 3);
    assert.ok(message.endsWith(`"connectionLimit" must be a whole number from 1, got ${connectionLimit}`), message);
  }
});

test('settingsOf() without a file and options is what it was before there was a file', () => {
  const { log, nodeKeys, ...rest } = settings(undefined);
  assert.is(nodeKeys.text, '{"cniDir":"/var/lib/cni/multus"}');
  assert.is(log.file, '');
  assert.equal(rest, {
    socketDir: '/run/multus',
    stateDirectories: ['/var/lib/cni/multus'],
    maxOperations: 32,
    logLevel: 'info',
    overlay: {},
    notes: [],
  });
});

const FILE = { socketDir: '/s', cniDir: '/state', connectionLimit: 5, logLevel: 'Error', metricsPort: 9091 };

test('settingsOf() takes what the file says', () => {
  const { socketDir, stateDirectories, maxOperations, logLevel, overlay, notes } = settings(FILE);
  assert.equal([socketDir, maxOperations, logLevel], ['/s', 5, 'error']);
  assert.equal(overlay, { cniDir: '"/state"', logLevel: '"Error"' });
  assert.is(notes.length, 1);
  // Before the file was there, or before the daemon came, pods were attached by the other one.
  assert.equal(stateDirectories, ['/var/lib/cni/multus', '/state']);
});

test('settingsOf() lets the command line win over the file', () => {
  const options = { socketDir: '/o', cniDir: '/other', maxOperations: 9, logLevel: 'debug' };
  const { socketDir, stateDirectories, maxOperations, logLevel } = settings(FILE, options);
  assert.equal([socketDir, maxOperations, logLevel], ['/o', 9, 'debug']);
  assert.equal(stateDirectories, ['/other', '/state']);
});

test.run();
