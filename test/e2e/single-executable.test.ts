// timeout: 600s
/**
 * What hosts without Node are given, deploy/build-sea.mjs: every pod of such a node depends on it when the daemon is away.
 * The tests of test/node hold for it, both as the standalone program and as the daemon.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../lab/process.ts';
import { image } from './lab/image.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** No Node to be found. */
const env = { PATH: '/nonexistent' };

test('the shim answers a runtime by it where there is neither a daemon nor Node', async () => {
  const { programs } = await image();
  const config = { cniVersion: '1.1.0', name: 'n', type: 'multus', daemonSocketDir: '/nonexistent', delegates: [] };
  const request = { ...env, CNI_COMMAND: 'VERSION' };
  const { code, stdout, stderr } = await run(join(programs, 'multus'), [], {
    env: request,
    input: JSON.stringify(config),
  });
  assert.is(code, 0, stdout);
  assert.ok(JSON.parse(stdout).supportedVersions.includes('1.1.0'));
  assert.is(stderr, '', 'a runtime would log it for every pod');
});

test('people have their command by it', async () => {
  const { programs } = await image();
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const name of ['multus', 'multus-cli', 'multus-standalone', 'multusd']) {
    const { stdout, stderr } = await run(join(programs, name), ['--version'], { env });
    assert.is(stdout, `${version}\n`, `${name}: ${stderr}`);
  }
});

for (const file of ['test/node/attach.test.ts', 'test/node/doors.test.ts', 'test/e2e/kubernetes-node.test.ts']) {
  test(`${file} passes with it`, async () => {
    const { programs } = await image();
    assert.ok(existsSync(join(programs, 'multusd')));
    const env = { ...process.env, MULTUS_DIST: programs };
    const { code, stdout } = await run(process.execPath, [join(ROOT, 'test', 'run.mjs'), join(ROOT, file)], { env });
    assert.is(code, 0, stdout);
  });
}

test.run();
