// From annotations, definitions and a configuration to the plan: the whole way, for anything that users can write.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolvePlan } from '../../../../src/attach/resolve/make-plan.ts';
import { parseArgs } from '../../../../src/cni/args.ts';
import { CniError } from '../../../../src/cni/errors.ts';
import { RawObject } from '../../../../src/cni/raw-json.ts';
import { parseMultusConfig } from '../../../../src/pod/multus-config.ts';
import type { Plan } from '../../../../src/pod/plan.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { fakeSource } from '../../../fakes/fake-source.ts';
import { folderFor } from '../../folder.ts';
import { jsonForm, networkConfig, shortForm, shortWish, type Wish, wish } from '../../pod/generated.ts';

const folder = folderFor(test);
test.before.each(() => {
  for (const name of ['a', 'b', 'c-1', 'd.x', 'node']) {
    const capabilities = '"capabilities":{"ips":true,"mac":true,"portMappings":true,"bandwidth":true}';
    folder.write(`${name}.conf`, `{"cniVersion":"1.0.0","name":"${name}","type":"on-node",${capabilities}}`);
  }
});

const NPWG = 'k8s.v1.cni.cncf.io/networks';
const TKE = 'tke.cloud.tencent.com/networks';
const DEFAULT = 'v1.multus-cni.io/default-network';

interface Case {
  annotations: Record<string, string>;
  definitions: Record<string, string>;
  config: Record<string, unknown>;
}

/** The plan, or why it is refused; anything but our own errors fails the test. */
async function decide({ annotations, definitions, config }: Case): Promise<Plan | CniError> {
  try {
    const text = JSON.stringify({
      cniVersion: '1.0.0',
      name: 'multus',
      type: 'multus',
      confDir: folder.path,
      ...config,
      runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations },
    });
    return await resolvePlan({
      config: parseMultusConfig(RawObject.parse(text, 'CNI configuration')),
      openSource: () => fakeSource({ definitions }),
      log: new FakeLog(),
      budget: new AbortController().signal,
      request: { containerId: 'c0ffee', ifName: 'eth0', args: parseArgs('K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web') },
    });
  } catch (error) {
    if (error instanceof CniError) return error;
    throw error;
  }
}

/** No name twice, and exactly one attachment answers. */
function assertSound({ attachments }: Plan): void {
  const own = attachments.filter(({ auxiliary }) => !auxiliary);
  assert.is(new Set(own.map(({ ifName }) => ifName)).size, own.length, 'a name is given twice');
  assert.is(own.filter(({ isDefault }) => isDefault).length, 1, 'one network is the default one');
}

const NODE_CONFIGS = fc.constantFrom<Record<string, unknown>>(
  { delegates: [{ name: 'node', type: 'bridge' }] },
  {
    delegates: [
      { name: 'node', type: 'bridge' },
      { name: 'more', plugins: [{ type: 'ptp' }] },
    ],
  },
  { clusterNetwork: 'node' },
  { clusterNetwork: 'node', defaultNetworks: ['a', 'b'] },
  { clusterNetwork: 'node', defaultNetworks: ['a'], systemNamespaces: ['prod'] },
  { defaultDelegates: 'node' },
  { defaultDelegates: 'a,node@eth0,b@data' },
  { defaultDelegates: '[{"name":"a"},{"name":"b","interfaceRequest":"north"}]' },
  { kubeconfig: '/k' },
);

/** Every definition that a wish may name. */
const definitions = fc
  .array(networkConfig, { minLength: 8, maxLength: 8 })
  .map((configs) =>
    Object.fromEntries(
      ['prod', 'kube-system'].flatMap((namespace, n) =>
        ['a', 'b', 'c-1', 'd.x'].map((name, i) => [`${namespace}/${name}`, configs[n * 4 + i]?.text ?? '']),
      ),
    ),
  );

const wishes = fc.oneof(
  fc.array(shortWish, { maxLength: 6 }).map((list) => ({ list: list as Wish[], text: shortForm(list) })),
  fc.array(wish, { maxLength: 6 }).map((list) => ({ list, text: jsonForm(list) })),
);

test('drops no network that a pod asks for, names none twice, decides alike every time', async () => {
  let planned = 0;
  await fc.assert(
    fc.asyncProperty(wishes, definitions, NODE_CONFIGS, async ({ list, text }, defined, config) => {
      const one = { annotations: { [NPWG]: text }, definitions: defined, config };
      const plan = await decide(one);
      if (plan instanceof CniError) {
        // Everything is defined and every capability declared: only names can clash, or nothing is the default network.
        assert.is(plan.code, 7, plan.message);
        assert.match(plan.message, /has that name; request another one|Cannot tell the default network/);
        return;
      }
      planned += 1;
      assertSound(plan);
      const asked = list.map(({ namespace, name }) => `${namespace ?? 'prod'}/${name}`);
      const own = plan.attachments.map(({ network }) => network);
      assert.equal(list.length === 0 ? [] : own.slice(-list.length), asked);
      assert.ok(own.length > asked.length, 'the default network is there');
      assert.is(JSON.stringify(await decide(one)), JSON.stringify(plan));
    }),
    { numRuns: 200 },
  );
  assert.ok(planned > 50, `most cases must be plans, ${planned} were`);
});

test("drops no network of a TKE annotation, whatever Multus's own says beside it", async () => {
  const policy = fc.constantFrom('reject', 'tke', 'npwg', 'merge');
  await fc.assert(
    fc.asyncProperty(wishes, wishes, definitions, NODE_CONFIGS, policy, async (tke, npwg, defined, config, chosen) => {
      const annotations = { [TKE]: tke.text, ...(npwg.list.length > 0 ? { [NPWG]: npwg.text } : {}) };
      const plan = await decide({ annotations, definitions: defined, config: { ...config, annotationPolicy: chosen } });
      if (plan instanceof CniError) {
        assert.is(plan.code, 7, plan.message);
        return;
      }
      assertSound(plan);
      const own = plan.attachments.map(({ network }) => network);
      const isAsked = tke.list.length > 0 && chosen !== 'npwg';
      if (isAsked)
        assert.equal(
          own.slice(0, tke.list.length),
          tke.list.map(({ name }) => name),
        );
      const behind = chosen === 'tke' ? [] : npwg.list.map(({ namespace, name }) => `${namespace ?? 'prod'}/${name}`);
      if (isAsked) assert.equal(own.slice(tke.list.length), behind);
      assert.not(chosen === 'reject' && isAsked && npwg.list.length > 0, 'both annotations were taken by accident');
    }),
    { numRuns: 200 },
  );
});

test('throws only typed errors, whatever annotations, definitions and configurations hold', async () => {
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.json({ maxDepth: 3 }),
    fc.constantFrom('[null]', '[]', '[[]]', '{}', '""', ',', '@', '/', 'a@', '[{"name":"a","args":5}]', 'a,,b'),
    wishes.map(({ text }) => text),
    wishes.chain(({ text }) => fc.nat({ max: text.length }).map((at) => text.slice(0, at))),
  );
  const definition = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.constantFrom(
      '',
      '{"plugins":[]}',
      '{"plugins":[null]}',
      '{"type":"p","args":5}',
      '{"type":"p","args":{"cni":[]}}',
    ),
    networkConfig.map(({ text }) => text),
  );
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom<unknown>('a', '/x', 'a,b', [], {}, true));
  const key = fc.constantFrom(
    ...['delegates', 'clusterNetwork', 'defaultNetworks', 'systemNamespaces', 'defaultDelegates', 'annotationPolicy'],
    ...['namespaceIsolation', 'globalNamespaces', 'allowedPlugins', 'auxiliaryCNIChainName', 'multusNamespace'],
    ...['confDir', 'verify', 'logOptions', 'delegateTimeout', 'capabilities', 'kubeconfig', 'cniVersion'],
  );
  const config = fc.oneof(
    NODE_CONFIGS,
    fc.array(fc.tuple(key, value), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    fc.tuple(NODE_CONFIGS, key, value).map(([one, name, other]) => ({ ...one, [name]: other })),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(NPWG, TKE, DEFAULT), noise, { maxKeys: 3 }),
      fc.dictionary(fc.constantFrom('prod/a', 'prod/b', 'kube-system/a', 'kube-system/node'), definition),
      config,
      async (annotations, defined, one) => {
        const plan = await decide({ annotations, definitions: defined, config: one });
        if (!(plan instanceof CniError)) assertSound(plan);
        else assert.ok(plan.message.length < 1500, `a message of ${plan.message.length} characters`);
      },
    ),
    { numRuns: 1500 },
  );
});

test.run();
