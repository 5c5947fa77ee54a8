import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Lookups, nodeNetworks, resolveNetworks } from '../../../../src/attach/resolve/networks.ts';
import type { ClusterSource } from '../../../../src/cluster/source.ts';
import { RawObject } from '../../../../src/cni/raw-json.ts';
import { type MultusConfig, parseMultusConfig } from '../../../../src/pod/multus-config.ts';
import { parseSelections } from '../../../../src/pod/parse-selections.ts';
import type { Network } from '../../../../src/pod/plan.ts';
import { NO_NETWORKS, type PodNetworks } from '../../../../src/pod/pod-networks.ts';
import { type FakeCluster, fakeSource } from '../../../fakes/fake-source.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

function configOf(keys: Record<string, unknown>): MultusConfig {
  const config = { clusterNetwork: 'node', confDir: folder.path, ...keys };
  return parseMultusConfig(RawObject.parse(JSON.stringify(config), 'configuration'));
}

const sourceOf = (cluster: FakeCluster | undefined) => (cluster === undefined ? undefined : fakeSource(cluster));
const lookups = (config: MultusConfig, source: ClusterSource | undefined): Lookups => ({
  config,
  source,
  signal: new AbortController().signal,
});
const shown = (networks: readonly Network[]) => networks.map(({ label, config }) => [label, config.source.text]);

async function selected(annotation: string, cluster?: FakeCluster) {
  const wanted = { ...NO_NETWORKS, additional: parseSelections(annotation, { origin: 'it', namespace: 'prod' }) };
  const config = configOf({ clusterNetwork: '', delegates: [{ name: 'node', type: 'bridge' }] });
  const { additional } = await resolveNetworks(wanted, 'prod', lookups(config, sourceOf(cluster)));
  return shown(additional);
}

async function defaults(keys: Record<string, unknown>, cluster?: FakeCluster) {
  return shown(await nodeNetworks(lookups(configOf(keys), sourceOf(cluster))));
}

test('a network that is not defined is refused; one that may be is "try again later"', async () => {
  assert.equal(await laterRefusal(() => selected('a', {})), {
    code: 7,
    message: 'Cannot find network "prod/a": no such definition',
    details: '',
  });
  assert.equal(await laterRefusal(() => selected('a', { unknown: 'still reading' })), {
    code: 11,
    message: 'Cannot find network "prod/a": still reading',
    details: '',
  });
});

test('a network on a node that reads no definitions is refused, and what to set is said', async () => {
  const { code, message } = await laterRefusal(() => selected('a'));
  assert.is(code, 7);
  assert.match(message, 'Cannot find network "prod/a": the configuration names no source of network attachment');
  assert.match(message, 'set "manifestsDir"');
});

test('a definition that cannot be used is refused by its name', async () => {
  const { code, message } = await laterRefusal(() => selected('a', { definitions: { 'prod/a': '{"type":""}' } }));
  assert.is(code, 7);
  assert.match(message, 'Cannot use network attachment definition prod/a: key "type" must not be empty');
});

test('a definition without configuration whose file is not there is refused', async () => {
  const { code, message } = await laterRefusal(() => selected('a', { definitions: { 'prod/a': ' \n' } }));
  assert.is(code, 7);
  assert.match(message, `Cannot find network "a": no configuration file in ${folder.path} has that name`);
});

test('finds definitions in the order of the annotation, with the name of the definition where theirs is missing', async () => {
  const definitions = { 'prod/a': '{"type":"x"}', 'kube-system/b': '{"name":"own","type":"y"}' };
  assert.equal(await selected('kube-system/b,a', { definitions }), [
    ['kube-system/b', '{"name":"own","type":"y"}'],
    ['prod/a', '{"type":"x","name":"a"}'],
  ]);
});

// A pod could join the network of another tenant, or run any program of the plugin folder, by naming it.
test('what a pod may not use is refused before it is looked up or run, by whatever annotation', async () => {
  folder.write('b.conf', '{"name":"b","type":"bridge"}');
  const definitions = { 'bank/lan': '{"type":"bridge"}', 'prod/a': '{"type":"bridge"}' };
  const resolve = (wanted: Partial<PodNetworks>, keys: Record<string, unknown>) =>
    laterRefusal(() =>
      resolveNetworks({ ...NO_NETWORKS, ...wanted }, 'prod', lookups(configOf(keys), fakeSource({ definitions }))),
    );
  const [lan] = parseSelections('bank/lan', { origin: 'it', namespace: 'prod' });
  const own = parseSelections('a', { origin: 'it', namespace: 'prod' });
  const tke = parseSelections('b', { origin: 'it', namespace: undefined });
  const isolated = { namespaceIsolation: true, clusterNetwork: '', delegates: [{ name: 'node', type: 'p' }] };
  for (const wanted of [{ additional: lan === undefined ? [] : [lan] }, { defaultNetwork: lan }]) {
    assert.match(
      (await resolve(wanted, isolated)).message,
      'Cannot use network "bank/lan" in a pod of namespace "prod"',
    );
  }
  const limited = { ...isolated, namespaceIsolation: false, allowedPlugins: { prod: ['macvlan'] } };
  for (const wanted of [{ additional: own }, { defaultNetwork: own[0] }, { tke }]) {
    assert.match((await resolve(wanted, limited)).message, 'namespace "prod" may not run plugin "bridge"');
  }
});

test('takes the file of the node for a definition without configuration', async () => {
  folder.write('a.conf', '{"name":"a","type":"on-the-node"}');
  const found = await selected('a', { definitions: { 'prod/a': '' } });
  assert.equal(found, [['prod/a', '{"name":"a","type":"on-the-node"}']]);
});

test('a default network that may be defined is "try again later": another one of the name is not it', async () => {
  folder.write('node.conf', '{"name":"node","type":"bridge"}');
  const { code, message } = await laterRefusal(() => defaults({}, { unknown: 'still reading' }));
  assert.equal([code, message], [11, 'Cannot find clusterNetwork "node": still reading']);
});

// The definition lies in another namespace than the operator thinks, which the error must say.
test('a default network that is nowhere is told with its key, and with where it was looked for', async () => {
  const { code, message } = await laterRefusal(() => defaults({ clusterNetwork: 'storage' }, {}));
  assert.is(code, 7);
  assert.match(message, 'Cannot find clusterNetwork "storage": there is no definition kube-system/storage, and: ');
  assert.match(message, folder.path);
});

test('the default network is a definition, else a file by name, else a path', async () => {
  folder.write('some.conf', '{"name":"node","type":"file"}');
  const definitions = { 'kube-system/node': '{"type":"definition"}', 'nets/node': '{"type":"of-nets"}' };
  assert.equal(await defaults({}, { definitions }), [['kube-system/node', '{"type":"definition","name":"node"}']]);
  assert.equal((await defaults({ multusNamespace: 'nets' }, { definitions }))[0]?.[0], 'nets/node');
  assert.equal(await defaults({}, {}), [['node', '{"name":"node","type":"file"}']]);
  assert.equal(await defaults({}), [['node', '{"name":"node","type":"file"}']]);
  assert.equal((await defaults({ clusterNetwork: folder.at('some.conf') }))[0]?.[0], 'node');
});

test('static delegates are the default networks, in their order, and nothing is looked up for them', async () => {
  const delegates = [
    { name: 'b', type: 'x' },
    { name: 'a', type: 'y' },
  ];
  assert.equal(await defaults({ clusterNetwork: '', delegates }, { unknown: 'away' }), [
    ['b', '{"name":"b","type":"x"}'],
    ['a', '{"name":"a","type":"y"}'],
  ]);
});

// The specification looks for lists first; the TKE fork goes by file names, and a node of its must keep its network.
test('of two files of one name a definition takes the list, the TKE annotation the first', async () => {
  folder.write('10-a.conf', '{"name":"a","type":"conf"}');
  folder.write('20-a.conflist', '{"name":"a","plugins":[{"type":"list"}]}');
  const typesOf = (networks: readonly Network[]) => networks.map(({ config }) => config.plugins[0]?.type);
  const selections = (namespace?: string) => parseSelections('a', { origin: 'it', namespace });
  const config = configOf({ clusterNetwork: '', delegates: [{ name: 'node', type: 'bridge' }] });
  const source = fakeSource({ definitions: { 'prod/a': '' } });
  const npwg = { ...NO_NETWORKS, additional: selections('prod') };
  assert.equal(typesOf((await resolveNetworks(npwg, 'prod', lookups(config, source))).additional), ['list']);
  const tke = { ...NO_NETWORKS, tke: selections() };
  assert.equal(typesOf((await resolveNetworks(tke, 'prod', lookups(config, source))).base), ['conf']);
});

/** Plugins of the auxiliary chain. */
async function auxiliary(keys: Record<string, unknown>): Promise<string[] | undefined> {
  const config = configOf({ auxiliaryCNIChainName: 'chain', ...keys });
  const found = await resolveNetworks(NO_NETWORKS, 'prod', lookups(config, undefined));
  return found.auxiliary?.config.plugins.map(({ type }) => type);
}

// The node's pods would run without what the chain does for them, and nobody would tell.
test('the auxiliary chain lies beside the default network’s file, however that is named; else in confDir', async () => {
  folder.write('net.d/node.conf', '{"name":"node","type":"x"}');
  folder.write('net.d/chain/10.conf', '{"type":"beside"}');
  folder.write('conf.d/node.conf', '{"name":"node","type":"x"}');
  folder.write('conf.d/chain/10.conf', '{"type":"in-conf-dir"}');
  const confDir = folder.at('conf.d');
  for (const clusterNetwork of ['net.d/node.conf', 'net.d', 'net.d/']) {
    assert.equal(await auxiliary({ confDir, clusterNetwork: folder.at(clusterNetwork) }), ['beside'], clusterNetwork);
  }
  assert.equal(await auxiliary({ confDir }), ['in-conf-dir']);
  const delegates = [{ name: 'node', type: 'x' }];
  assert.equal(await auxiliary({ confDir, clusterNetwork: '', delegates }), ['in-conf-dir']);
});

// It would wait for the lock that its own ADD holds, and its DEL would leave the network in the journal.
test('a network whose plugin, or whose IPAM plugin, is ourselves is refused', async () => {
  const own = { clusterNetwork: '', type: 'multus', confDir: folder.path };
  for (const members of ['"type":"multus"', '"type":"bridge","ipam":{"type":"multus"}']) {
    const delegates = [JSON.parse(`{"name":"node",${members}}`)];
    const { code, message } = await laterRefusal(() =>
      resolveNetworks(NO_NETWORKS, 'prod', lookups(configOf({ ...own, delegates }), undefined)),
    );
    assert.is(code, 7);
    assert.match(message, 'Cannot attach network "node": its plugin "multus" is the one that attaches it');
  }
});

test.run();
