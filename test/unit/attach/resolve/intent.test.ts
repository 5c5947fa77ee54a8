import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveIntent } from '../../../../src/attach/resolve/intent.ts';
import { fakeOperation } from '../../../fakes/fake-operation.ts';
import { FakeRunner } from '../../../fakes/fake-runner.ts';
import { type FakeCluster, fakeSource } from '../../../fakes/fake-source.ts';
import { laterRefusal } from '../../cni/refusal.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const HANDED_OVER = 'io.kubernetes.cri.pod-annotations';

/** Names of the networks that pod prod/web wants. */
async function intent(cluster: FakeCluster | undefined, handedOver?: Record<string, string>, args?: string) {
  const operation = fakeOperation({
    command: 'ADD',
    cniDir: '/state',
    runner: new FakeRunner(),
    config: {
      delegates: [{ name: 'node', type: 'bridge' }],
      ...(handedOver === undefined ? {} : { runtimeConfig: { [HANDED_OVER]: handedOver } }),
    },
    ...(args === undefined ? {} : { env: { CNI_ARGS: args } }),
  });
  const { additional } = await resolveIntent(
    operation,
    cluster === undefined ? undefined : fakeSource(cluster),
    operation.budget,
  );
  return additional.map(({ namespace, name }) => `${namespace}/${name}`);
}

test('what cannot be told is "try again later", never "no networks": a pod would start without its own', async () => {
  assert.equal(await laterRefusal(() => intent({ unknown: 'the API server is away' })), {
    code: 11,
    message: 'Cannot tell which networks pod prod/web wants: the API server is away',
    details: '',
  });
});

test('annotations of an earlier pod of the name are not those of this one', async () => {
  const cluster = { pods: { 'prod/web': { [NETWORKS]: 'old' } }, uid: 'u-1' };
  const { code, message } = await laterRefusal(() =>
    intent(cluster, undefined, 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;K8S_POD_UID=u-2'),
  );
  assert.is(code, 11);
  assert.match(message, 'the runtime asks for UID u-2, the fakes have UID u-1');
  const same = 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;K8S_POD_UID=u-1';
  assert.equal(await intent(cluster, undefined, same), ['prod/old']);
  assert.equal(await intent(cluster), ['prod/old'], 'a runtime that names no UID is believed');
});

// The kubelet's pod has another UID than its mirror on the API server: no static pod would ever start.
test('annotations of a static pod are its own, whatever its UID; those that the API server gave it are not', async () => {
  const args = 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;K8S_POD_UID=u-2';
  const from = (origin: string) => ({
    pods: { 'prod/web': { [NETWORKS]: 'a', 'kubernetes.io/config.source': origin } },
    uid: 'u-1',
  });
  for (const origin of ['file', 'http']) assert.equal(await intent(from(origin), undefined, args), ['prod/a']);
  assert.is((await laterRefusal(() => intent(from('api'), undefined, args))).code, 11);
});

test('an annotation that is wrong is told with the pod it belongs to', async () => {
  const { code, message } = await laterRefusal(() => intent(undefined, { [NETWORKS]: 'a,,b' }));
  assert.is(code, 7);
  assert.match(message, `Cannot use annotation ${NETWORKS} of pod prod/web: item 2`);
});

test('annotations that the runtime handed over are taken as they are: the ADD needs no API server', async () => {
  const away = { unknown: 'the API server is away' };
  assert.equal(await intent(away, { [NETWORKS]: 'a,kube-system/b' }), ['prod/a', 'kube-system/b']);
  assert.equal(await intent(away, {}), [], 'none of them is an answer too');
});

test('a container without pod, and a node without cluster, have only the networks of the node', async () => {
  assert.equal(await intent({ unknown: 'away' }, undefined, 'IgnoreUnknown=1'), []);
  assert.equal(await intent(undefined), []);
});

test.run();
