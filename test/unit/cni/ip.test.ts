import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalAddress, cidrFamily, ipFamily } from '../../../src/cni/ip.ts';

test('cidrFamily() returns undefined when the text is no address with prefix length', () => {
  const refused = ['', '10.0.0.1', '10.0.0.1/', '10.0.0.1/33', '10.0.0.1/-1', '10.0.0/8', '010.0.0.1/8', '/8', 'x/8'];
  const refused6 = ['fd00::1', 'fd00::1/129', 'fe80::1%eth0/64', 'fd00::1/6 4', 'fd00::1/64/64', 'fd00::1/1e1'];
  for (const text of [...refused, ...refused6]) assert.is(cidrFamily(text), undefined, text);
});

test('cidrFamily() and ipFamily() tell 4 from 6', () => {
  assert.equal(['10.0.0.1/0', '0.0.0.0/32', '::/0', 'fd00::1/128'].map(cidrFamily), [4, 4, 6, 6]);
  assert.equal(['10.0.0.1', 'fd00::1', 'fe80::1%eth0', ''].map(ipFamily), [4, 6, undefined, undefined]);
});

test('canonicalAddress() gives equal addresses equal texts', () => {
  const texts = ['10.0.0.1', 'FD00:0::1', 'fd00:0:0:0:0:0:0:1', '::', 'fe80::1%eth0'];
  assert.equal(texts.map(canonicalAddress), ['10.0.0.1', 'fd00::1', 'fd00::1', '::', 'fe80::1']);
});

test.run();
