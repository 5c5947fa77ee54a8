import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { install } from '../../../src/cli/install.ts';
import { usualCniDir } from '../../../src/cli/node-folders.ts';
import { writeThinConfig } from '../../../src/cli/thin-config.ts';
import { type ReportOptions, reportUninstall } from '../../../src/cli/uninstall-report.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const run = (more: Partial<ReportOptions> = {}) =>
  reportUninstall({
    binDir: folder.at('bin'),
    cniDir: folder.at('state'),
    socketDir: folder.at('run'),
    log: new FakeLog(),
    path: process.env['PATH'],
    runtimeCache: folder.at('results'),
    ...more,
  });

async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing was refused',
    (error: Error) => error.message,
  );
}

/** A thin node, whose runtime reads no usual folder. */
async function setUp(): Promise<void> {
  for (const name of ['multus', 'multus-standalone', 'multus-credentials.cjs', 'multus-yaml.cjs', 'multus_native.node'])
    folder.write(`from/${name}`, '\x7fELF');
  folder.write('net.d/10-ptp.conf', '{"cniVersion":"1.0.0","name":"node","type":"ptp"}');
  folder.write('other/10-ptp.conf', '{"cniVersion":"1.0.0","name":"node","type":"ptp"}');
  await install({ from: folder.at('from'), binDir: folder.at('bin'), cniDir: folder.at('state') });
  await writeThinConfig({ confDir: folder.at('net.d'), cniDir: folder.at('state') }, new FakeLog());
}

// The runtime would look for programs that are gone: no pod of the node could start or end.
test('uninstall removes the configuration where it was written, whatever --conf-dir says', async () => {
  for (const more of [{}, { confDir: folder.at('other') }]) {
    await setUp();
    await run(more);
    assert.equal(readdirSync(folder.at('net.d')), ['10-ptp.conf']);
    assert.not.ok(existsSync(folder.at('bin/multus')));
  }
});

test('a --conf-dir that is no folder is refused before anything is removed', async () => {
  await setUp();
  for (const [name, why] of [
    ['nope', 'it is not there'],
    ['net.d/10-ptp.conf', 'it is a file'],
  ] as const) {
    const confDir = folder.at(name);
    assert.is(
      await refusal(run({ confDir })),
      `option '--conf-dir <dir>' must be the folder of the runtime's configurations, got "${confDir}": ${why}`,
    );
  }
  assert.ok(existsSync(folder.at('net.d/00-multus.conf')));
});

// The journal that tells of pods is there: an empty one elsewhere would let the programs go while pods are attached.
test('a state directory that is not the one of the configuration is refused', async () => {
  await setUp();
  assert.is(
    await refusal(run({ cniDir: folder.at('usual'), confDir: folder.at('net.d') })),
    `${folder.at('net.d/00-multus.conf')} names cniDir ${folder.at('state')}; give --cni-dir ${folder.at('state')}`,
  );
  assert.ok(existsSync(folder.at('net.d/00-multus.conf')));
});

// "Nothing is attached", it would say of another folder.
test('ps and forget look where the configuration that the runtime reads says', async () => {
  await setUp();
  assert.is(usualCniDir(folder.at('net.d')), folder.at('state'));
  assert.is(usualCniDir(folder.at('other')), '/var/lib/cni/multus');
  assert.is(usualCniDir(folder.at('nope')), '/var/lib/cni/multus');
});

// Debian's plugins are in /usr/lib/cni: the node would never be given back for --verify.
test("--verify finds the primary's plugins where the configuration or --plugin-dir says", async () => {
  await setUp();
  chmodSync(folder.write('lib/ptp', ''), 0o755);
  const needs = `${folder.at('net.d/10-ptp.conf')} needs the plugin ptp, which is`;
  const without = await run({ verify: true });
  assert.equal(without.problems, [
    `${needs} not in ${folder.at('bin')}; if the runtime looks in another folder, name it with --plugin-dir`,
  ]);
  const confDir = folder.at('net.d');
  const { output, problems } = await run({ verify: true, confDir, pluginDir: [folder.at('nope'), folder.at('lib')] });
  assert.equal(problems, []);
  assert.match(output, `note: ${needs} in ${folder.at('lib')}\n`);

  await setUp();
  const text = JSON.parse(readFileSync(folder.at('net.d/00-multus.conf'), 'utf8'));
  folder.write('net.d/00-multus.conf', JSON.stringify({ ...text, binDir: folder.at('lib') }));
  assert.equal((await run({ verify: true })).problems, []);
});

test('a list of what was installed that is damaged is told, and kept', async () => {
  await setUp();
  folder.write('state/.install.json', '{"version":"1","files":[');
  assert.match(await refusal(run()), `${folder.at('state/.install.json')} is damaged: `);
  assert.ok(existsSync(folder.at('state/.install.json')));
  assert.ok(existsSync(folder.at('net.d/00-multus.conf')));
});

test.run();
