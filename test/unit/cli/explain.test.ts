import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explain } from '../../../src/cli/explain.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

// Whoever asks before the pod is there, or on another machine, would get an error about the kubelet.
test('explain() says which networks take a device, without asking for one', async () => {
  const nad = {
    kind: 'NetworkAttachmentDefinition',
    metadata: { name: 'fast', annotations: { 'k8s.v1.cni.cncf.io/resourceName': 'intel.com/sriov' } },
    spec: { config: '{"cniVersion":"1.0.0","type":"sriov"}' },
  };
  const pod = { kind: 'Pod', metadata: { name: 'web', annotations: { 'k8s.v1.cni.cncf.io/networks': 'fast,fast' } } };
  folder.write('manifests/all.yaml', `${JSON.stringify(nad)}\n---\n${JSON.stringify(pod)}`);
  const delegates = [{ cniVersion: '1.0.0', name: 'node', type: 'bridge' }];
  const config = { name: 'multus', type: 'multus', kubeletDir: folder.at('absent'), delegates };
  const options = {
    conf: folder.write('00.conf', JSON.stringify(config)),
    manifests: folder.at('manifests'),
    ifname: 'eth0',
  };
  const rows = (await explain('web', options)).trimEnd().split('\n');
  assert.equal(
    rows.map((row) => row.split(/ {2,}/).at(-1)),
    ['DEVICE OF', '-', 'intel.com/sriov', 'intel.com/sriov'],
  );
  const { attachments } = JSON.parse(await explain('web', { ...options, json: true }));
  assert.is(JSON.parse(attachments[1].steps[0].stdin).deviceID, '<a device of intel.com/sriov>');
});

// An operator would see other networks than the pod gets: the shim and the standalone program read that file, too.
test('explain() takes the keys that the daemon left beside its socket', async () => {
  const delegates = [{ cniVersion: '1.0.0', name: 'node', type: 'bridge' }];
  const config = { name: 'multus', type: 'multus', daemonSocketDir: folder.at('run'), delegates };
  folder.write('run/overlay.json', '{"delegates":[{"cniVersion":"1.0.0","name":"other","type":"ptp"}]}');
  const conf = folder.write('00.conf', JSON.stringify(config));
  const own = folder.write('own.json', '{}');
  assert.match(await explain('web', { conf, ifname: 'eth0' }), 'other');
  assert.match(await explain('web', { conf, ifname: 'eth0', daemonConfig: own }), 'node');
});

test.run();
