// Pods that the primary network attached before the node was ours: their runtime asks us to delete them.
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { type Lab, referencePlugins } from '../lab/lab.ts';
import { run } from '../lab/process.ts';
import { assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** What the runtime ran while the node was the primary's alone. */
async function addByPrimary(lab: Lab, container: string): Promise<void> {
  const [primary] = lab.config['delegates'] as { type: string }[];
  const env = {
    PATH: process.env['PATH'],
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: container,
    CNI_NETNS: lab.netns('pod1'),
    CNI_IFNAME: 'eth0',
    CNI_PATH: referencePlugins(),
  };
  const plugin = join(referencePlugins(), String(primary?.type));
  const { code, stdout } = await run('nsenter', [`--net=${lab.netns('host')}`, plugin], {
    env,
    input: JSON.stringify(primary),
  });
  assert.is(code, 0, stdout);
}

// Every pod of a node on which we are installed would keep its address for ever: the primary's range runs dry.
eachDoor('a pod that the primary attached before us is deleted by the primary', async (lab) => {
  await lab.addNetns('pod1');
  await addByPrimary(lab, 'c1');
  assert.ok((await lab.leftovers('pod1')).length > 0);
  assertSilent(await lab.cni('DEL'));
  assert.equal(await lab.leftovers('pod1'), []);
  assertSilent(await lab.cni('DEL'));
});

// A DEL for a container that never was attached would take the interface of the one that is.
eachDoor("the DEL of a container whose ADD was refused leaves the other container's interface", async (lab) => {
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD'), '1.0.0');
  const before = await lab.linkSummary('pod1');
  assertError(await lab.cni('ADD', { container: 'c2' }), 104, '"eth0" exists in the pod already');
  assertSilent(await lab.cni('DEL', { container: 'c2' }));
  assert.equal(await lab.linkSummary('pod1'), before);
  assertSilent(await lab.cni('DEL'));
  assert.equal(await lab.leftovers('pod1'), []);
});

eachDoor('a DEL that the primary cannot do now is done later', async (lab) => {
  await lab.addNetns('pod1');
  await addByPrimary(lab, 'c1');
  lab.config['binDir'] = lab.binDir;
  const call = { env: { CNI_PATH: lab.binDir } };
  assertError(await lab.cni('DEL', call), 101, 'plugin "ptp" of network "lab-default"');
  for (const plugin of ['ptp', 'host-local']) symlinkSync(join(referencePlugins(), plugin), join(lab.binDir, plugin));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

test.run();
