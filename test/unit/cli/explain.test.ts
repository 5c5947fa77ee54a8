import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

const NODE = { name: 'multus', type: 'multus', delegates: [{ cniVersion: '1.0.0', name: 'node', type: 'bridge' }] };

// An operator would look for a daemon that runs: nothing is wrong but that explain does not ask it.
test('explain() on a node whose daemon asks the API server says to give --kubeconfig', async () => {
  const conf = folder.write('00.conf', JSON.stringify({ ...NODE, kubernetes: true, cniDir: folder.at('cni') }));
  try {
    await explain('web', { conf, ifname: 'eth0' });
    assert.unreachable('the pod cannot be known');
  } catch (error) {
    assert.match((error as Error).message, 'explain cannot ask through the daemon; give --kubeconfig');
    assert.not.match((error as Error).message, 'start it');
  }
});

// The one way to ask on such a node would not be taken.
test('explain() asks the API server of --kubeconfig, on a node whose daemon asks one and on one with manifests', async () => {
  const annotations = { 'k8s.v1.cni.cncf.io/networks': 'lan' };
  const objects: Record<string, object> = {
    '/api/v1/namespaces/default/pods/web': { metadata: { name: 'web', namespace: 'default', uid: 'u', annotations } },
    '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/lan': {
      metadata: { name: 'lan', namespace: 'default' },
      spec: { config: '{"cniVersion":"1.0.0","type":"macvlan"}' },
    },
  };
  const server = createServer((request, response) => {
    const object = objects[(request.url ?? '').split('?')[0] ?? ''];
    response.statusCode = object === undefined ? 404 : 200;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(object ?? { kind: 'Status', code: 404 }));
  });
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  try {
    const kubeconfig = folder.write(
      'kubeconfig',
      JSON.stringify({
        clusters: [
          {
            name: 'c',
            cluster: {
              server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
              'insecure-skip-tls-verify': true,
            },
          },
        ],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        users: [{ name: 'u', user: {} }],
        'current-context': 'c',
      }),
    );
    for (const more of [{ kubernetes: true }, { manifestsDir: folder.at('absent') }]) {
      const conf = folder.write('00.conf', JSON.stringify({ ...NODE, ...more, cniDir: folder.at('cni') }));
      const output = await explain('web', { conf, ifname: 'eth0', kubeconfig });
      assert.match(output, /net1 +default\/lan +macvlan/);
      assert.not.match(output, 'no source of pods');
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

// What the pod asks for would seem to be nothing.
test('explain() says at the end when there is no source of pods', async () => {
  const conf = folder.write('00.conf', JSON.stringify(NODE));
  const lines = (await explain('web', { conf, ifname: 'eth0' })).trimEnd().split('\n');
  assert.is(lines.at(-1), "no source of pods: only the node's own networks are shown");
});

// "ENOENT … open" does not say which of the files that were given it is.
test('explain() names the option whose file is not there', async () => {
  const conf = folder.write('00.conf', JSON.stringify(NODE));
  const absent = folder.at('absent');
  for (const [option, options] of [
    ['--conf', { conf: absent }],
    ['--daemon-config', { conf, daemonConfig: absent }],
  ] as const) {
    try {
      await explain('web', { ...options, ifname: 'eth0' });
      assert.unreachable(`${option} ${absent} was read`);
    } catch (error) {
      assert.is((error as Error).message, `Cannot read ${option} ${absent}: there is no such file`);
    }
  }
});

test.run();
