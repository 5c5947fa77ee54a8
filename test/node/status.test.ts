// timeout: 300s
// What pods, their operators and their controllers read of a pod's networks. Wherever it is told (the kernel, the answer
// of ADD, the status), it must be the same: a program that reads another address or gateway than the pod has connects to
// nobody.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor, inLab } from '../lab/doors.ts';
import { claimLink, EMPTY_RESULT, Fakes, makeLink, PASS_ON, removeLink } from '../lab/fakes.ts';
import { addressOf, makeFourNetworks, makePod } from '../lab/four-networks.ts';
import type { CniCall, Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

const ANNOTATION = 'k8s.v1.cni.cncf.io/network-status';
const TKE_ANNOTATION = 'tke.cloud.tencent.com/networks-status';

interface StatusEntry {
  name: string;
  interface?: string;
  ips?: string[];
  mac?: string;
  mtu?: number;
  default?: boolean;
  dns: object;
  gateway?: string[];
}

/** The entries of a pod's status, whose text must be in the form of Multus's. */
function statusOf(lab: Lab, pod: string, namespace = 'default', annotation = ANNOTATION): StatusEntry[] {
  const text = lab.statusAnnotations(pod, namespace)?.[annotation] ?? '';
  assert.not.equal(text, '', `pod ${pod} has no status`);
  const entries = JSON.parse(text) as StatusEntry[];
  assert.is(text, `[${entries.map((entry) => JSON.stringify(entry, null, 4)).join(',')}]`);
  return entries;
}

interface KernelRoute {
  gateway: string;
  dev: string;
}

/** The default routes that the kernel has, the preferred one first. */
async function kernelDefaults(lab: Lab, pod: string, family: 4 | 6): Promise<KernelRoute[]> {
  const { stdout } = await lab.exec(pod, 'ip', `-${family}`, '-j', 'route', 'show', 'default');
  const routes = JSON.parse(stdout) as (KernelRoute & { metric?: number })[];
  return routes.sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0)).map(({ gateway, dev }) => ({ gateway, dev }));
}

/** Interfaces, MACs, MTUs and gateways of a status are those of the kernel. */
async function assertAsInKernel(lab: Lab, pod: string, entries: readonly StatusEntry[]): Promise<void> {
  const links = (await lab.links(pod)).map(({ ifname, address, mtu }) => [ifname, address, mtu]);
  const told = entries.filter((entry) => entry.interface !== undefined);
  assert.equal(told.map((entry) => [entry.interface, entry.mac, entry.mtu]).sort(), links.sort());
  const routes = [...(await kernelDefaults(lab, pod, 4)), ...(await kernelDefaults(lab, pod, 6))];
  for (const entry of told) {
    const own = routes.filter(({ dev }) => dev === entry.interface).map(({ gateway }) => gateway);
    assert.equal(entry.gateway ?? [], own, entry.interface);
  }
}

eachDoor('four networks: the status tells what the kernel has, and goes with the pod', async (lab) => {
  await makeFourNetworks(lab);
  const pod = await makePod(lab, 1);
  const call = { pod: pod.name, args: lab.podArgs(pod.name) };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  const entries = statusOf(lab, 'pod1');
  assert.equal(
    entries.map((entry) => [entry.name, entry.interface, entry.default]),
    [
      ['lab-default', 'eth0', true],
      ['default/lan', 'net1', undefined],
      ['default/fast', 'net2', undefined],
      ['default/store', 'data0', undefined],
    ],
  );
  for (const entry of entries) assert.equal(entry.ips, [await addressOf(lab, 'pod1', entry.interface ?? '')]);
  assert.is(entries[2]?.mac, pod.mac);
  assert.equal(entries[0]?.gateway, ['10.210.0.1']);
  await assertAsInKernel(lab, 'pod1', entries);
  assertSilent(await lab.cni('DEL', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 10: a network that makes no interface is missing in the status, as if the pod did not have it.
eachDoor('a network without an interface has an entry of its own', async (lab) => {
  const fakes = new Fakes(lab);
  lab.manifest(
    'pod1.yaml',
    lab.nadManifest('silent', fakes.plugin('silent', { ADD: EMPTY_RESULT })),
    lab.podManifest('pod1', 'silent'),
  );
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assert.equal(statusOf(lab, 'pod1')[1], { name: 'default/silent', dns: {} });
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// An address of one interface would be looked for on the other.
eachDoor('a plugin that makes two interfaces has an entry for each, with its own addresses', async (lab) => {
  const fakes = new Fakes(lab);
  const result = {
    cniVersion: '1.0.0',
    interfaces: [
      { name: '$CNI_IFNAME', sandbox: '$CNI_NETNS' },
      { name: 'side0', sandbox: '$CNI_NETNS' },
    ],
    ips: [
      { address: '10.7.1.2/24', interface: 1 },
      { address: '10.7.0.2/24', interface: 0 },
    ],
    dns: { nameservers: ['10.7.0.3'] },
  };
  const network = fakes.plugin('two', {
    ADD: [
      makeLink({ mtu: 1400, address: '10.7.0.2/24' }),
      makeLink({ name: 'side0', address: '10.7.1.2/24' }),
      `cat <<EOF\n${JSON.stringify(result)}\nEOF`,
    ].join('\n'),
    DEL: `${removeLink()}\n${removeLink('side0')}`,
  });
  lab.manifest('pod1.yaml', lab.nadManifest('two', network), lab.podManifest('pod1', 'two'));
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  const entries = statusOf(lab, 'pod1');
  const dns = { nameservers: ['10.7.0.3'] };
  assert.equal(
    entries.slice(1).map((entry) => [entry.name, entry.interface, entry.ips, entry.mtu, entry.dns]),
    [
      ['default/two', 'net1', ['10.7.0.2'], 1400, dns],
      ['default/two', 'side0', ['10.7.1.2'], 1500, dns],
    ],
  );
  await assertAsInKernel(lab, 'pod1', entries);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Programs that size their packets by it would have them dropped.
eachDoor('the MTU is told also by plugins that do not report it', async (lab) => {
  lab.config['delegates'] = [{ ...lab.ptp('lab-default', '10.210.0.0/24'), mtu: 1450 }];
  lab.manifest(
    'pod1.yaml',
    lab.nadManifest('jumbo', { ...lab.bridge('jumbo', '10.211.0.0/24'), mtu: 8900 }),
    lab.podManifest('pod1', 'jumbo'),
  );
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  const entries = statusOf(lab, 'pod1');
  assert.equal(
    entries.map(({ mtu }) => mtu),
    [1450, 8900],
  );
  await assertAsInKernel(lab, 'pod1', entries);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// The status would name an interface that is not in the pod, and a MAC that nobody has.
eachDoor('an interface that its plugin misreports is told as the kernel has it', async (lab) => {
  const fakes = new Fakes(lab);
  lab.config['verify'] = 'warn';
  const network = fakes.plugin('liar', {
    ADD: `${makeLink({ name: 'wrong0', mac: '02:00:00:00:aa:01', mtu: 1400 })}
${claimLink({ name: 'wrong0', mac: '02:00:00:00:aa:02', mtu: 9000 })}`,
    DEL: removeLink('wrong0'),
  });
  lab.config['delegates'] = [network];
  lab.config['cniVersion'] = '1.1.0';
  lab.manifest('pod1.yaml', lab.podManifest('pod1', ''));
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  const added = await lab.cni('ADD', call);
  assertResult(added, '1.1.0');
  assert.equal(added.json.interfaces, [
    { name: 'eth0', mac: '02:00:00:00:aa:01', mtu: 1400, sandbox: lab.netns('pod1') },
  ]);
  const entries = statusOf(lab, 'pod1');
  assert.equal(entries, [
    { name: 'liar', interface: 'eth0', mac: '02:00:00:00:aa:01', mtu: 1400, default: true, dns: {} },
  ]);
  await assertAsInKernel(lab, 'pod1', entries);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

/** Two networks of both families, beside the default one: "lan" on net1, "store" on net2. */
function makeDualStack(lab: Lab): void {
  const ranges = (n: number) => [[{ subnet: `10.21${n}.0.0/24` }], [{ subnet: `fd00:21${n}::/64` }]];
  const ipam = (n: number) => ({ ...lab.hostLocal('10.0.0.0/24'), ranges: ranges(n) });
  const routes = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];
  lab.config['cniVersion'] = '1.1.0';
  lab.config['delegates'] = [{ cniVersion: '1.0.0', name: 'lab-default', type: 'ptp', ipam: { ...ipam(0), routes } }];
  lab.manifest(
    'networks.yaml',
    lab.nadManifest('lan', { ...lab.bridge('lan', ''), ipam: ipam(1) }),
    lab.nadManifest('store', { ...lab.bridge('store', ''), ipam: ipam(3) }),
    lab.nadManifest('other', { ...lab.bridge('other', ''), ipam: { ...ipam(4), routes } }, 'kube-system'),
  );
}

const OWN_4 = { gateway: '10.210.0.1', dev: 'eth0' };
const OWN_6 = { gateway: 'fd00:210::1', dev: 'eth0' };

interface RouteCase {
  what: string;
  /** Entries of the pod's annotation. */
  networks: object[];
  /** Its default network instead of the node's. */
  defaultNetwork?: object;
  ipv4: KernelRoute[];
  ipv6: KernelRoute[];
  /** Default routes in the answer of ADD. */
  answer: object[];
}

const ROUTE_CASES: RouteCase[] = [
  {
    what: 'no default-route: the default network’s own stay',
    networks: [{ name: 'lan' }],
    ipv4: [OWN_4],
    ipv6: [OWN_6],
    answer: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
  {
    what: 'one IPv4 gateway: IPv6 stays',
    networks: [{ name: 'lan', 'default-route': ['10.211.0.1'] }],
    ipv4: [{ gateway: '10.211.0.1', dev: 'net1' }],
    ipv6: [OWN_6],
    answer: [{ dst: '::/0' }],
  },
  {
    what: 'two gateways: the first is preferred',
    networks: [{ name: 'lan', 'default-route': ['10.211.0.9', '10.211.0.1'] }],
    ipv4: [
      { gateway: '10.211.0.9', dev: 'net1' },
      { gateway: '10.211.0.1', dev: 'net1' },
    ],
    ipv6: [OWN_6],
    answer: [{ dst: '::/0' }],
  },
  // Multus's weak point 5: it compares with "::0/0" and writes it.
  {
    what: 'an IPv6 gateway: IPv4 stays',
    networks: [{ name: 'lan', 'default-route': ['FD00:211:0::1'] }],
    ipv4: [OWN_4],
    ipv6: [{ gateway: 'fd00:211::1', dev: 'net1' }],
    answer: [{ dst: '0.0.0.0/0' }],
  },
  {
    what: 'both families, on two networks',
    networks: [
      { name: 'lan', 'default-route': ['10.211.0.1'] },
      { name: 'store', 'default-route': ['fd00:213::1'] },
    ],
    ipv4: [{ gateway: '10.211.0.1', dev: 'net1' }],
    ipv6: [{ gateway: 'fd00:213::1', dev: 'net2' }],
    answer: [],
  },
  {
    what: 'an empty list: no default route at all',
    networks: [{ name: 'lan', 'default-route': [] }],
    ipv4: [],
    ipv6: [],
    answer: [],
  },
  {
    what: 'on a default network that the pod chooses: the answer has them',
    networks: [{ name: 'lan' }],
    defaultNetwork: { name: 'other', 'default-route': ['10.214.0.1', 'fd00:214::1', 'fd00:214::9'] },
    ipv4: [{ gateway: '10.214.0.1', dev: 'eth0' }],
    ipv6: [
      { gateway: 'fd00:214::1', dev: 'eth0' },
      { gateway: 'fd00:214::9', dev: 'eth0' },
    ],
    answer: [
      { dst: '0.0.0.0/0', gw: '10.214.0.1' },
      { dst: '::/0', gw: 'fd00:214::1' },
      { dst: '::/0', gw: 'fd00:214::9', priority: 1124 },
    ],
  },
];

async function preparePod(lab: Lab, networks: object[], defaultNetwork?: object): Promise<CniCall> {
  makeDualStack(lab);
  const annotations = {
    'k8s.v1.cni.cncf.io/networks': JSON.stringify(networks),
    ...(defaultNetwork === undefined ? {} : { 'v1.multus-cni.io/default-network': JSON.stringify([defaultNetwork]) }),
  };
  lab.manifest('pod1.yaml', { kind: 'Pod', metadata: { name: 'pod1', annotations } });
  await lab.addNetns('pod1');
  return { args: lab.podArgs('pod1') };
}

for (const { what, networks, defaultNetwork, ipv4, ipv6, answer } of ROUTE_CASES) {
  // Multus's weak point 1: default-route does nothing in the kernel, and what it tells of it is not so.
  eachDoor(`default-route, ${what}`, async (lab) => {
    const call = await preparePod(lab, networks, defaultNetwork);
    const added = await lab.cni('ADD', call);
    assertResult(added, '1.1.0');
    assert.equal([await kernelDefaults(lab, 'pod1', 4), await kernelDefaults(lab, 'pod1', 6)], [ipv4, ipv6]);
    const inAnswer = (added.json.routes ?? []).filter(({ dst }: { dst: string }) => dst.endsWith('/0'));
    assert.equal(inAnswer, answer);
    const entries = statusOf(lab, 'pod1');
    await assertAsInKernel(lab, 'pod1', entries);
    assert.equal(
      entries.filter((entry) => entry.default === true).map((entry) => entry.interface),
      ['eth0'],
    );
    assertSilent(await lab.cni('CHECK', call));
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  });
}

// The pod would run without a way out, or its half-made networks stay.
eachDoor('a gateway that cannot be reached fails the ADD, and nothing is left of it', async (lab) => {
  for (const gateway of ['10.99.99.1', 'fd00:99::1']) {
    const call = await preparePod(lab, [{ name: 'lan', 'default-route': [gateway] }]);
    assertError(await lab.cni('ADD', call), 102, `default route via ${gateway} on interface "net1"`);
    assert.is(lab.statusAnnotations('pod1'), undefined);
    await assertClean(lab, 'pod1');
    await lab.deleteNetns('pod1');
  }
});

/** A network's plugins with one behind them that puts a default route over a nexthop object. */
function withObjectRoute(fakes: Fakes, network: Record<string, unknown>, gateway: string): object {
  const { cniVersion, name, ...plugin } = network;
  const ip = 'nsenter --net=$CNI_NETNS ip';
  const { type } = fakes.plugin(`object-${name}`, {
    ADD: `set -e
${ip} nexthop add id $$ via ${gateway} dev $CNI_IFNAME
${ip} route del default dev $CNI_IFNAME || :
${ip} route prepend default nhid $$
${PASS_ON}`,
  });
  return { cniVersion, name, plugins: [plugin, { type }] };
}

// The kernel finds such a route by its object only. It would stay: ADD fails with EEXIST, or the pod leaves by the wrong
// network.
eachDoor('default-route replaces also a default route over a nexthop object', async (lab) => {
  const fakes = new Fakes(lab);
  const call = await preparePod(lab, [{ name: 'lan', 'default-route': ['10.211.0.1'] }]);
  const [own] = lab.config['delegates'] as Record<string, unknown>[];
  lab.config['delegates'] = [withObjectRoute(fakes, own ?? {}, OWN_4.gateway)];
  assertResult(await lab.cni('ADD', call), '1.1.0');
  assert.equal(await kernelDefaults(lab, 'pod1', 4), [{ gateway: '10.211.0.1', dev: 'net1' }]);
  await assertAsInKernel(lab, 'pod1', statusOf(lab, 'pod1'));
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

eachDoor('a default route over a nexthop object comes after that of the default network', async (lab) => {
  const fakes = new Fakes(lab);
  const call = await preparePod(lab, [{ name: 'objects' }]);
  const network = { ...lab.bridge('objects', ''), ipam: lab.hostLocal('10.215.0.0/24') };
  lab.manifest('objects.yaml', lab.nadManifest('objects', withObjectRoute(fakes, network, '10.215.0.1')));
  assertResult(await lab.cni('ADD', call), '1.1.0');
  assert.equal(await kernelDefaults(lab, 'pod1', 4), [OWN_4, { gateway: '10.215.0.1', dev: 'net1' }]);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod whose way out was taken would be taken for a healthy one.
eachDoor('CHECK tells a default route that is not as planned any more', async (lab) => {
  lab.config['verify'] = 'enforce';
  const call = await preparePod(lab, [{ name: 'lan', 'default-route': ['10.211.0.1'] }]);
  assertResult(await lab.cni('ADD', call), '1.1.0');
  assertSilent(await lab.cni('CHECK', call));
  assert.is((await lab.exec('pod1', 'ip', 'route', 'replace', 'default', 'via', '10.211.0.7')).code, 0);
  const must = 'IPv4 default routes of the pod must be via 10.211.0.1 on "net1"; found: via 10.211.0.7 on "net1"';
  assertError(await lab.cni('CHECK', call), 102, must);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 10: it compares its systemNamespaces with the pod's name.
eachDoor('a pod of a system namespace, and one that is named like it, have a status', async (lab) => {
  for (const [name, namespace] of [
    ['pod1', 'kube-system'],
    ['kube-system', 'default'],
  ] as const) {
    lab.manifest('pod1.yaml', lab.podManifest(name, '', namespace));
    await lab.addNetns('pod1');
    const call = { args: lab.podArgs(name, namespace) };
    assertResult(await lab.cni('ADD', call), '1.0.0');
    assert.is(statusOf(lab, name, namespace)[0]?.name, 'lab-default');
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
    await lab.deleteNetns('pod1');
  }
});

// Programs that were written for the TKE fork look for their own annotation.
eachDoor('a pod in the TKE dialect has the status under the name that is read there', async (lab) => {
  const { manifestsDir, delegates, ...rest } = lab.config as { manifestsDir: string; delegates: object[] };
  lab.config = { ...rest, manifestsDir, defaultDelegates: 'lab-default', confDir: lab.directory };
  writeFileSync(join(lab.directory, '10-default.conf'), JSON.stringify(delegates[0]));
  lab.manifest('pod1.yaml', { kind: 'Pod', metadata: { name: 'pod1' } });
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assert.equal(Object.keys(lab.statusAnnotations('pod1') ?? {}), [TKE_ANNOTATION]);
  const entries = statusOf(lab, 'pod1', 'default', TKE_ANNOTATION);
  assert.equal(
    entries.map((entry) => [entry.name, entry.interface, entry.default]),
    [['lab-default', 'eth0', true]],
  );
  await assertAsInKernel(lab, 'pod1', entries);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod that is started anew on its node would lose its status once the runtime removes the first sandbox.
eachDoor('a late DEL of a pod’s earlier sandbox leaves the status of the new one', async (lab) => {
  lab.manifest('pod1.yaml', lab.podManifest('pod1', ''));
  const sandbox = async (n: number): Promise<CniCall> => {
    await lab.addNetns(`sandbox${n}`);
    const call = { container: `c${n}`, pod: `sandbox${n}`, args: lab.podArgs('pod1') };
    assertResult(await lab.cni('ADD', call), '1.0.0');
    return call;
  };
  const first = await sandbox(1);
  const second = await sandbox(2);
  const told = statusOf(lab, 'pod1');
  assertSilent(await lab.cni('DEL', first));
  assert.equal(statusOf(lab, 'pod1'), told);
  assert.equal(told[0]?.ips, [await addressOf(lab, 'sandbox2', 'eth0')]);
  assertSilent(await lab.cni('DEL', second));
  await assertClean(lab, 'sandbox1', 'sandbox2');
});

// Multus's weak point 6: a status that cannot be written fails the ADD, and what is attached stays.
eachDoor('a status that cannot be written costs no pod its networks, and is told', async (lab, door) => {
  lab.manifest('pod1.yaml', lab.podManifest('pod1', ''));
  lab.manifest('status', {}); // where the folder should be
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  const added = await lab.cni('ADD', call);
  assertResult(added, '1.0.0');
  const log = door === 'daemon' ? lab.daemonLog : added.stderr;
  assert.match(log, /"level":50.*status\/default_pod1\.json: ENOTDIR.*cannot publish the network status/);
  assertSilent(await lab.cni('DEL', call));
  await lab.exec('host', 'rm', join(lab.manifestsDir, 'status'));
  await assertClean(lab, 'pod1');
});

// A pod that nobody deletes any more would be told to be attached for ever.
inLab('the status of a pod whose namespace is gone goes with what it had', async (lab) => {
  lab.manifest('pod1.yaml', lab.podManifest('pod1', ''));
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD', { args: lab.podArgs('pod1') }), '1.0.0');
  await lab.deleteNetns('pod1');
  assert.equal(lab.statusFiles(), ['default_pod1.json']);
  await lab.startDaemon();
  await until('the daemon has looked through the journal', () => lab.stateFiles().length === 0);
  await assertClean(lab);
});

test.run();
