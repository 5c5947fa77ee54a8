import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalAddress, canonicalCidr, canonicalDestination, cidrFamily, ipFamily } from '../../../src/cni/ip.ts';

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

test('canonicalCidr() gives equal addresses of one prefix length equal texts, and keeps the host bits', () => {
  const texts = ['10.1.2.3/08', 'FD00:0::1/064', '::/0'];
  assert.equal(texts.map(canonicalCidr), ['10.1.2.3/8', 'fd00::1/64', '::/0']);
});

// A route that is there would be told to be missing, and fail the ADD of a pod that enforces it.
test('canonicalDestination() clears the host bits, also where the prefix ends inside of a group', () => {
  for (const [text, destination] of [
    ['10.1.3.77/23', '10.1.2.0/23'],
    ['255.255.255.255/0', '0.0.0.0/0'],
    ['10.9.9.9/32', '10.9.9.9/32'],
    ['10.9.9.9', '10.9.9.9/32'],
    ['FD00:1:7fff::9/33', 'fd00:1::/33'],
    ['fd00:1:8000::9/33', 'fd00:1:8000::/33'],
    ['::0/0', '::/0'],
    ['::ffff:10.1.2.3/120', '::ffff:a01:200/120'],
    ['fd00::1', 'fd00::1/128'],
  ] as const) {
    assert.is(canonicalDestination(text), destination, text);
  }
});

/** As bits: what is kept of them, then zeros. */
function masked(numbers: readonly number[], bits: number, prefix: number): number[] {
  const text = numbers.map((one) => one.toString(2).padStart(bits, '0')).join('');
  const kept = text.slice(0, prefix).padEnd(text.length, '0');
  return numbers.map((_, i) => Number.parseInt(kept.slice(i * bits, (i + 1) * bits), 2));
}

test('canonicalDestination() clears the host bits of any address, bit by bit', () => {
  const numbers = (length: number, max: number) =>
    fc.array(fc.oneof(fc.constant(0), fc.nat(max)), { minLength: length, maxLength: length });
  fc.assert(
    fc.property(numbers(4, 0xff), fc.nat(32), (bytes, prefix) => {
      const wanted = `${masked(bytes, 8, prefix).join('.')}/${prefix}`;
      assert.is(canonicalDestination(`${bytes.join('.')}/${prefix}`), wanted);
    }),
  );
  const hex = (groups: readonly number[]) => groups.map((one) => one.toString(16)).join(':');
  fc.assert(
    fc.property(numbers(8, 0xffff), fc.nat(128), (groups, prefix) => {
      const wanted = `${canonicalAddress(hex(masked(groups, 16, prefix)))}/${prefix}`;
      assert.is(canonicalDestination(`${hex(groups).toUpperCase()}/${prefix}`), wanted);
    }),
  );
});

test.run();
