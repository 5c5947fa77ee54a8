// timeout: 300s
// What our users wrote down, in their words: test/fixtures/seeds has their files as they stand.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { claimLink, Fakes, makeLink, PASS_ON, removeLink } from '../lab/fakes.ts';
import { type IpLink, Lab, referencePlugins } from '../lab/lab.ts';
import { applySeeds, defaultRoutes, nodeWithVarLib, seedConfig, seedPath, seedText } from '../lab/seeds.ts';
import { assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** The pod's links by name. */
async function linksOf(lab: Lab, pod: string): Promise<Map<string, IpLink>> {
  return new Map((await lab.links(pod)).map((link) => [link.ifname, link]));
}

/** Which link the kernel takes for an address outside all of the pod's subnets. */
async function wayOut(lab: Lab, pod: string): Promise<string> {
  const { stdout } = await lab.exec(pod, 'ip', '-j', 'route', 'get', '192.0.2.1');
  return JSON.parse(stdout)[0].dev;
}

// --- "Example macvlan": macvlan and tuning, with ips, mac and gateway

async function macvlanTuning(lab: Lab): Promise<{ pod: string; args: string }> {
  await lab.addUplink('eth1');
  await lab.addNetns('pod1');
  applySeeds(lab, 'macvlan-tuning/network-attachment.yaml', 'macvlan-tuning/pod.yaml');
  return { pod: 'pod1', args: lab.podArgs('samplepod') };
}

function assertMacvlan(link: IpLink | undefined): void {
  assert.is(link?.linkinfo?.info_kind, 'macvlan');
  assert.equal(Lab.addresses(link), ['10.1.1.101/24']);
  assert.is(link?.address, 'c2:b0:57:49:47:f1');
}

// The pod would have another address or MAC than its author wrote down, or another way out.
eachDoor('macvlan-conf with ips, mac and gateway: net1 has them, and the default route', async (lab) => {
  const call = await macvlanTuning(lab);
  assertResult(await lab.cni('ADD', call), '1.0.0');
  const links = await linksOf(lab, 'pod1');
  assert.equal([...links.keys()].sort(), ['eth0', 'net1']);
  assertMacvlan(links.get('net1'));
  assert.equal(await defaultRoutes(lab, 'pod1'), ['10.1.1.1 net1']);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// "without "gateway" … default route will be cluster network interface, eth0, even tough macvlan-conf has default
// gateway config": the pod would lose the cluster's services and its name server.
eachDoor('macvlan-conf without gateway: the default route stays with the cluster network', async (lab) => {
  const call = await macvlanTuning(lab);
  const yaml = seedText('macvlan-tuning/pod.yaml').replace(/,\s+"gateway": \[ "10\.1\.1\.1" \]/, '');
  assert.not.match(yaml, '10.1.1.1"');
  writeFileSync(join(lab.manifestsDir, 'pod.yaml'), yaml);
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertMacvlan((await linksOf(lab, 'pod1')).get('net1'));
  assert.is(await wayOut(lab, 'pod1'), 'eth0');
  assert.equal(await defaultRoutes(lab, 'pod1'), ['10.210.0.1 eth0', '10.1.1.1 net1']);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// --- "Kubernetes Pod 多网卡方案 Multus": macvlan with host-local

/** Addresses that macvlan-conf gives: 192.168.1.200 to .216. */
const IN_RANGE = /^192\.168\.1\.2(0\d|1[0-6])\/24$/;

// The pod would have other interfaces than the three that the document shows, or would leave the cluster network.
eachDoor('macvlan-conf by its name: lo, eth0 and net1 with an address of its range', async (lab) => {
  const cni = nodeWithVarLib(lab);
  await lab.addUplink('eth0');
  await lab.addNetns('pod1');
  applySeeds(lab, 'multus-intro/macvlan-conf.yaml', 'multus-intro/samplepod.yaml');
  const call = { args: lab.podArgs('samplepod') };
  assertResult(await cni('ADD', call), '1.0.0');
  const links = await linksOf(lab, 'pod1');
  assert.equal([...links.keys()].sort(), ['eth0', 'net1']);
  assert.match(Lab.addresses(links.get('net1')).join(), IN_RANGE);
  assert.is(await wayOut(lab, 'pod1'), 'eth0');
  assertSilent(await cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// "如果我想要更多接口怎么办？" The second interface, or its address, would be missing.
eachDoor('macvlan-conf,macvlan-conf: two interfaces of one network on one pod', async (lab) => {
  const cni = nodeWithVarLib(lab);
  await lab.addUplink('eth0');
  await lab.addNetns('pod1');
  applySeeds(lab, 'multus-intro/macvlan-conf.yaml', 'multus-intro/samplepod-twice.yaml');
  const call = { args: lab.podArgs('samplepod') };
  assertResult(await cni('ADD', call), '1.0.0');
  const links = await linksOf(lab, 'pod1');
  assert.equal([...links.keys()].sort(), ['eth0', 'net1', 'net2']);
  const addresses = ['net1', 'net2'].flatMap((name) => Lab.addresses(links.get(name)));
  assert.is(new Set(addresses).size, 2);
  for (const address of addresses) assert.match(address, IN_RANGE);
  assert.not.equal(links.get('net1')?.address, links.get('net2')?.address);
  assert.is(await wayOut(lab, 'pod1'), 'eth0');
  assertSilent(await cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// Copied from the web page the YAML has no-break spaces, which nobody sees, and is none.
eachDoor('a manifest copied from the web page is refused, naming file, place and no-break spaces', async (lab) => {
  await lab.addNetns('pod1');
  applySeeds(lab, 'multus-intro/as-copied/macvlan-conf.yaml', 'multus-intro/as-copied/samplepod.yaml');
  const reply = await lab.cni('ADD', { args: lab.podArgs('samplepod') });
  assertError(reply, 11, 'default/samplepod', /samplepod\.yaml: .* at line 1, column 1; .*no-break spaces \(U\+00A0\)/);
  assert.equal(await lab.leftovers('pod1'), []);
});

// --- "Multus 설치": the generated 00-multus.conf around Calico

const PORT_MAPPINGS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
const BANDWIDTH = { ingressRate: 1_000_000, ingressBurst: 2_000_000 };

/** Calico's answer and what it makes, without its datastore: a veth with a /32 and a route by a link-local gateway. */
function calico(fakes: Fakes): void {
  const inPod = 'nsenter --net=$CNI_NETNS ip';
  fakes.plugin('calico', {
    ADD: [
      'set -e',
      'ip link add cali0 type veth peer name tmp0',
      'ip link set tmp0 netns $(basename $CNI_NETNS) name $CNI_IFNAME',
      'ip link set cali0 up',
      `${inPod} link set $CNI_IFNAME up`,
      `${inPod} addr add 10.244.5.7/32 dev $CNI_IFNAME`,
      `${inPod} route add 169.254.1.1 dev $CNI_IFNAME scope link`,
      `${inPod} route add default via 169.254.1.1 dev $CNI_IFNAME`,
      `echo '{"cniVersion":"0.3.1","interfaces":[{"name":"cali0"}],"ips":[{"version":"4","address":"10.244.5.7/32"}]}'`,
    ].join('\n'),
    DEL: 'ip link del cali0 || true',
  });
}

/** The configuration as the document shows it, with what the runtime adds to it for a pod. */
function calicoConfig(lab: Lab, annotations: Record<string, string>): void {
  seedConfig(lab, 'calico/00-multus.conf', {
    runtimeConfig: {
      portMappings: PORT_MAPPINGS,
      bandwidth: BANDWIDTH,
      'io.kubernetes.cri.pod-annotations': annotations,
    },
  });
}

// Pods without further networks are most of a cluster: host ports and rates would be lost, or reach the wrong plugin.
eachDoor(
  '00-multus.conf around Calico: portMappings and bandwidth reach the plugins that declare them',
  async (lab) => {
    const fakes = new Fakes(lab);
    calico(fakes);
    for (const name of ['portmap', 'bandwidth']) fakes.plugin(name, { ADD: PASS_ON });
    await lab.addNetns('pod1');
    calicoConfig(lab, {});
    const call = { args: lab.podArgs('web') };
    const added = await lab.cni('ADD', call);
    assertResult(added, '0.3.1');
    assert.equal(added.json.ips, [{ version: '4', address: '10.244.5.7/32' }]);
    assert.equal(
      fakes.executions().map(({ plugin, stdin }) => [plugin, JSON.parse(stdin).runtimeConfig]),
      [
        ['calico', undefined],
        ['portmap', { portMappings: PORT_MAPPINGS }],
        ['bandwidth', { bandwidth: BANDWIDTH }],
      ],
    );
    const [calicoPlugin] = JSON.parse(seedText('calico/00-multus.conf')).delegates[0].plugins;
    assert.equal(
      JSON.parse(fakes.executions()[0]?.stdin ?? ''),
      { ...calicoPlugin, name: 'k8s-pod-network', cniVersion: '0.3.1' },
      'Calico gets its own keys, whatever they mean',
    );
    assertSilent(await lab.cni('DEL', call));
    assert.equal(fakes.history().slice(3), ['DEL bandwidth', 'DEL portmap', 'DEL calico']);
    assert.equal(await lab.leftovers('pod1'), []);
  },
);

/** What a kernel or a distribution may lack for portmap and bandwidth; undefined when both can work. */
async function lackFor(lab: Lab): Promise<string | undefined> {
  const probes = [
    'iptables -t nat -S',
    'ip link add probe0 type ifb',
    'tc qdisc add dev probe0 root tbf rate 1mbit burst 10k latency 25ms',
    'ip link del probe0',
  ];
  for (const probe of probes) if ((await lab.exec('host', 'sh', '-c', probe)).code !== 0) return probe;
  return undefined;
}

// The same with the real plugins: nothing would answer on the node's port 8080, and the pod's rate would be unlimited.
eachDoor('00-multus.conf around Calico: the node maps the port and limits the rate, and forgets both', async (lab) => {
  const lack = await lackFor(lab);
  if (lack !== undefined) return console.log(`SKIPPED: the real portmap and bandwidth: "${lack}" fails here`);
  calico(new Fakes(lab));
  await lab.addNetns('pod1');
  calicoConfig(lab, {});
  const call = { args: lab.podArgs('web') };
  assertResult(await lab.cni('ADD', call), '0.3.1');
  const rules = async () => (await lab.exec('host', 'iptables', '-t', 'nat', '-S')).stdout;
  const limits = async () => (await lab.exec('host', 'tc', 'qdisc')).stdout;
  assert.match(await rules(), '--dport 8080 -j DNAT --to-destination 10.244.5.7:80');
  assert.match(await limits(), /tbf 1: dev cali0 root .*rate 1Mbit burst 250000b/);
  assertSilent(await lab.cni('DEL', call));
  assert.not.match(await rules(), '10.244.5.7');
  assert.not.match(await limits(), 'tbf');
  assert.equal(await lab.leftovers('pod1'), []);
});

// The private zone's interface would be missing, or would take the pod off the cluster.
eachDoor('privatezone-macvlan-conf beside Calico: net1 of the private zone, default route by Calico', async (lab) => {
  const cni = nodeWithVarLib(lab);
  const fakes = new Fakes(lab);
  calico(fakes);
  for (const name of ['portmap', 'bandwidth']) fakes.plugin(name, { ADD: PASS_ON });
  await lab.addUplink('enp0s8');
  await lab.addNetns('pod1');
  applySeeds(lab, 'calico/privatezone-macvlan-conf.yaml');
  calicoConfig(lab, { 'k8s.v1.cni.cncf.io/networks': 'privatezone-macvlan-conf' });
  const call = { args: lab.podArgs('web') };
  assertResult(await cni('ADD', call), '0.3.1');
  const links = await linksOf(lab, 'pod1');
  assert.equal([...links.keys()].sort(), ['eth0', 'net1']);
  assert.equal(Lab.addresses(links.get('eth0')), ['10.244.5.7/32']);
  assert.match(Lab.addresses(links.get('net1')).join(), /^10\.12\.34\.2(0\d|1\d|20)\/24$/);
  assert.equal(await defaultRoutes(lab, 'pod1'), ['169.254.1.1 eth0', '10.12.34.254 net1']);
  assertSilent(await cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// --- "MULTUS CNI 插件": the TKE fork

/** flannel and sriov, whose hardware is not here: links with what the document's `ifconfig` shows. */
function tkePlugins(lab: Lab): Fakes {
  const fakes = new Fakes(lab);
  const eth0 = { mtu: 1450, mac: '06:21:91:2d:74:b9', address: '192.168.42.3/24' };
  const eth1 = { mac: 'd2:94:98:82:00:00', address: '10.56.217.171/24' };
  const north = { mac: 'be:f2:48:42:83:12' };
  const routes = [{ dst: '0.0.0.0/0', gw: '192.168.42.1' }];
  fakes.plugin('flannel', {
    ADD: [
      makeLink(eth0),
      'nsenter --net=$CNI_NETNS ip route add default via 192.168.42.1',
      claimLink({ ...eth0, routes }),
    ].join('\n'),
    DEL: removeLink(),
  });
  const vf = (one: typeof north) => `${makeLink(one)}\n${claimLink(one)}`;
  fakes.plugin('sriov', {
    ADD: `if grep -q l2enable $STDIN; then\n${vf(north)}\nelse\n${vf(eth1)}\nfi`,
    DEL: removeLink(),
  });
  copyFileSync(join(referencePlugins(), 'bridge'), join(lab.binDir, 'tke-bridge'));
  return fakes;
}

/** The document's configuration and its logging keys, on a node with its files. */
function tkeConfig(lab: Lab, path: string, more: Record<string, unknown> = {}): void {
  const logging = { LogFile: join(lab.directory, 'multus.log'), LogLevel: 'debug' };
  seedConfig(lab, path, { ...logging, confDir: seedPath('tke/net.d'), ...more });
}

// The pod of the fork's README would have other interfaces, or its north VF another name.
eachDoor('flannel-conf, sriov-conf and sriov-vlanid-l2enable-conf: eth0, eth1 and north', async (lab) => {
  const fakes = tkePlugins(lab);
  await lab.addNetns('pod1');
  applySeeds(lab, 'tke/pod-multi-network.yaml');
  tkeConfig(lab, 'tke/multus-cni.conf');
  const call = { args: lab.podArgs('multus-multi-net-poc') };
  const added = await lab.cni('ADD', call);
  assertResult(added, '0.1.0');
  assert.equal(added.json.ip4.ip, '192.168.42.3/24', 'the answer is the result of eth0’s network');
  assert.equal(await lab.linkSummary('pod1'), [
    'eth0 06:21:91:2d:74:b9 1450 192.168.42.3/24',
    'eth1 d2:94:98:82:00:00 1500 10.56.217.171/24',
    'north be:f2:48:42:83:12 1500',
  ]);
  const north = JSON.parse(fakes.executions()[2]?.stdin ?? '');
  const file = readFileSync(seedPath('tke/net.d/30-sriov-vlanid-l2enable.conf'), 'utf8');
  assert.equal(north, JSON.parse(file), 'the VF’s VLAN reaches the plugin');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(
    fakes.executions().map(({ command, env }) => `${command} ${env['CNI_IFNAME']}`),
    ['ADD eth0', 'ADD eth1', 'ADD north', 'DEL north', 'DEL eth1', 'DEL eth0'],
  );
  assert.equal(await lab.leftovers('pod1'), []);
});

// "如果 pod 没有指定 annotation，tke-bridge 将充当默认 cni": such a pod would have no network, or nothing would tell why.
eachDoor('a pod without annotation gets defaultDelegates; without those an error says what to set', async (lab) => {
  const cni = nodeWithVarLib(lab);
  tkePlugins(lab);
  await lab.addNetns('pod1');
  applySeeds(lab, 'tke/multus-test.yaml', 'tke/samplepod.yaml');
  const call = { args: lab.podArgs('multus-test') };
  tkeConfig(lab, 'tke/multus-cni.conf');
  assertError(await cni('ADD', call), 7, 'tke.cloud.tencent.com/networks', '"defaultDelegates"');
  tkeConfig(lab, 'tke/multus-cni-default-delegates.conf');
  assertResult(await cni('ADD', call), '0.1.0');
  assert.equal([...(await linksOf(lab, 'pod1')).keys()], ['eth0']);
  assert.equal(await defaultRoutes(lab, 'pod1'), ['172.16.0.1 eth0']);
  assertSilent(await cni('DEL', call));

  const sample = { args: lab.podArgs('samplepod') };
  tkeConfig(lab, 'tke/multus-cni.conf');
  assertResult(await cni('ADD', sample), '0.1.0');
  assert.match(Lab.addresses((await linksOf(lab, 'pod1')).get('eth0')).join(), /^172\.16\.0\.\d+\/24$/);
  assertSilent(await cni('DEL', sample));
  assert.equal(await lab.leftovers('pod1'), []);
});

// "多 flannel 网络": a pod that names nothing has flannel's eth0, a VF as eth1 and ptp's eth2.
eachDoor('several defaultDelegates: eth0, eth1 and eth2 in their order', async (lab) => {
  const cni = nodeWithVarLib(lab);
  tkePlugins(lab);
  await lab.addNetns('pod1');
  applySeeds(lab, 'tke/multus-test.yaml');
  tkeConfig(lab, 'tke/multus-cni-default-delegates.conf', { defaultDelegates: 'flannel-conf,sriov-conf,ptp-conf' });
  const call = { args: lab.podArgs('multus-test') };
  assertResult(await cni('ADD', call), '0.1.0');
  const links = await linksOf(lab, 'pod1');
  assert.equal([...links.keys()].sort(), ['eth0', 'eth1', 'eth2']);
  assert.is(links.get('eth2')?.linkinfo?.info_kind, 'veth');
  assertSilent(await cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

test.run();
