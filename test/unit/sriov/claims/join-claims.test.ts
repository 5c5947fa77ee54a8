import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimOf } from '../../../../src/sriov/claims/claim.ts';
import { joinFiles } from '../../../../src/sriov/claims/join-claims.ts';

const VF = { address: '0000:01:10.0' };
const cache = (containerId: string) =>
  claimOf('sriov-cache', `/c/${containerId}-net1`, { ...VF, containerId, ifName: 'net1', settings: {} });
const pciFile = (netnsPath: string) => claimOf('pci-file', '/c/pci/0000:01:10.0', { ...VF, netnsPath });
const journal = (containerId: string, netnsPath: string) =>
  claimOf('journal', `/j/${containerId}`, {
    ...VF,
    ...{
      containerId,
      netnsPath,
      ifName: 'net1',
      pod: 'prod/web',
      network: 'prod/north',
      netns: { dev: '4', ino: '7' },
    },
  });

const shown = (claims: ReturnType<typeof joinFiles>) =>
  claims.map(({ source, containerId, pod, netnsPath }) => [source, containerId, pod, netnsPath]);

// The report would name files and no pods.
test('joinFiles() gives the files of sriov-cni the pod that the journal has', () => {
  const claims = joinFiles([pciFile('/n/1'), cache('c1')], [journal('c1', '/n/1')], new Map([['c1', 'prod/web']]));
  assert.equal(shown(claims), [
    ['pci-file', 'c1', 'prod/web', '/n/1'],
    ['sriov-cache', 'c1', 'prod/web', '/n/1'],
  ]);
  assert.equal([claims[1]?.network, claims[1]?.netns], ['prod/north', { dev: '4', ino: '7' }]);
});

// Without a journal of ours (sriov-cni alone), nobody would know in which namespace the VF belongs.
test('joinFiles() takes the namespace of a cache from the file of its VF', () => {
  assert.equal(shown(joinFiles([pciFile('/n/1'), cache('c1')], [], new Map())), [
    ['pci-file', 'c1', '', '/n/1'],
    ['sriov-cache', 'c1', '', '/n/1'],
  ]);
});

// A VF that an earlier container left would be told of the wrong pod.
test('joinFiles() leaves open whose a file is that two could have', () => {
  assert.equal(shown(joinFiles([pciFile('/n/1'), cache('c1'), cache('c2')], [], new Map())), [
    ['pci-file', '', '', '/n/1'],
    ['sriov-cache', 'c1', '', ''],
    ['sriov-cache', 'c2', '', ''],
  ]);
});

test('joinFiles() does not give the file of a dead namespace to the container that has the VF now', () => {
  const claims = joinFiles([pciFile('/n/old'), cache('c1')], [journal('c1', '/n/1')], new Map());
  assert.equal(shown(claims), [
    ['pci-file', '', '', '/n/old'],
    ['sriov-cache', 'c1', 'prod/web', '/n/1'],
  ]);
});

test('joinFiles() names the pod of a container whose VF the journal does not know', () => {
  const claims = joinFiles([cache('c1')], [], new Map([['c1', 'prod/web']]));
  assert.equal(shown(claims), [['sriov-cache', 'c1', 'prod/web', '']]);
});

test.run();
