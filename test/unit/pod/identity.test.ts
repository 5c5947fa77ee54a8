import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArgs } from '../../../src/cni/args.ts';
import { podIdentity } from '../../../src/pod/identity.ts';

const identity = (text: string) => podIdentity(parseArgs(text));

test('a container without pod name or namespace is not looked up in the cluster', () => {
  for (const text of [
    '',
    'IgnoreUnknown=1',
    'K8S_POD_NAME=web',
    'K8S_POD_NAMESPACE=default',
    'K8S_POD_NAME=;K8S_POD_NAMESPACE=default',
    'K8S_POD_NAME=web;K8S_POD_NAMESPACE=',
    'k8s_pod_name=web;k8s_pod_namespace=default',
  ]) {
    assert.is(identity(text), undefined, text);
  }
});

test('a pod is known by the arguments of containerd and CRI-O, with the UID of those that send one', () => {
  const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c0ffee';
  assert.equal(identity(args), { namespace: 'prod', name: 'web-0', uid: '' });
  assert.equal(identity(`${args};K8S_POD_UID=u-1`), { namespace: 'prod', name: 'web-0', uid: 'u-1' });
});

test.run();
