import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Hotplug, hotplugNetwork, planHotplug } from '../../../../src/attach/hotplug/hotplug-plan.ts';
import { parseHotplugRequest } from '../../../../src/attach/hotplug/hotplug-request.ts';
import { RawObject } from '../../../../src/cni/raw-json.ts';
import { parseNodeKeys } from '../../../../src/pod/multus-config.ts';
import { fakeOperation } from '../../../fakes/fake-operation.ts';
import { FakeRunner } from '../../../fakes/fake-runner.ts';
import { type FakeCluster, fakeSource } from '../../../fakes/fake-source.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { aRecord } from '../records.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const CONFIG = '{ "type":"macvlan", "capabilities":{"ips":true,"mac":true}, "n":1e400 }';

interface Asked {
  networks?: string;
  config?: string;
  attributes?: string;
  keys?: Record<string, unknown>;
  cluster?: FakeCluster | null;
}

function asked({ networks = '', config = CONFIG, attributes = 'null', keys = {}, cluster }: Asked): Hotplug {
  const env = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c0ffee',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'hot0',
    CNI_ARGS: 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;IP=10.9.9.9;MAC=02:00:00:00:00:99',
  };
  const text = Buffer.from(config).toString('base64');
  const body = `{"env":${JSON.stringify(env)},"config":"${text}","interfaceAttributes":${attributes}}`;
  const pods = { 'prod/web': { [NETWORKS]: networks } };
  const source = cluster === null ? undefined : fakeSource(cluster ?? { pods });
  const operation = fakeOperation({ command: 'ADD', cniDir: '/state', runner: new FakeRunner() });
  return {
    ...operation,
    openSource: () => source,
    config: parseNodeKeys(RawObject.parse(JSON.stringify(keys), 'keys')),
    request: parseHotplugRequest(Buffer.from(body)),
  };
}

const plan = (one: Asked, record = aRecord()) => planHotplug(asked(one), record);

// What the entry says of another interface is for another network.
test('the entry of the annotation that names the interface is the one that counts', async () => {
  const { network, configName, ifName, isDefault } = await plan({ networks: 'a@hot1, other/b@hot0, hot0' });
  assert.equal([network, configName, ifName, isDefault], ['other/b', 'b', 'hot0', false]);
  const { message } = await laterRefusal(() => plan({ networks: 'hot0' }));
  assert.match(message, 'key "name" is missing', 'an entry without a name of its own gives no network its name');
});

test('without an entry the network is known by the name of its configuration', async () => {
  const { network, steps } = await plan({ config: '{"name":"own","type":"macvlan"}' });
  assert.equal([network, steps[0]?.stdin], ['own', '{"name":"own","type":"macvlan"}']);
});

// A pod that could not be looked up might be allowed, or not; and nothing is known of what it asks.
test('a pod that nobody knows is to be tried again, and a daemon without a source says what to set', async () => {
  assert.is((await laterRefusal(() => plan({ cluster: { unknown: 'away' } }))).code, 11);
  const { code, message } = await laterRefusal(() => plan({ cluster: null }));
  assert.is(code, 7);
  assert.match(message, 'pod prod/web');
  assert.match(message, 'set "kubeconfig" or "manifestsDir"');
});

test('a wrong annotation is told: what it asks of this interface cannot be known', async () => {
  const { code, message } = await laterRefusal(() => plan({ networks: 'a,,b' }));
  assert.is(code, 7);
  assert.match(message, `Cannot use annotation ${NETWORKS} of pod prod/web: item 2`);
});

// Multus's weak point 17.
test('isolation is decided by the namespace of the entry, and nothing passes without one', async () => {
  const keys = { namespaceIsolation: true, globalNamespaces: 'shared' };
  const { code, message } = await laterRefusal(() => plan({ networks: 'other/b@hot0', keys }));
  assert.is(code, 7);
  assert.match(message, '"other/b" in a pod of namespace "prod"');
  assert.is((await plan({ networks: 'b@hot0', keys })).network, 'prod/b');
  assert.is((await plan({ networks: 'shared/b@hot0', keys })).network, 'shared/b');
  const unnamed = await laterRefusal(() => plan({ networks: 'b@hot1', keys, config: '{"name":"n","type":"macvlan"}' }));
  assert.is(unnamed.code, 7);
  assert.match(unnamed.message, '"namespaceIsolation" is set, and no entry');
});

test('allowed plugins are those of the namespace of the entry', async () => {
  const keys = { allowedPlugins: { prod: ['macvlan'] } };
  assert.is((await plan({ networks: 'b@hot0', keys })).steps[0]?.type, 'macvlan');
  assert.match((await laterRefusal(() => plan({ networks: 'other/b@hot0', keys }))).message, 'namespace "other"');
  const unnamed = await laterRefusal(() => plan({ keys, config: '{"name":"n","type":"macvlan"}' }));
  assert.match(unnamed.message, '"allowedPlugins" is set, and no entry');
});

test('this very plugin cannot be plugged in: it would wait for its own lock', async () => {
  for (const type of ['multus', 'multus-shim']) {
    const { code } = await laterRefusal(() => plan({ config: `{"name":"n","type":"${type}"}` }));
    assert.is(code, 7);
  }
});

// The container's own address belongs to its default network.
test("neither the runtime's arguments nor its own keys reach the network, what was asked of it does", async () => {
  const networks =
    '[{"name":"b","interface":"hot0","ips":["10.0.0.5/24"],"mac":"02:00:00:00:00:05","default-route":["10.0.0.1"]}]';
  const one = await plan({ networks, keys: { cniVersion: '0.4.0', runtimeConfig: { ips: ['10.9.9.8'] } } });
  assert.is(
    one.steps[0]?.stdin,
    '{ "type":"macvlan", "capabilities":{"ips":true,"mac":true}, "n":1e400,"name":"b",' +
      '"runtimeConfig":{"ips":["10.0.0.5/24"],"mac":"02:00:00:00:00:05"} }',
  );
  assert.is(one.args, 'IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;MAC=02:00:00:00:00:05;IP=10.0.0.5/24');
  assert.equal([one.defaultRoute, one.requestedMac], [['10.0.0.1'], '02:00:00:00:00:05']);
});

test("the request's own words count before the annotation's, one by one", async () => {
  const networks =
    '[{"name":"b","interface":"hot0","ips":["10.0.0.5/24"],"mac":"02:00:00:00:00:05","cni-args":{"a":1}}]';
  const { requestedIps, requestedMac, steps } = await plan({
    networks,
    attributes: '{"ips":[],"mac":"02-00-00-00-00-0A","cni-args":{"big":12345678901234567891}}',
  });
  assert.equal([requestedIps, requestedMac], [['10.0.0.5/24'], '02:00:00:00:00:0a']);
  assert.match(steps[0]?.stdin ?? '', '"args":{"cni":{"big":12345678901234567891}}');
  const refused = await laterRefusal(() =>
    plan({ networks, config: '{"type":"macvlan"}', attributes: '{"mac":"02:00:00:00:00:01"}' }),
  );
  assert.match(refused.message, 'Cannot give network "prod/b" the requested addresses 10.0.0.5/24');
});

test('hotplugNetwork() names the key of the request in its errors', () => {
  assert.throws(
    () => hotplugNetwork(RawObject.parse('{"name":"x"}', 'x')),
    /configuration in key "config" of the request/,
  );
});

test.run();
