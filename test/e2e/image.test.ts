// timeout: 1200s
/** deploy/Dockerfile's own steps, without Docker: a clone of what is committed becomes a root folder that starts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { must, run } from '../lab/process.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const DOCKERFILE = readFileSync(join(ROOT, 'deploy', 'Dockerfile'), 'utf8');

/** Instructions, with continued lines joined. */
const instructions = DOCKERFILE.replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

test('the Dockerfile runs one script, and takes nothing but its result into an empty image', () => {
  const [, last = ''] = DOCKERFILE.split(/^(?=FROM scratch$)/m);
  assert.equal(
    instructions.filter((line) => line.startsWith('RUN ')),
    ['RUN deploy/image/build.sh /rootfs'],
  );
  const copied = last.split('\n').filter((line) => /^(COPY|ADD) /.test(line));
  assert.equal(copied, ['COPY --from=build /rootfs /']);
  const [base = ''] = instructions;
  assert.is(base, 'FROM node:24-bookworm AS build');
});

test('the script makes a root folder out of a clone, in which the programs start without the machine around it', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'multus-image-build-'));
  try {
    const clone = join(scratch, 'clone');
    const rootfs = join(scratch, 'rootfs');
    await must('git', 'clone', '--quiet', '--depth=1', `file://${ROOT}`, clone);
    await must(join(clone, 'deploy', 'image', 'build.sh'), rootfs);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    for (const name of ['multusd', 'multus-cli', 'multus-standalone']) {
      const words = [rootfs, `/opt/multus-native/${name}`, '--version'];
      const { code, stdout, stderr } = await run('chroot', words, { env: { PATH: process.env['PATH'] } });
      assert.is(code, 0, `${name}: ${stderr}`);
      assert.is(stdout, `${version}\n`, name);
    }
    assert.equal(readdirSync(join(rootfs, 'opt', 'multus-native')).sort(), [
      ...[
        'multus',
        'multus-cli',
        'multus-credentials.cjs',
        'multus-standalone',
        'multus-yaml.cjs',
        'multus_native.node',
        'multusd',
      ],
    ]);
    for (const absent of ['bin', 'sbin', 'usr']) assert.not.ok(readdirSync(rootfs).includes(absent), absent);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test.run();
