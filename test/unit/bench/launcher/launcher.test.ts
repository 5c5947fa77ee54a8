/** What the bench says of an operation is what the launcher says of its processes. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildLauncher, type Execution, Launcher } from '../../../bench/launcher/launcher.ts';
import { withFolder } from '../../../lab/with-folder.ts';

/** A shell as a plugin: its script is what it reads from stdin. */
const shell = (stdin: string, env: Record<string, string> = {}): Execution => ({ path: '/bin/sh', env, stdin });

function withLauncher(name: string, body: (launcher: Launcher, folder: string) => Promise<void>): void {
  test(name, () =>
    withFolder(join(tmpdir(), 'multus-launcher-'), async (folder) => {
      const program = join(folder, 'launcher');
      await buildLauncher(program);
      const launcher = new Launcher([program]);
      await body(launcher, folder);
      await launcher.close();
    }),
  );
}

withLauncher('a job ends with its first execution that fails, and others go on', async (launcher) => {
  const failing = [shell('echo one'), shell('echo two; echo why >&2; exit 3'), shell('echo three')];
  const [failed, killed, fine] = await launcher.run([failing, [shell('kill -9 $$')], [shell('echo fine')]], 2);
  assert.equal([failed?.code, failed?.stdout, failed?.stderr], [3, ['one\n', 'two\n'], 'why\n']);
  assert.equal([killed?.code, killed?.stdout], [-9, ['']]);
  assert.equal([fine?.code, fine?.stdout], [0, ['fine\n']]);
});

withLauncher('a plugin has the environment of its execution only', async (launcher) => {
  const [done] = await launcher.run([[shell('echo $CNI_COMMAND/$HOME', { CNI_COMMAND: 'ADD' })]], 1);
  assert.equal(done?.stdout, ['ADD/\n']);
});

withLauncher('more output than is kept neither blocks the plugin nor harms the next one', async (launcher) => {
  const much = shell(
    'i=0; while [ $i -lt 3000 ]; do echo "0123456789 0123456789 0123456789 0123456789"; i=$((i+1)); done',
  );
  const [done, next] = await launcher.run([[much], [shell('echo next')]], 1);
  assert.equal([done?.code, done?.stdout[0]?.length], [0, 65536]);
  assert.equal(next?.stdout, ['next\n']);
});

withLauncher('as many jobs run at a time as asked', async (launcher, folder) => {
  const [there, back] = [join(folder, 'there'), join(folder, 'back')];
  const meet = (first: string, second: string) => [shell(`${first}\n${second}`)];
  const makeFifos = [shell(`mkfifo ${there} ${back}`, { PATH: process.env['PATH'] ?? '' })];
  await launcher.run([makeFifos], 1);
  // Each waits for the other.
  const both = [meet(`echo >${there}`, `read x <${back}`), meet(`read x <${there}`, `echo >${back}`)];
  const met = await launcher.run(both, 2);
  assert.equal(
    met.map(({ code }) => code),
    [0, 0],
  );
  const inTurn = await launcher.run([[shell('echo')], [shell('echo')]], 1);
  const [first, second] = inTurn.map(({ startMs }) => startMs);
  assert.ok((first ?? 0) + (inTurn[0]?.durationMs ?? 0) <= (second ?? 0), JSON.stringify(inTurn));
});

withLauncher('the CPU of a job is that of all its processes', async (launcher) => {
  const busy = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';
  const [idle, own, child] = await launcher.run([[shell('')], [shell(busy)], [shell(`(${busy}); true`)]], 1);
  for (const one of [own, child]) assert.ok((one?.cpuMs ?? 0) > 2 * (idle?.cpuMs ?? 0), JSON.stringify([idle, one]));
});

test.run();
