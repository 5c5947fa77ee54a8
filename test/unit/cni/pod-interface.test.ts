import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimsInterface, podInterfaceIndex } from '../../../src/cni/pod-interface.ts';
import { type CniResult, emptyResult } from '../../../src/cni/result.ts';

const POD = { name: 'net1', sandbox: '/run/netns/x' };

test("knows which interface of a result is the pod's", () => {
  const index = (...interfaces: CniResult['interfaces']) =>
    podInterfaceIndex({ ...emptyResult('1.0.0'), interfaces }, 'net1');
  assert.is(index({ name: 'veth1' }, { name: 'other', sandbox: '/x' }, POD), 2, 'by its name');
  assert.is(index({ name: 'net1' }, { name: 'other', sandbox: '/x' }), 1, 'never one of the host, even of that name');
  assert.is(index({ name: 'net1', sandbox: '' }), -1);
  assert.is(index(), -1);
});

test('knows whether a result claims an interface: helpers of a chain may claim none', () => {
  const claims = (result: Partial<CniResult>) => claimsInterface({ ...emptyResult('1.0.0'), ...result }, 'net1');
  assert.not(claims({}));
  assert.not(claims({ interfaces: [{ name: 'br0' }] }));
  assert.ok(claims({ interfaces: [POD] }));
  assert.ok(claims({ ips: [{ address: '10.0.0.5/24' }] }));
});

test.run();
