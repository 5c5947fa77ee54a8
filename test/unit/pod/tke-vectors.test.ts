// Pods of a TKE node: which networks they get, under which names, and which one answers. The table is what the fork
// was measured to do; `better` says where it crashed or erred, and what we do instead.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolvePlan } from '../../../src/attach/resolve/make-plan.ts';
import type { Plan } from '../../../src/pod/plan.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner } from '../../fakes/fake-runner.ts';
import { type FakeCluster, fakeSource } from '../../fakes/fake-source.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const TKE = 'tke.cloud.tencent.com/networks';
const HANDED_OVER = 'io.kubernetes.cri.pod-annotations';

interface Node {
  defaultDelegates?: string;
  /** The pod's annotations, by their whole keys. @default none */
  annotations?: Record<string, string>;
  /** Further keys of the configuration. */
  keys?: Record<string, unknown>;
  cluster?: FakeCluster;
}

/** The plan of a pod on a node with the networks a, b, c and the conflist lst. */
async function planOn({ defaultDelegates, annotations = {}, keys = {}, cluster }: Node): Promise<Plan> {
  for (const name of ['a', 'b', 'c']) folder.write(`${name}.conf`, `{"name":"${name}","type":"p"}`);
  folder.write('lst.conflist', '{"name":"lst","plugins":[{"type":"p"},{"type":"q"}]}');
  const operation = fakeOperation({
    command: 'ADD',
    cniDir: '/state',
    runner: new FakeRunner(),
    config: {
      confDir: folder.path,
      kubeconfig: '/etc/kubernetes/tke-cni-kubeconfig',
      runtimeConfig: { [HANDED_OVER]: annotations },
      ...(defaultDelegates === undefined ? {} : { defaultDelegates }),
      ...keys,
    },
    ...(cluster === undefined ? {} : { source: fakeSource(cluster) }),
  });
  return resolvePlan(operation);
}

/** "a eth0*, b eth1": in the order of execution, the one that answers with a star. */
async function shown(node: Node): Promise<string> {
  const { attachments } = await planOn(node);
  return attachments.map((one) => `${one.network} ${one.ifName}${one.isDefault ? '*' : ''}`).join(', ');
}

const annotated = (value: string): Node => ({ annotations: { [TKE]: value } });

const NAMES: { annotation: string; names: string; better?: string }[] = [
  { annotation: 'a,b,c', names: 'a eth0*, b eth1, c eth2' },
  { annotation: 'a@net0,b', names: 'a net0, b eth0*' },
  { annotation: 'a@eth0,b', names: 'a eth0*, b eth1' },
  { annotation: 'b,a@eth0', names: 'b eth1, a eth0*' },
  { annotation: 'a@net5,b,c', names: 'a net5, b eth0*, c eth1', better: 'eth6: it read any prefix as eth' },
  { annotation: 'a@eth5,b,c', names: 'a eth5, b eth0*, c eth6' },
  { annotation: 'a,a', names: 'a eth0*, a eth1' },
  { annotation: 'lst@north,a', names: 'lst north, a eth0*' },
  {
    annotation: '[{"name":"a"},{"name":"b"},{"name":"c","interfaceRequest":"north"}]',
    names: 'a eth0*, b eth1, c north',
  },
  { annotation: 'a@n1,b', names: 'a n1, b eth0*', better: 'a panic: the name is shorter than "eth"' },
  { annotation: 'ns9/a, b', names: 'a eth0*, b eth1' },
  { annotation: 'a@eth1,b,c', names: 'a eth1, b eth0*, c eth2' },
];
for (const { annotation, names, better } of NAMES) {
  // The pod's programs look for interfaces that are not there, and the runtime gets another network's address.
  test(`${annotation} is ${names}${better === undefined ? '' : ` (the fork: ${better})`}`, async () => {
    assert.is(await shown(annotated(annotation)), names);
    // A pod without annotation gets the same from the node.
    if (annotation !== '') assert.is(await shown({ defaultDelegates: annotation }), names);
  });
}

const ORIGIN = `annotation ${TKE} of pod prod/web`;
const REFUSED: { annotation: string; message: string; better?: string }[] = [
  {
    annotation: 'a@eth1,b@eth1',
    message:
      'Cannot choose the default network: the pod needs interface "eth0", and "a" asks for "eth1", "b" asks for "eth1"; leave one without a name',
  },
  {
    annotation: 'a@eth1,b@eth1,c',
    message: 'Cannot name the interface of network "b" "eth1": network "a" has that name; request another one',
  },
  {
    annotation: 'a@net0,b@net1',
    message:
      'Cannot choose the default network: the pod needs interface "eth0", and "a" asks for "net0", "b" asks for "net1"; leave one without a name',
  },
  {
    annotation: '[]',
    message: `Cannot use ${ORIGIN}: it must name at least one network; for those of the node, remove the annotation`,
    better: 'a panic',
  },
  {
    annotation: '{"name":"a"}',
    message: `Cannot use ${ORIGIN}: the JSON form must be a list of objects, got an object`,
  },
  {
    annotation: 'a,,b',
    message: `Cannot use ${ORIGIN}: item 2 ("") names no network; remove the empty item`,
    better: 'a search for the network ""',
  },
  {
    annotation: 'a,',
    message: `Cannot use ${ORIGIN}: item 2 ("") names no network; remove the empty item`,
    better: 'a search for the network ""',
  },
  {
    annotation: 'x/y/a',
    message: `Cannot use ${ORIGIN}: item 1 ("x/y/a") has more than one "/"; write [namespace/]name[@interface]`,
  },
  {
    annotation: 'a@b@c',
    message: `Cannot use ${ORIGIN}: item 1 ("a@b@c") has more than one "@"; write [namespace/]name[@interface]`,
  },
  {
    annotation: '[{"name":"a/b c"}]',
    message: `Cannot use ${ORIGIN}: field "name" of entry 1 is "a/b c": it must start with a letter or digit, followed by letters, digits, "_", "." or "-" (ASCII) only`,
    better: 'it went to the plugin as it is',
  },
  {
    annotation: '[{"name":"a"},{"name":"b","interfaceRequest":"sixteen-letters-"}]',
    message: `Cannot use field "interfaceRequest" of entry 2 of ${ORIGIN} "sixteen-letters-": the name is 16 bytes, at most 15 are allowed`,
    better: 'an error after the first network was attached',
  },
];
for (const { annotation, message, better } of REFUSED) {
  // Who wrote the annotation must learn what is wrong with it, before anything is attached.
  test(`${annotation} is refused${better === undefined ? '' : ` (the fork: ${better})`}`, async () => {
    assert.equal(await laterRefusal(() => planOn(annotated(annotation))), { code: 7, message, details: '' });
  });
}

test('an annotation replaces defaultDelegates; an empty one does not', async () => {
  assert.is(await shown({ defaultDelegates: 'a,b', ...annotated('c') }), 'c eth0*');
  for (const empty of ['', ' \n']) {
    assert.is(await shown({ defaultDelegates: 'a,b', ...annotated(empty) }), 'a eth0*, b eth1');
  }
});

test('neither annotation nor defaultDelegates: the error says what to set (the fork: of interface names)', async () => {
  for (const defaultDelegates of [undefined, '[]', ' ']) {
    const { code, message } = await laterRefusal(() =>
      planOn(defaultDelegates === undefined ? {} : { defaultDelegates }),
    );
    assert.is(code, 7);
    assert.match(message, `Cannot tell the default network: the pod has no annotation ${TKE}`);
    assert.match(message, 'set "defaultDelegates"');
  }
});

test('defaultDelegates needs no API server (the fork: an error, a pod could not start while it was away)', async () => {
  const keys = { kubeconfig: '', runtimeConfig: {} };
  assert.is(await shown({ defaultDelegates: 'a,b', keys }), 'a eth0*, b eth1');
});

const FORMS: [string, string][] = [
  ['a list in JSON', '[{"name":"a"},{"name":"b","interfaceRequest":"net0"}]'],
  ['names with commas', 'a,b'],
  ['a name with an interface', 'a,b@net0'],
  ['one name', 'a'],
];
for (const [what, defaultDelegates] of FORMS) {
  // The four forms that the fork documents: a node would lose its default network.
  test(`defaultDelegates may be ${what}: ${defaultDelegates}`, async () => {
    const names = { a: 'a eth0*', 'a,b': 'a eth0*, b eth1' }[defaultDelegates] ?? 'a eth0*, b net0';
    assert.is(await shown({ defaultDelegates }), names);
  });
}

test('an error in defaultDelegates names the key', async () => {
  const { message } = await laterRefusal(() => planOn({ defaultDelegates: 'a@x@y' }));
  assert.match(message, 'Cannot use CNI configuration, key "defaultDelegates": item 1 ("a@x@y") has more than one "@"');
});

test('"interface" counts as "interfaceRequest" does, and wins (the fork: it was ignored)', async () => {
  const entry = (members: string) => annotated(`[{"name":"a"},{"name":"b",${members}}]`);
  assert.is(await shown(entry('"interface":"north"')), 'a eth0*, b north');
  assert.is(await shown(entry('"interfaceRequest":"south","interface":"north"')), 'a eth0*, b north');
  assert.is(await shown(entry('"INTERFACEREQUEST":"north"')), 'a eth0*, b north');
});

test('names may have what the kernel and CNI allow (the fork: DNS labels in the short form only)', async () => {
  folder.write('x.conf', '{"name":"A_b.c","type":"p"}');
  assert.is(await shown(annotated('a,A_b.c@net_1')), 'a eth0*, A_b.c net_1');
});

test('the first network without a name gets CNI_IFNAME, whatever that is', async () => {
  const operation = fakeOperation({
    command: 'ADD',
    cniDir: '/state',
    runner: new FakeRunner(),
    config: { confDir: folder.path, defaultDelegates: 'a@eth0,b,c' },
    env: { CNI_IFNAME: 'ens3' },
  });
  for (const name of ['a', 'b', 'c']) folder.write(`${name}.conf`, `{"name":"${name}","type":"p"}`);
  const { attachments } = await resolvePlan(operation);
  assert.equal(
    attachments.map(({ ifName }) => ifName),
    ['eth0', 'ens3', 'eth1'],
  );
});

test('a file that cannot be used is passed over; it is named when the network is nowhere (the fork: the ADD fails)', async () => {
  folder.write('00-bad.conf', '{');
  folder.write('01-list-in-conf.conf', '{"name":"d","plugins":[{"type":"p"}]}');
  folder.write('sub/e.conf', '{"name":"e","type":"p"}');
  assert.is(await shown(annotated('a,d')), 'a eth0*, d eth1');
  const { code, message, details } = await laterRefusal(() => planOn(annotated('e')));
  assert.equal([code, message], [7, `Cannot find network "e": no configuration file in ${folder.path} has that name`]);
  assert.match(details, folder.at('00-bad.conf'));
});

test('what a pod asks of a network reaches its plugins, or is refused (the fork: addresses and MAC were dropped)', async () => {
  folder.write('ips.conf', '{"name":"ips","type":"p","capabilities":{"ips":true,"mac":true}}');
  const entry = (name: string) =>
    annotated(`[{"name":"a"},{"name":"${name}","ipRequest":"10.0.0.9","macRequest":"02:00:00:00:00:09"}]`);
  const { attachments } = await planOn(entry('ips'));
  assert.equal(JSON.parse(attachments[1]?.steps[0]?.stdin ?? '').runtimeConfig, {
    ips: ['10.0.0.9'],
    mac: '02:00:00:00:00:09',
  });
  const { code, message } = await laterRefusal(() => planOn(entry('b')));
  assert.is(code, 7);
  assert.match(message, 'Cannot give network "b" the requested addresses 10.0.0.9: none of its plugins (p) declares');
});

test("capability arguments of the runtime reach the plugins of eth0's network that declare them, and no other", async () => {
  const plugins = '[{"type":"p"},{"type":"portmap","capabilities":{"portMappings":true}}]';
  folder.write('pm.conflist', `{"name":"pm","plugins":${plugins}}`);
  folder.write('other.conflist', `{"name":"other","plugins":${plugins}}`);
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
  const runtimeConfig = { portMappings, [HANDED_OVER]: { [TKE]: 'other,pm@eth0' } };
  const { attachments } = await planOn({ keys: { runtimeConfig } });
  assert.equal(
    attachments.flatMap(({ steps }) => steps.map(({ stdin }) => JSON.parse(stdin).runtimeConfig)),
    [undefined, undefined, undefined, { portMappings }],
  );
});

test('the answer is one network: no two are the default (the fork told of two in networks-status)', async () => {
  for (const annotation of ['b,a@eth0', 'a@net0,b', 'a,b,c']) {
    const { attachments } = await planOn(annotated(annotation));
    assert.equal(
      attachments.filter(({ isDefault }) => isDefault).map(({ ifName }) => ifName),
      ['eth0'],
    );
  }
});

const NPWG = 'k8s.v1.cni.cncf.io/networks';
const cluster: FakeCluster = { definitions: { 'prod/x': '{"type":"p"}', 'prod/y': '{"type":"p"}' } };

test('merge: the TKE list first, it has eth0; the others behind it, counted over all', async () => {
  const both = (tke: string, npwg: string): Node => ({
    annotations: { [TKE]: tke, [NPWG]: npwg },
    keys: { annotationPolicy: 'merge' },
    cluster,
  });
  assert.is(await shown(both('a,b', 'x,y')), 'a eth0*, b eth1, prod/x net2, prod/y net3');
  assert.is(await shown(both('a@net2,b', 'x,y@eth7')), 'a net2, b eth0*, prod/x net3, prod/y eth7');
  const clash = await laterRefusal(() => planOn(both('a,b@lan', 'x@lan')));
  assert.match(clash.message, 'Cannot name the interface of network "prod/x" "lan": network "b" has that name');
  const eth0 = await laterRefusal(() => planOn(both('a,b', 'x@eth0')));
  assert.match(eth0.message, 'Cannot name the interface of network "prod/x" "eth0": network "a" has that name');
});

test("a TKE node's defaultDelegates and a pod's NPWG networks: the pod has both", async () => {
  const node = { defaultDelegates: 'a,b', annotations: { [NPWG]: 'x' }, cluster };
  assert.is(await shown(node), 'a eth0*, b eth1, prod/x net2');
});

test.run();
