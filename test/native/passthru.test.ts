/** `passthru`: the shim under another name, as `multus install` puts it beside the others. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Finished, run } from '../lab/process.ts';

const built = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'Release', 'multus');

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-test-'));
  copyFileSync(built, join(folder, 'passthru'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

const call = (command: string, config: unknown = { cniVersion: '1.0.0', name: 'n', type: 'passthru' }) =>
  run(join(folder, 'passthru'), [], {
    env: { CNI_COMMAND: command, CNI_CONTAINERID: 'c', CNI_NETNS: '/proc/self/ns/net', CNI_IFNAME: 'net1' },
    input: typeof config === 'string' ? config : JSON.stringify(config),
  });

const said = ({ code, stdout }: Finished): unknown => [code, stdout === '' ? '' : JSON.parse(stdout)];

// Multus's drops it: the next plugin of the chain, and the pod's status, know of no address (weak point 15).
test('ADD hands on the result of the plugin before it, with every byte of it', async () => {
  const result = '{ "cniVersion": "1.0.0", "ips": [{"address":"10.0.0.2/24"}], "own": 9007199254740993 }';
  const config = `{"cniVersion":"1.0.0","name":"n","type":"passthru","prevResult":${result}}`;
  const { code, stdout } = await call('ADD', config);
  assert.equal([code, stdout], [0, `${result}\n`]);
});

test('ADD as the first of a chain answers with an empty result in the version of its configuration', async () => {
  for (const cniVersion of ['0.3.1', '1.1.0']) {
    assert.equal(said(await call('ADD', { cniVersion, name: 'n', type: 'passthru' })), [0, { cniVersion }]);
  }
  const none = { cniVersion: '1.0.0', type: 'passthru', prevResult: null };
  assert.equal(said(await call('ADD', none)), [0, { cniVersion: '1.0.0' }]);
});

test('the other commands succeed and say nothing; VERSION says which versions', async () => {
  for (const command of ['DEL', 'CHECK', 'STATUS', 'GC']) assert.equal(said(await call(command)), [0, '']);
  const { stdout } = await call('VERSION', '');
  assert.ok(JSON.parse(stdout).supportedVersions.includes('1.1.0'));
});

// By any other way than its name the shim would ask the daemon, which would attach the pod inside of its own ADD.
test('what it cannot understand is an error of its own, and no daemon is asked', async () => {
  for (const text of ['', '[]', '{"cniVersion":']) {
    const { code, stdout } = await call('ADD', text);
    assert.equal([code, JSON.parse(stdout).code], [1, 6]);
  }
  const { code, stdout } = await call('NONSENSE');
  assert.equal([code, JSON.parse(stdout).code], [1, 4]);
});

test.run();
