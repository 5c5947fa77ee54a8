// timeout: 300s
// Where a pod's networks come from: the node's configuration and the pod's annotations, in every way that Multus has.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { claimLink, EMPTY_RESULT, Fakes, makeLink, removeLink } from '../lab/fakes.ts';
import { Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

const DEFAULT_NETWORK = 'v1.multus-cni.io/default-network';
const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

/** Pod pod1 of a namespace, with these annotations. */
function pod(lab: Lab, annotations: Record<string, string>, namespace = 'default', name = 'pod1'): { args: string } {
  lab.manifest('pod.yaml', { kind: 'Pod', metadata: { name, namespace, annotations } });
  return { args: lab.podArgs(name, namespace) };
}

function write(path: string, content: unknown): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const names = async (lab: Lab): Promise<string[]> => (await lab.links('pod1')).map(({ ifname }) => ifname).sort();

/** A plugin that makes a link, claims it and removes it. */
const LINK = { ADD: `${makeLink()}\n${claimLink({})}`, DEL: removeLink() };

// A pod that chooses its default network would be in the node's, or in both.
eachDoor('default-network takes the place of the default network, and gets what is meant for it', async (lab) => {
  const fakes = new Fakes(lab);
  const capabilities = { portMappings: true, ips: true };
  lab.manifest('nad.yaml', lab.nadManifest('chosen', { ...fakes.plugin('chosen', LINK), capabilities }, 'kube-system'));
  lab.config['delegates'] = [fakes.plugin('node-default', LINK), fakes.plugin('second', LINK)];
  lab.config['runtimeConfig'] = { portMappings: [{ hostPort: 80 }], dns: { servers: [] } };
  const call = pod(lab, { [DEFAULT_NETWORK]: '[{"name":"chosen","ips":["10.7.0.9/24"]}]', [NETWORKS]: '' });
  await lab.addNetns('pod1');
  const added = await lab.cni('ADD', call);
  assert.is(added.code, 0, added.stdout);
  assert.equal(await names(lab), ['eth0', 'net1']);
  assert.equal(fakes.history(), ['ADD chosen', 'ADD second']);
  assert.equal(JSON.parse(fakes.executions()[0]?.stdin ?? '').runtimeConfig, {
    portMappings: [{ hostPort: 80 }],
    ips: ['10.7.0.9/24'],
  });
  assertSilent(await lab.cni('DEL', call));
  assert.equal(fakes.history().slice(2), ['DEL second', 'DEL chosen']);
  await assertClean(lab, 'pod1');
});

// Two default networks, or none, would be attached as it comes.
eachDoor('default-network must name exactly one network', async (lab) => {
  await lab.addNetns('pod1');
  for (const value of ['a,b', '[]', '""']) {
    const call = pod(lab, { [DEFAULT_NETWORK]: value });
    assertError(await lab.cni('ADD', call), 7, `annotation ${DEFAULT_NETWORK} of pod default/pod1`);
  }
  await assertClean(lab, 'pod1');
});

// Multus's weak point 17: any pod author could join the network of another namespace through default-network.
eachDoor('namespaceIsolation holds for networks and for default-network alike', async (lab) => {
  const fakes = new Fakes(lab);
  const lan = fakes.plugin('lan', LINK);
  lab.manifest('nads.yaml', ...['bank', 'shop', 'nets'].map((namespace) => lab.nadManifest('lan', lan, namespace)));
  Object.assign(lab.config, { namespaceIsolation: true, globalNamespaces: 'nets, more' });
  await lab.addNetns('pod1');
  for (const key of [NETWORKS, DEFAULT_NETWORK]) {
    const refused = await lab.cni('ADD', pod(lab, { [key]: 'bank/lan' }, 'shop'));
    assertError(
      refused,
      7,
      'Cannot use network "bank/lan" in a pod of namespace "shop"',
      '"shop", "nets", "more" only',
    );
  }
  assert.equal(fakes.history(), [], 'no plugin ran');
  for (const own of ['shop/lan', 'nets/lan']) {
    const call = pod(lab, { [NETWORKS]: own }, 'shop');
    assert.is((await lab.cni('ADD', call)).code, 0);
    assertSilent(await lab.cni('DEL', call));
  }
  await assertClean(lab, 'pod1');
});

// Who may write definitions could run any program of the plugin folder as root on the node.
eachDoor('allowedPlugins keeps the definitions of a namespace to the plugins listed for it', async (lab) => {
  const fakes = new Fakes(lab);
  lab.manifest('nad.yaml', lab.nadManifest('lan', { ...fakes.plugin('host-device', LINK), name: 'lan' }, 'shop'));
  lab.config['allowedPlugins'] = { shop: ['bridge', 'host-local'] };
  await lab.addNetns('pod1');
  const call = pod(lab, { [NETWORKS]: 'lan' }, 'shop');
  assertError(await lab.cni('ADD', call), 7, 'namespace "shop" may not run plugin "host-device"');
  assert.equal(fakes.history(), []);
  lab.config['allowedPlugins'] = { '*': ['host-device'] };
  assert.is((await lab.cni('ADD', call)).code, 0);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Pods would lack the networks that the node promises to each of them, or system pods would get them.
eachDoor('defaultNetworks come to every pod outside systemNamespaces, whatever the pod is called', async (lab) => {
  const fakes = new Fakes(lab);
  const conf = join(lab.directory, 'conf');
  write(join(conf, 'storage.conf'), { ...fakes.plugin('storage', LINK), name: 'storage' });
  lab.manifest('nad.yaml', lab.nadManifest('node', fakes.plugin('node', LINK), 'infra'));
  lab.manifest('nad2.yaml', lab.nadManifest('more', fakes.plugin('more', LINK), 'infra'));
  const keys = {
    multusNamespace: 'infra',
    confDir: conf,
    clusterNetwork: 'node',
    defaultNetworks: ['storage', 'more'],
  };
  Object.assign(lab.config, keys);
  await lab.addNetns('pod1');
  const cases: [string, string, string[] | undefined, string[]][] = [
    ['default', 'kube-system', undefined, ['eth0', 'net1', 'net2']],
    ['kube-system', 'pod1', undefined, ['eth0']],
    ['kube-system', 'pod1', ['infra'], ['eth0', 'net1', 'net2']],
    ['infra', 'pod1', ['infra'], ['eth0']],
  ];
  for (const [namespace, name, systemNamespaces, expected] of cases) {
    if (systemNamespaces !== undefined) lab.config['systemNamespaces'] = systemNamespaces;
    const call = pod(lab, {}, namespace, name);
    const added = await lab.cni('ADD', call);
    assert.is(added.code, 0, added.stdout);
    assert.equal(await names(lab), expected, `${namespace}/${name}`);
    assertSilent(await lab.cni('DEL', call));
  }
  await assertClean(lab, 'pod1');
});

// A node whose default network is named in another way than ours would have none.
eachDoor('clusterNetwork is a definition, a name in confDir, a file, or a folder', async (lab) => {
  const fakes = new Fakes(lab);
  const conf = join(lab.directory, 'conf');
  lab.manifest('nad.yaml', lab.nadManifest('defined', fakes.plugin('by-definition', LINK), 'kube-system'));
  write(join(conf, '20-x.conf'), { ...fakes.plugin('by-name', LINK), name: 'named' });
  const file = write(join(conf, '30-y.conflist'), {
    cniVersion: '1.0.0',
    name: 'listed',
    plugins: [fakes.plugin('by-file', LINK)],
  });
  write(join(conf, 'listed', '10-chained.conf'), fakes.plugin('chained'));
  const folder = join(lab.directory, 'primary');
  write(join(folder, '10-first.conf'), { ...fakes.plugin('by-folder', LINK), name: 'first' });
  write(join(folder, '20-second.conf'), { ...fakes.plugin('never', LINK), name: 'second' });
  lab.config['confDir'] = conf;
  await lab.addNetns('pod1');
  for (const [clusterNetwork, ran] of [
    ['defined', ['by-definition']],
    ['named', ['by-name']],
    [file, ['by-file', 'chained']],
    [folder, ['by-folder']],
  ] as const) {
    lab.config['clusterNetwork'] = clusterNetwork;
    const before = fakes.history().length;
    const call = pod(lab, {});
    const added = await lab.cni('ADD', call);
    assert.is(added.code, 0, added.stdout);
    assert.equal(
      fakes.history().slice(before),
      ran.map((plugin) => `ADD ${plugin}`),
    );
    assertSilent(await lab.cni('DEL', call));
    assert.equal(fakes.history().slice(before + ran.length), ran.map((plugin) => `DEL ${plugin}`).reverse());
  }
  await assertClean(lab, 'pod1');
});

// Multus's weak point 15: its passthru plugin drops the result of the default network, and the chain works on a name
// that no interface has.
eachDoor('auxiliaryCNIChainName runs its plugins on the interface of the default network', async (lab) => {
  const fakes = new Fakes(lab);
  const conf = join(lab.directory, 'conf');
  write(join(conf, 'default.conf'), lab.ptp('lab-default', '10.210.0.0/24'));
  const sysctl = { 'net.ipv4.conf.eth0.arp_filter': '1' };
  write(join(conf, 'vendor', '10-sysctl.conf'), { type: 'tuning', sysctl });
  write(join(conf, 'vendor', '20-record.conf'), fakes.plugin('record'));
  lab.config['clusterNetwork'] = join(conf, 'default.conf');
  lab.config['auxiliaryCNIChainName'] = 'vendor';
  lab.manifest('nad.yaml', lab.nadManifest('lan', lab.bridge('lan', '10.211.0.0/24')));
  await lab.addNetns('pod1');
  const call = pod(lab, { [NETWORKS]: 'lan' });
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assert.equal(await names(lab), ['eth0', 'net1']);
  const filter = await lab.exec('pod1', 'cat', '/proc/sys/net/ipv4/conf/eth0/arp_filter');
  assert.is(filter.stdout.trim(), '1');
  const { stdin = '', env = {} } = fakes.executions()[0] ?? {};
  assert.is(env['CNI_IFNAME'], 'eth0');
  const [address] = Lab.addresses((await lab.links('pod1')).find(({ ifname }) => ifname === 'eth0'));
  assert.is(JSON.parse(stdin).prevResult.ips[0].address, address, 'the chain gets the default network’s result');
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(fakes.history(), ['ADD record', 'CHECK record', 'DEL record']);
  await assertClean(lab, 'pod1');
});

// Pods would start without what the chain does for them (Multus logs that and goes on).
eachDoor('a broken file of the auxiliary chain fails ADD by its name, and not DEL', async (lab) => {
  const broken = write(join(lab.directory, 'conf', 'vendor', '10-x.conf'), '{"type":');
  Object.assign(lab.config, { confDir: join(lab.directory, 'conf'), auxiliaryCNIChainName: 'vendor' });
  await lab.addNetns('pod1');
  const call = pod(lab, {});
  assertError(await lab.cni('ADD', call), 6, broken);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Pods would be attached to a network that is not there yet, or could not be deleted while it is away.
eachDoor(
  'readinessindicatorfile: ADD waits for it and says so, STATUS answers at once, DEL does not ask',
  async (lab) => {
    const ready = join(lab.directory, 'ready');
    Object.assign(lab.config, { cniVersion: '1.1.0', readinessindicatorfile: ready, requestTimeout: '1500ms' });
    await lab.addNetns('pod1');
    assertError(await lab.cni('STATUS', { env: { CNI_ARGS: '' } }), 50, `readiness file ${ready} does not exist`);
    assertError(await lab.cni('ADD'), 11, `readiness file ${ready} does not exist`);
    const gc = JSON.stringify({ ...lab.config, 'cni.dev/valid-attachments': [] });
    assertError(await lab.cni('GC', { config: gc }), 11, ready);
    lab.config['requestTimeout'] = '30s';
    let answered = false;
    const adding = lab.cni('ADD').finally(() => {
      answered = true;
    });
    await until('the ADD waits', () => lab.processes().some((one) => one.includes('multus')) && !answered);
    writeFileSync(ready, '');
    assertResult(await adding, '1.1.0');
    assertSilent(await lab.cni('STATUS'));
    rmSync(ready);
    assertSilent(await lab.cni('DEL'));
    await assertClean(lab, 'pod1');
  },
);

const HOSTILE: [string, Record<string, string>, string][] = [
  ['[null]', { [NETWORKS]: '[null]' }, 'entry 1 must be an object'],
  ['default-network []', { [DEFAULT_NETWORK]: '[]' }, 'it must name exactly one network, it names 0'],
  ['a definition with "plugins": []', { [NETWORKS]: 'no-plugins' }, 'key "plugins" must not be empty'],
  ['a definition with "plugins": [null]', { [NETWORKS]: 'null-plugin' }, 'plugins[0]'],
  [
    'args that are no object',
    { [NETWORKS]: '[{"name":"text-args","cni-args":{"a":1}}]' },
    'key "args" must be an object',
  ],
  [
    'args.cni that is no object',
    { [NETWORKS]: '[{"name":"list-args","cni-args":{"a":1}}]' },
    'key "cni" must be an object',
  ],
];
// Multus's weak point 16: any pod author could crash the handler.
eachDoor('what crashes Multus is an error that names it, and the next pod is attached', async (lab) => {
  lab.manifest(
    'nads.yaml',
    lab.nadManifest('no-plugins', '{"cniVersion":"1.0.0","name":"x","plugins":[]}'),
    lab.nadManifest('null-plugin', '{"cniVersion":"1.0.0","name":"x","plugins":[null]}'),
    lab.nadManifest('text-args', '{"cniVersion":"1.0.0","type":"bridge","args":"x"}'),
    lab.nadManifest('list-args', '{"cniVersion":"1.0.0","type":"bridge","args":{"cni":[]}}'),
  );
  await lab.addNetns('pod1');
  for (const [what, annotations, message] of HOSTILE) {
    const refused = await lab.cni('ADD', pod(lab, annotations));
    assertError(refused, 7, message);
    await assertClean(lab, 'pod1').catch((error: Error) => assert.unreachable(`${what}: ${error.message}`));
  }
  const call = pod(lab, {});
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Whoever needs many interfaces would get some of them.
eachDoor('64 networks are attached in order, and detached in reverse', async (lab) => {
  const fakes = new Fakes(lab);
  lab.manifest('nad.yaml', lab.nadManifest('lan', fakes.plugin('lan', { ADD: EMPTY_RESULT })));
  await lab.addNetns('pod1');
  const call = pod(lab, { [NETWORKS]: Array(64).fill('lan').join() });
  assertResult(await lab.cni('ADD', call), '1.0.0');
  const interfaces = fakes.executions().map(({ env }) => env['CNI_IFNAME']);
  assert.equal(
    interfaces,
    Array.from({ length: 64 }, (_, i) => `net${i + 1}`),
  );
  assertSilent(await lab.cni('DEL', call));
  assert.equal(
    fakes
      .executions()
      .slice(64)
      .map(({ env }) => env['CNI_IFNAME']),
    [...interfaces].reverse(),
  );
  await assertClean(lab, 'pod1');
});

// A plugin would work with other values than the pod asked for, or with those of the default network.
// Multus's weak point 4: port mappings, bandwidth, MAC and addresses are missing on DEL.
eachDoor('every request of an annotation reaches the plugins that declare it, on ADD and on DEL alike', async (lab) => {
  const fakes = new Fakes(lab);
  const capabilities = Object.fromEntries(
    ['ips', 'mac', 'portMappings', 'bandwidth', 'infinibandGUID', 'deviceID'].map((one) => [one, true]),
  );
  const result = claimLink({ mac: '02:00:00:00:00:07', address: '10.7.0.9/24' });
  const make = makeLink({ mac: '02:00:00:00:00:07', address: '10.7.0.9/24' });
  const plugin = fakes.plugin('lan', { ADD: `${make}\n${result}`, DEL: removeLink() });
  lab.manifest('nad.yaml', lab.nadManifest('lan', { ...plugin, capabilities }));
  const entry = {
    name: 'lan',
    interfaceRequest: 'north',
    ips: ['10.7.0.9/24'],
    mac: '02:00:00:00:00:07',
    'infiniband-guid': 'c2:11:22:33:44:55:66:77',
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'TCP' }],
    bandwidth: { ingressRate: 1000, ingressBurst: 2000 },
    deviceID: 'dev-1',
    'cni-args': { tenant: { id: 7 } },
  };
  await lab.addNetns('pod1');
  const call = pod(lab, { [NETWORKS]: JSON.stringify([entry]) });
  const added = await lab.cni('ADD', call);
  assert.is(added.code, 0, added.stdout);
  assert.equal(await names(lab), ['eth0', 'north']);
  assertSilent(await lab.cni('DEL', call));
  const [add, del] = fakes.executions();
  for (const { stdin, env } of [add, del].filter((one) => one !== undefined)) {
    const read = JSON.parse(stdin);
    assert.equal(read.runtimeConfig, {
      ips: ['10.7.0.9/24'],
      mac: '02:00:00:00:00:07',
      infinibandGUID: 'c2:11:22:33:44:55:66:77',
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
      bandwidth: { ingressRate: 1000, ingressBurst: 2000 },
      deviceID: 'dev-1',
    });
    assert.equal(read.args, { cni: { tenant: { id: 7 } } });
    assert.match(env['CNI_ARGS'] ?? '', /MAC=02:00:00:00:00:07;IP=10\.7\.0\.9\/24$/);
  }
  await assertClean(lab, 'pod1');
});

test.run();
