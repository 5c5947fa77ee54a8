import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resultInPod } from '../../../src/attach/result-in-pod.ts';
import { anAttachment, aRecord } from './records.ts';

const LINK = { index: 7, mac: '02:00:00:00:00:07', delegateName: 'macv0' };

const resultOf = (...interfaces: object[]): string =>
  JSON.stringify({ cniVersion: '1.0.0', interfaces, routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }] });

const names = (attachment = anAttachment(), ...more: [string?]): string[] =>
  resultInPod(aRecord(), attachment, ...more).interfaces.map(({ name }) => name);

// CHECK would look for the plugin's name, and the pod's status tell one that is not there.
test('has the name of the link instead of the one that the plugin reported', () => {
  const both = resultOf({ name: 'macv0' }, { name: 'side0', sandbox: '/x' }, { name: 'macv0', sandbox: '/x' });
  assert.equal(names(anAttachment({ link: LINK, result: both })), ['macv0', 'side0', 'net1'], 'the pod side only');
  const wrong = resultOf({ name: 'wrong0', sandbox: '/x' });
  assert.equal(names(anAttachment({ link: { ...LINK, delegateName: 'net1' }, result: wrong })), ['net1']);
  assert.equal(names(anAttachment({ link: LINK, result: wrong }), 'kept0'), ['kept0']);
  assert.equal(names(anAttachment({ link: undefined, result: wrong })), ['wrong0'], 'nothing was found in the pod');
});

// A plugin's CHECK would miss the route that was replaced, or nobody notice that the new one is gone.
test("has the default routes of the plan in place of the plugin's own", () => {
  const plan = [{ family: 4 as const, gateways: [{ gateway: '10.1.0.1', ifName: 'net1' }] }];
  const routes = (ifName: string) =>
    resultInPod(aRecord({ defaultRoutes: plan }), anAttachment({ ifName, result: resultOf() })).routes;
  assert.equal(routes('net1'), [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }]);
  assert.equal(routes('eth0'), []);
});

test.run();
