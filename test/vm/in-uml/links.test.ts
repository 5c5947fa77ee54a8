// timeout: 240s
/**
 * Kinds of links that machines for tests rarely have, on kernels before and after a link could be renamed while it is
 * up (6.2). A user loses: a VLAN or IPVLAN interface under the wrong name, or a pod that lost its routes by a rename.
 */
import { closeSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../../src/node/native.ts';
import { kernelTest } from '../../native/kernel-test.ts';
import { ScratchNetns } from '../../native/scratch-netns.ts';

const kernel = process.env['MULTUS_LAB_KERNEL'] ?? '';
if (process.env['MULTUS_LAB'] !== 'uml') throw new Error('This wants user-mode Linux: npm run lab -- uml FILE');
/** A rename of a link that is up is refused with EBUSY before Linux 6.2. */
const takesDown = kernel === '6.1';

/** What `ip link add link base0 name <name> type ...` makes, by kind. */
const ON_PARENT: Record<string, string> = {
  vlan: 'vlan id 210',
  ipvlan: 'ipvlan mode l2',
  vxlan: 'vxlan id 7 dev base0 dstport 4789',
};

/** A link of a kind on a dummy that is up, itself up with an address and a route. @returns its index */
function addOnParent(netns: ScratchNetns, kind: string): number {
  netns.ip('link add base0 type dummy');
  netns.ip('link set base0 up');
  netns.ip(`link add link base0 name first type ${ON_PARENT[kind]}`);
  netns.ip('addr add 10.1.0.2/24 dev first');
  netns.ip('link set first up');
  netns.ip('route add 10.9.0.0/16 via 10.1.0.1 dev first');
  return netns.indexOf('first');
}

kernelTest('getLink() tells the kind and the parent of what lies on another link', async (netns) => {
  netns.ip('link add base0 type dummy');
  const parent = await native().getLink(netns.socket, 'base0');
  assert.is(parent.kind, 'dummy');
  assert.is(parent.parentIndex, 0);
  for (const kind of Object.keys(ON_PARENT)) {
    netns.ip(`link add link base0 name ${kind}0 type ${ON_PARENT[kind]}`);
    const link = await native().getLink(netns.socket, `${kind}0`);
    assert.is(link.kind, kind);
    assert.is(link.parentNsid, -1, kind);
    // a VXLAN's device is no parent: the kernel says it in the kind's own attributes
    assert.is(link.parentIndex, kind === 'vxlan' ? 0 : parent.index, kind);
  }
});

kernelTest('getLink() tells the master of what is in a VRF or a bond', async (netns) => {
  for (const [master, kind] of [
    ['vrf0', 'vrf table 10'],
    ['bond0', 'bond mode active-backup'],
  ] as const) {
    netns.ip(`link add ${master} type ${kind}`);
    netns.ip(`link add in-${master} type dummy`);
    netns.ip(`link set in-${master} master ${master}`);
    const link = await native().getLink(netns.socket, `in-${master}`);
    assert.is(link.masterIndex, netns.indexOf(master));
    assert.is((await native().getLink(netns.socket, master)).kind, kind.split(' ')[0]);
  }
});

// Where the parent is on the node, its index is another link's in the pod.
kernelTest('a link that moved to a pod knows its parent by namespace', async (node) => {
  const pod = new ScratchNetns();
  const target = native().openNetns(pod.path);
  try {
    for (const kind of ['vlan', 'ipvlan']) {
      if (kind === 'vlan') node.ip('link add base0 type dummy');
      node.ip(`link add link base0 name moving type ${ON_PARENT[kind]}`);
      await native().moveLink(node.socket, node.indexOf('moving'), target.fd, `${kind}0`);
      const link = await native().getLink(pod.socket, `${kind}0`);
      assert.is(link.kind, kind);
      assert.is(link.parentIndex, node.indexOf('base0'), kind);
      assert.ok(link.parentNsid >= 0, kind);
    }
  } finally {
    closeSync(target.fd);
    pod.remove();
  }
});

for (const kind of Object.keys(ON_PARENT)) {
  kernelTest(
    `renameLink() of a ${kind} that is up ${takesDown ? 'says that it went down' : 'loses nothing'}`,
    async (netns) => {
      const index = addOnParent(netns, kind);
      const { wentDown } = await native().renameLink(netns.socket, index, 'net1');
      assert.is(wentDown, takesDown);
      const link = await native().getLink(netns.socket, 'net1');
      assert.is(link.index, index);
      assert.ok(link.up);
      const { addresses, routes } = await native().snapshot(netns.socket);
      const own = addresses.filter((one) => one.index === index && one.family === 4).map(({ address }) => address);
      assert.equal(own, ['10.1.0.2']);
      // What a rename on the old kernel loses, and why it tells that the link was down.
      assert.is(
        routes.some(({ dst }) => dst === '10.9.0.0/16'),
        !takesDown,
      );
    },
  );
}

test.run();
