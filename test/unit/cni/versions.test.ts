import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  checkSupported,
  compareVersions,
  formatVersionReply,
  isAtLeast,
  negotiateVersion,
  normaliseVersion,
  SUPPORTED_VERSIONS,
} from '../../../src/cni/versions.ts';
import { refusal } from './refusal.ts';

test('compareVersions() refuses with code 6 when a version is not numbers', () => {
  for (const version of ['', 'v1', '1.', '1.2.3.4', '-1', '1.0.0-rc1', '1e3']) {
    assert.is(refusal(() => compareVersions(version, '1.0.0')).code, 6, version);
    assert.is(refusal(() => compareVersions('1.0.0', version)).code, 6, version);
  }
});

test('checkSupported() refuses with code 1 and lists the versions when it is none of ours', () => {
  const { code, message } = refusal(() => checkSupported('0.5.0', 'network a'));
  assert.is(code, 1);
  assert.is(
    message,
    'Cannot use network a: CNI version "0.5.0" is not supported, ' +
      'supported are 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0',
  );
  assert.is(refusal(() => checkSupported('1.0', 'x')).code, 1);
});

test('checkSupported() returns 0.1.0 when the version is empty', () => {
  assert.is(checkSupported('', 'x'), '0.1.0');
  for (const version of SUPPORTED_VERSIONS) assert.is(checkSupported(version, 'x'), version);
});

test('compareVersions() orders by number when digits are more than one', () => {
  assert.equal(['1.10.0', '1.9.0', '0.10.2', '1.9'].sort(compareVersions), ['0.10.2', '1.9.0', '1.9', '1.10.0']);
  assert.is(compareVersions('1.0', '1.0.0'), 0);
});

test('compareVersions() is an order that the list of supported versions follows', () => {
  assert.equal([...SUPPORTED_VERSIONS].reverse().sort(compareVersions), SUPPORTED_VERSIONS);
  const version = fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)).map((parts) => parts.join('.'));
  fc.assert(
    fc.property(version, version, (a, b) => {
      assert.is(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) || 0);
      assert.is(isAtLeast(a, b), !isAtLeast(b, a) || a === b);
    }),
  );
});

test('normaliseVersion() gives 0.1.0 when there is none', () => {
  assert.equal(
    [normaliseVersion(''), normaliseVersion(undefined), normaliseVersion('1.0.0')],
    ['0.1.0', '0.1.0', '1.0.0'],
  );
});

test('negotiateVersion() returns the highest offer that we speak', () => {
  assert.is(negotiateVersion('0.4.0', ['0.3.1', '1.0.0', '9.9.9', '0.5.0']), '1.0.0');
  assert.is(negotiateVersion('1.1.0', ['0.3.1']), '1.1.0');
  assert.is(negotiateVersion(undefined, ['1.0.0', '1.1.0']), '1.1.0');
  assert.is(negotiateVersion('0.3.1', undefined), '0.3.1');
  assert.is(negotiateVersion('', []), '0.1.0');
});

test('negotiateVersion() returns an offer that checkSupported() refuses when none is ours', () => {
  assert.is(refusal(() => checkSupported(negotiateVersion('2.0.0', ['3.0.0']), 'x')).code, 1);
});

test('formatVersionReply() lists the supported versions', () => {
  assert.equal(JSON.parse(formatVersionReply('1.0.0')), { cniVersion: '1.0.0', supportedVersions: SUPPORTED_VERSIONS });
});

test.run();
