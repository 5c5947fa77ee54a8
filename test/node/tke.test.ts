// timeout: 300s
// A TKE node as the fork's agent leaves it: /etc/cni/net.d/00-multus.conf and a folder of networks beside it. What a pod
// gets there, and where the fork left pods without network or nodes with leaks.
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { claimLink, EMPTY_RESULT, Fakes, fail, makeLink, removeLink } from '../lab/fakes.ts';
import { type CniCall, Lab, referencePlugins } from '../lab/lab.ts';
import { assertError, assertResult, assertSilent } from '../lab/spec.ts';

const TKE = 'tke.cloud.tencent.com/networks';
const NPWG = 'k8s.v1.cni.cncf.io/networks';

class TkeNode {
  readonly lab: Lab;
  readonly fakes: Fakes;
  /** /etc/cni/net.d/multus. */
  readonly confDir: string;

  /** @param defaultDelegates of the agent's 00-multus.conf */
  constructor(lab: Lab, defaultDelegates: string) {
    this.lab = lab;
    this.fakes = new Fakes(lab);
    this.confDir = join(lab.directory, 'net.d', 'multus');
    mkdirSync(this.confDir, { recursive: true });
    const { daemonSocketDir, cniDir, binDir } = lab.config;
    lab.config = {
      cniVersion: '0.3.1',
      name: 'multus-cni',
      type: 'multus',
      kubeconfig: '/etc/kubernetes/tke-cni-kubeconfig',
      logLevel: 'info',
      defaultDelegates,
      capabilities: { bandwidth: true, portMappings: true },
      // Where this machine has what a node has in /etc, /var and /opt.
      ...{ confDir: this.confDir, daemonSocketDir, cniDir, binDir },
    };
  }

  /** A file of the networks' folder. */
  conf(file: string, config: unknown): void {
    writeFileSync(join(this.confDir, file), typeof config === 'string' ? config : JSON.stringify(config));
  }

  /** A network by the reference plugin `bridge` under the name of TKE's own. */
  bridge(name: string, subnet: string): void {
    copyFileSync(join(referencePlugins(), 'bridge'), join(this.lab.binDir, name));
    const ipam = this.lab.hostLocal(subnet);
    this.conf(`${name}.conf`, { cniVersion: '0.3.1', name, type: name, bridge: `${name}0`.slice(-15), ipam });
  }

  /** A network by a plugin that writes down how it is run. */
  fake(name: string, address: string, more: { ADD?: string; DEL?: string } = {}): void {
    this.fakes.plugin(name, {
      ADD: `${makeLink({ address })}\n${claimLink({ address })}`,
      DEL: removeLink(),
      ...more,
    });
    this.conf(`${name}.conf`, { cniVersion: '0.3.1', name, type: name });
  }

  /** The call for a pod with these annotations, as the runtime hands them over. */
  async pod(name: string, annotations: Record<string, string> = {}): Promise<CniCall> {
    await this.lab.addNetns(name);
    const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': annotations };
    const config = JSON.stringify({ ...this.lab.config, runtimeConfig });
    return { container: `c-${name}`, pod: name, args: this.lab.podArgs(name), config };
  }

  /** "eth0 10.0.0.2/24", … */
  async links(pod: string): Promise<string[]> {
    const links = await this.lab.links(pod);
    return links.map((link) => [link.ifname, ...Lab.addresses(link)].join(' ')).sort();
  }

  /** "ADD tke-bridge eth0", … */
  runs(): string[] {
    return this.fakes.executions().map(({ command, plugin, env }) => `${command} ${plugin} ${env['CNI_IFNAME']}`);
  }
}

// Every pod of a TKE cluster without an annotation: it would have no network after the upgrade.
eachDoor('a pod without annotation gets the node’s defaultDelegates, all of them', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge,tke-route');
  node.bridge('tke-bridge', '172.16.0.0/24');
  node.bridge('tke-route', '172.17.0.0/24');
  node.conf('tke-eni.conf', { cniVersion: '0.3.1', name: 'tke-eni', type: 'tke-eni' });
  const call = await node.pod('web');
  const added = await lab.cni('ADD', call);
  assertResult(added, '0.3.1');
  assert.equal(await node.links('web'), ['eth0 172.16.0.2/24', 'eth1 172.17.0.2/24']);
  assert.is(added.json.ips[0].address, '172.16.0.2/24');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('web'), []);
});

// The pod's programs look for names that its author chose, and the runtime reports the address of eth0.
eachDoor('name@ifname: run in their order, answered by eth0’s network, deleted in reverse', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  for (const [i, name] of ['tke-bridge', 'tke-route', 'tke-eni'].entries()) node.fake(name, `10.20.${i}.5/24`);
  const call = await node.pod('web', { [TKE]: 'tke-eni@north, ns/tke-route, tke-bridge@eth0' });
  const added = await lab.cni('ADD', call);
  assertResult(added, '0.3.1');
  assert.equal(await node.links('web'), ['eth0 10.20.0.5/24', 'eth1 10.20.1.5/24', 'north 10.20.2.5/24']);
  assert.equal(added.json.ips, [{ version: '4', address: '10.20.0.5/24', interface: 0 }]);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(node.runs(), [
    ...['ADD tke-eni north', 'ADD tke-route eth1', 'ADD tke-bridge eth0'],
    ...['DEL tke-bridge eth0', 'DEL tke-route eth1', 'DEL tke-eni north'],
  ]);
  assert.equal(await lab.leftovers('web'), []);
});

// The second one's address would never be released: the fork kept one result for both.
eachDoor('a network twice: two interfaces, two addresses, both released', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.bridge('tke-bridge', '172.16.0.0/24');
  const call = await node.pod('web', { [TKE]: 'tke-bridge,tke-bridge' });
  assertResult(await lab.cni('ADD', call), '0.3.1');
  assert.equal(await node.links('web'), ['eth0 172.16.0.2/24', 'eth1 172.16.0.3/24']);
  assert.equal(lab.reservations().sort(), ['tke-bridge/172.16.0.2', 'tke-bridge/172.16.0.3']);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('web'), []);
});

// Pods could not end: the fork looked for plugins in binDir only when it deleted.
eachDoor('DEL finds plugins that are in CNI_PATH only', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.fake('tke-bridge', '10.20.0.5/24');
  const elsewhere = join(lab.directory, 'elsewhere');
  mkdirSync(elsewhere);
  renameSync(join(lab.binDir, 'tke-bridge'), join(elsewhere, 'tke-bridge'));
  const call = { ...(await node.pod('web')), env: { CNI_PATH: elsewhere } };
  assertResult(await lab.cni('ADD', call), '0.3.1');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(node.runs(), ['ADD tke-bridge eth0', 'DEL tke-bridge eth0']);
  assert.equal(await lab.leftovers('web'), []);
});

// Each plugin ignored the other's annotation: the pod would run without half of its networks.
eachDoor('both annotations on one pod are refused, naming both and the remedy, before anything runs', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.fake('tke-bridge', '10.20.0.5/24');
  const call = await node.pod('web', { [TKE]: 'tke-bridge', [NPWG]: 'storage' });
  assertError(await lab.cni('ADD', call), 7, 'default/web', TKE, NPWG, '"annotationPolicy"', '"merge"');
  assert.equal(node.runs(), []);
  assert.equal(await lab.leftovers('web'), []);
});

eachDoor('annotationPolicy merge: the TKE networks, then those of definitions, named over all', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.bridge('tke-bridge', '172.16.0.0/24');
  node.bridge('tke-route', '172.17.0.0/24');
  lab.manifest('networks.yaml', lab.nadManifest('storage', lab.bridge('storage', '10.30.0.0/24')));
  Object.assign(lab.config, { annotationPolicy: 'merge', manifestsDir: lab.manifestsDir });
  const call = await node.pod('web', { [TKE]: 'tke-route,tke-bridge', [NPWG]: 'storage,storage@store0' });
  const added = await lab.cni('ADD', call);
  assertResult(added, '0.3.1');
  assert.is(added.json.ips[0].address, '172.17.0.2/24');
  assert.equal(await node.links('web'), [
    ...['eth0 172.17.0.2/24', 'eth1 172.16.0.2/24', 'net2 10.30.0.2/24', 'store0 10.30.0.3/24'],
  ]);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('web'), []);
});

// A file of another network that an operator is just writing would keep every pod of the node from starting.
eachDoor('a broken file in the folder of networks harms no pod that does not name it', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.conf('00-broken.conf', '{ "name": "tke-bri');
  node.conf('01-typeless.conf', { name: 'tke-eni' });
  node.fake('tke-bridge', '10.20.0.5/24');
  const call = await node.pod('web');
  assertResult(await lab.cni('ADD', call), '0.3.1');
  assertSilent(await lab.cni('DEL', call));
  const other = await node.pod('other', { [TKE]: 'tke-bridge,tke-eni' });
  const refused = await lab.cni('ADD', other);
  assertError(refused, 7, 'Cannot find network "tke-eni"');
  assert.match(refused.json.details, '01-typeless.conf');
  assert.equal(await lab.leftovers('web', 'other'), []);
});

// The fork found eth0 there, and then deleted it: a retry of the runtime cost a running pod its network.
eachDoor('a repeated ADD of a running pod leaves its eth0 and its record alone', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.fake('tke-bridge', '10.20.0.5/24');
  const call = await node.pod('web');
  assertResult(await lab.cni('ADD', call), '0.3.1');
  assertError(await lab.cni('ADD', call), 104, 'c-web');
  assert.equal(await node.links('web'), ['eth0 10.20.0.5/24']);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(node.runs(), ['ADD tke-bridge eth0', 'DEL tke-bridge eth0']);
  assert.equal(await lab.leftovers('web'), []);
});

// Old sriov plugins take the name from "if0name": the pod would have weird0 where its programs look for eth1.
eachDoor('a plugin that ignores CNI_IFNAME has its link renamed, and finds its own name at DEL', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.fake('tke-bridge', '10.20.0.5/24');
  const weird = { name: 'weird0', address: '10.20.1.5/24' };
  node.fake('sriov', '', { ADD: `${makeLink(weird)}\n${claimLink(weird)}`, DEL: removeLink('weird0') });
  node.conf('sriov.conf', { cniVersion: '0.3.1', name: 'sriov', type: 'sriov', if0name: 'weird0' });
  node.fake('tke-route', '10.20.2.5/24');
  const call = await node.pod('web', { [TKE]: 'tke-bridge,sriov,tke-route' });
  assertResult(await lab.cni('ADD', call), '0.3.1');
  assert.equal(await node.links('web'), ['eth0 10.20.0.5/24', 'eth1 10.20.1.5/24', 'eth2 10.20.2.5/24']);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('web'), []);
});

// The fork printed `null` for it and exited with 0: the runtime took the pod for attached, and could not read it.
eachDoor('an eth0 without address on a node without cniVersion is answered with a result', async (lab) => {
  const node = new TkeNode(lab, 'sriov');
  node.fake('sriov', '', { ADD: `${makeLink()}\n${claimLink({})}` });
  delete lab.config['cniVersion'];
  const call = await node.pod('web');
  const added = await lab.cni('ADD', call);
  assert.equal([added.code, added.json], [0, { cniVersion: '0.1.0' }], added.stdout);
  assert.equal(await node.links('web'), ['eth0']);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('web'), []);
});

// All networks before the one that fails would stay attached, with their addresses.
eachDoor('a network that fails undoes the ones before it, in reverse, and nothing else', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.fake('tke-bridge', '10.20.0.5/24');
  node.fake('tke-route', '10.20.1.5/24');
  node.fake('tke-eni', '', { ADD: fail(11, 'no free ENI'), DEL: 'true' });
  const call = await node.pod('web', { [TKE]: 'tke-bridge,tke-route,tke-eni,tke-bridge@late' });
  assertError(await lab.cni('ADD', call), 11, 'no free ENI', '"tke-eni"');
  assert.equal(node.runs().slice(3), ['DEL tke-eni eth2', 'DEL tke-route eth1', 'DEL tke-bridge eth0']);
  assert.equal(await lab.leftovers('web'), []);
});

// Everything would be detached again and again, or what failed would be forgotten.
eachDoor('DEL that fails for one network detaches the others, and is repeated for that one only', async (lab) => {
  const node = new TkeNode(lab, 'tke-bridge');
  node.fake('tke-bridge', '10.20.0.5/24');
  const away = join(lab.directory, 'eni-is-away');
  node.fake('tke-route', '10.20.1.5/24', {
    DEL: `[ ! -e ${away} ] || { ${fail(11, 'ENI is away')}; }\n${removeLink()}`,
  });
  const call = await node.pod('web', { [TKE]: 'tke-bridge,tke-route' });
  assertResult(await lab.cni('ADD', call), '0.3.1');
  writeFileSync(away, '');
  assertError(await lab.cni('DEL', call), 11, 'ENI is away');
  assert.equal(await node.links('web'), ['eth1 10.20.1.5/24']);
  renameSync(away, `${away}-no-more`);
  assertSilent(await lab.cni('DEL', call));
  assert.equal(node.runs().slice(2), ['DEL tke-route eth1', 'DEL tke-bridge eth0', 'DEL tke-route eth1']);
  assert.equal(await lab.leftovers('web'), []);
});

// The fork knew neither CHECK nor plugins of CNI 1.0.0, failed at arguments that it did not know, and kept the pod's UID
// from its plugins.
eachDoor('CHECK, networks of CNI 1.0.0, and the runtime’s arguments, the pod’s UID among them', async (lab) => {
  const node = new TkeNode(lab, 'new');
  node.fake('new', '10.20.0.5/24');
  node.conf('new.conf', { cniVersion: '1.0.0', name: 'new', type: 'new' });
  lab.config['cniVersion'] = '1.0.0';
  const call = { ...(await node.pod('web')), args: 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u-1;NEW=x' };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertSilent(await lab.cni('CHECK', call));
  assert.is((await lab.exec('web', 'ip', 'link', 'del', 'eth0')).code, 0);
  assertError(await lab.cni('CHECK', call), 102, '"eth0" must be in the pod');
  assert.match(node.fakes.executions()[0]?.env['CNI_ARGS'] ?? '', /K8S_POD_UID=u-1.*NEW=x/);
  assertError(await lab.cni('DEL', call), 100, 'new'); // its link is gone, and it says so
  node.fake('new', '', { DEL: EMPTY_RESULT });
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('web'), []);
});

test.run();
