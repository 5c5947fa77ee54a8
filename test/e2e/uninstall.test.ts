// timeout: 300s
// A node is given back while containerd runs pods that we attached, and they end by its own rules.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST } from '../lab/lab.ts';
import type { Finished } from '../lab/process.ts';
import { assertNetworks, DEFINITIONS, PRIMARY, THREE_NETWORKS } from './lab/networks.ts';
import type { LabNode } from './lab/node.ts';
import { KINDS, onNode } from './lab/on-node.ts';

function multus({ runtime }: LabNode, command: string, ...options: string[]): Promise<Finished> {
  const folders = ['--bin-dir', runtime.cniBinDir, ...options];
  return runtime.machine.run(join(DIST, 'multus'), [command, ...folders]);
}

const uninstall = (node: LabNode): Promise<Finished> =>
  multus(node, 'uninstall', '--verify', '--conf-dir', node.runtime.cniConfDir);

for (const kind of KINDS) {
  // Field notes A7: after Multus is removed, no pod can be started or deleted on the node.
  onNode('uninstall: pods keep their networks, new ones get the primary, all can be deleted', kind, async (node) => {
    const { runtime } = node;
    node.manifest('networks.yaml', ...DEFINITIONS);
    assert.is((await multus(node, 'install')).code, 0);
    const before = await runtime.run({ name: 'web', uid: 'uid-web', annotations: THREE_NETWORKS });
    if (node.mode === 'thick') {
      assert.match((await uninstall(node)).stdout, 'waits for multusd');
      await node.endDaemon();
    }
    const first = await uninstall(node);
    assert.is(first.code, 1, first.stdout);
    assert.match(first.stdout, 'waits for pod default/web');
    await runtime.hasConfig(PRIMARY.name);

    await assertNetworks(runtime, before.id);
    const after = await runtime.run({ name: 'late', uid: 'uid-late', annotations: THREE_NETWORKS });
    await assertNetworks(runtime, after.id, 0);
    for (const { id } of [before, after]) {
      await runtime.stopSandbox(id);
      await runtime.remove(id);
    }
    const second = await uninstall(node);
    assert.is(second.code, 0, second.stdout + second.stderr);
    assert.not.ok(readdirSync(runtime.cniBinDir).some((name) => /multus|passthru/.test(name)));
    assert.equal(readdirSync(runtime.cniConfDir), ['10-primary.conflist']);
    assert.is(await runtime.networkProblem(), '');
  });
}

test.run();
