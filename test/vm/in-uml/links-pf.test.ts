/**
 * PFs that are in a bond, as nodes have them for their own traffic. A user loses: VFs that are not found because their
 * card looks like a part of something else.
 */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { native } from '../../../src/node/native.ts';
import { must } from '../../lab/process.ts';
import { kernelTest } from '../../native/kernel-test.ts';
import { Netdevsim } from '../lab/netdevsim.ts';

kernelTest('a PF in a bond is known by its device and says what its VFs are set to', async (netns) => {
  const device = new Netdevsim(2);
  try {
    await must('ip', 'link', 'set', device.link, 'netns', netns.name);
    netns.ip('link add bond0 type bond mode active-backup');
    netns.ip(`link set ${device.link} master bond0`);
    netns.ip(`link set ${device.link} vf 1 vlan 210 qos 2`);
    const link = await native().getLink(netns.socket, device.link);
    assert.is(link.masterIndex, netns.indexOf('bond0'));
    assert.is(link.parentBus, 'netdevsim');
    assert.is(link.parentDevice, device.name);
    const { numVfs, vfs } = await native().getVfs(netns.socket, link.index);
    assert.is(numVfs, 2);
    assert.equal(
      vfs.map(({ index, vlan, qos }) => ({ index, vlan, qos })),
      [
        { index: 0, vlan: 0, qos: 0 },
        { index: 1, vlan: 210, qos: 2 },
      ],
    );
    // the bond itself is no PF
    assert.is((await native().getVfs(netns.socket, link.masterIndex)).numVfs, null);
  } finally {
    device.remove();
  }
});

test.run();
