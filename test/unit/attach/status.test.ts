import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { status } from '../../../src/attach/status.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const LIST = { cniVersion: '1.1.0', name: 'node', plugins: [{ type: 'bridge' }, { type: 'portmap' }] };

function question(config: Record<string, unknown>, plugins: FakeRunnerOptions = {}) {
  const runner = new FakeRunner(plugins);
  return { runner, run: () => status(fakeOperation({ command: 'STATUS', cniDir: folder.path, runner, config })) };
}

test('passes the code of a plugin that is not ready: the runtime keeps pods away from this node', async () => {
  const onFeed = () => ({ exitCode: 1, stdout: Buffer.from('{"code":50,"msg":"no pool","details":"d"}') });
  const { run, runner } = question({ delegates: [LIST] }, { onFeed });
  const message = 'plugin "bridge" of network "node": no pool';
  assert.equal(await laterRefusal(run), { code: 50, message, details: 'd' });
  assert.equal(runner.calls, ['STATUS bridge']);
});

test('a node without its default network is not ready', async () => {
  const { code, message } = await laterRefusal(question({ clusterNetwork: 'absent', confDir: folder.path }).run);
  assert.is(code, 7);
  assert.match(message, `Cannot find network "absent": no configuration file in ${folder.path} has that name`);
});

test('asks every plugin of every static network, without anything of a container', async () => {
  const { run, runner } = question({ delegates: [LIST, { cniVersion: '1.1.0', name: 'b', type: 'ptp' }] });
  await run();
  assert.equal(runner.calls, ['STATUS bridge', 'STATUS portmap', 'STATUS ptp']);
  for (const { env } of runner.runs) {
    assert.equal([env['CNI_CONTAINERID'], env['CNI_NETNS'], env['CNI_IFNAME']], [undefined, undefined, undefined]);
    assert.is(env['CNI_PATH'], '/opt/cni/bin:/usr/lib/cni');
  }
  assert.is(runner.runs[1]?.stdin, '{"type":"portmap","name":"node","cniVersion":"1.1.0"}');
});

test('does not ask plugins of a version that does not know STATUS: the node would never be ready', async () => {
  const { run, runner } = question({ delegates: [{ cniVersion: '1.0.0', name: 'node', type: 'bridge' }] });
  await run();
  assert.equal(runner.calls, []);
});

test.run();
