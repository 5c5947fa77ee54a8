// timeout: 300s
// The first real runtimes: containerd 1.x and 2.x run sandboxes through our shim, with a daemon and without one.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNetworks, DEFINITIONS, definition, THREE_NETWORKS } from './lab/networks.ts';
import { KINDS, onNode } from './lab/on-node.ts';

for (const kind of KINDS) {
  // The folder has the definitions but no pod: without the runtime's annotations the pod would not start at all.
  onNode('a sandbox gets the networks that its annotations ask for, and leaves nothing', kind, async (node) => {
    const { runtime } = node;
    node.manifest('networks.yaml', ...DEFINITIONS);
    assert.is(await runtime.networkProblem(), '');
    const pod = { name: 'web', uid: 'uid-web', annotations: THREE_NETWORKS };
    const { id } = await runtime.run(pod);
    const addresses = await assertNetworks(runtime, id);
    assert.is((await runtime.status(id)).ip, addresses.get('eth0'));

    const plain = await runtime.run({ name: 'plain', uid: 'uid-plain' });
    await assertNetworks(runtime, plain.id, 0);
    assert.equal(node.records().sort(), [id, plain.id].sort());
    // What the end of the test looks for is there now.
    const there = await node.leftovers();
    for (const what of [/^sandbox /, /^link veth/, /multus\/[0-9a-f]{64}$/, /networks\/fast\//, /results\//, /netns/]) {
      assert.ok(
        there.some((one) => what.test(one)),
        `${what} in ${there.join('\n')}`,
      );
    }

    await runtime.stopSandbox(id);
    assert.equal(node.records(), [plain.id]);
    await runtime.stopSandbox(id); // the kubelet repeats it
    await runtime.remove(id);
    await runtime.remove(plain.id);
  });

  // Its users would look for the reason in vain, or the pod would start without a network.
  onNode('a network that fails fails RunPodSandbox with our message, and undoes the others', kind, async (node) => {
    const { runtime } = node;
    const plugin =
      '#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\necho \'{"cniVersion":"1.0.0","code":123,"msg":"no free port on switch tor-7"}\'; exit 1\n';
    writeFileSync(join(runtime.cniBinDir, 'failing'), plugin, { mode: 0o755 });
    node.manifest('networks.yaml', ...DEFINITIONS, definition('bad', { type: 'failing' }));
    const refusal = (name: string, networks: string): Promise<string> => {
      const annotations = { 'k8s.v1.cni.cncf.io/networks': networks };
      return runtime.run({ name, uid: `uid-${name}`, annotations }).then(
        () => assert.unreachable(`${name} was started`) ?? '',
        (error: Error) => error.message,
      );
    };
    assert.match(
      await refusal('unlucky', 'lan,fast,bad'),
      /plugin "failing" of network "default\/bad": no free port on switch tor-7/,
    );
    assert.match(await refusal('typo', 'lan,storrage'), /Cannot find network "default\/storrage"/);
  });

  // A restart of the runtime would cost running pods their networks, or leave them behind.
  onNode('sandboxes outlive a restart of the runtime and are detached after it', kind, async (node) => {
    const { runtime } = node;
    node.manifest('networks.yaml', ...DEFINITIONS);
    const { id } = await runtime.run({ name: 'web', uid: 'uid-web', annotations: THREE_NETWORKS });
    await runtime.restart();
    await assertNetworks(runtime, id);
    await runtime.remove(id);
  });
}

test.run();
