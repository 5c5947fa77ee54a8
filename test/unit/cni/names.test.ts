import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkContainerId, checkIfName, plainNameRule, pluginTypeRule } from '../../../src/cni/names.ts';
import { onlyCniErrors, refusal } from './refusal.ts';

test('checkContainerId() refuses with code 4 when the ID could leave its directory or break a rule', () => {
  for (const id of ['', '.', '..', '../x', 'a/b', '-a', '_a', 'a b', 'a\n', 'a\0', 'é', 'a;b']) {
    assert.is(refusal(() => checkContainerId(id)).code, 4, id);
  }
});

test('checkContainerId() names variable, value and rule when it refuses', () => {
  const { message } = refusal(() => checkContainerId('a/b'));
  assert.match(message, /^Cannot use CNI_CONTAINERID "a\/b": it must start with a letter or digit, /);
});

test('plainNameRule() and pluginTypeRule() name the rule that a name breaks', () => {
  assert.is(plainNameRule(''), 'it must not be empty');
  assert.match(plainNameRule('a b') ?? '', 'it must start with a letter or digit');
  for (const type of ['', '.', '..', '/bin/sh', '../x', 'a/b', 'a\0']) {
    assert.type(pluginTypeRule(type), 'string', type);
  }
});

test('checkIfName() refuses with the rule when the kernel would refuse or misread the name', () => {
  const cases: [string, RegExp][] = [
    ['', /must not be empty/],
    ['abcdefghijklmnop', /the name is 16 bytes, at most 15 are allowed/],
    ['éééééééé', /the name is 16 bytes/],
    ['.', /reserved/],
    ['..', /reserved/],
    ['all', /reserved/],
    ['default', /reserved/],
    ['lo', /reserved/],
    ['a/b', /must not contain "\/"/],
    ['a:1', /must not contain ":"/],
    ['e%d', /must not contain "%"/],
    ['a b', /whitespace/],
    ['a\tb', /whitespace/],
    ['a\u2003b', /whitespace/],
    ['a\u0001', /control/],
    ['a\u007f', /control/],
    ['à', /byte 0xa0/],
    ['a\ud800', /surrogate/],
  ];
  for (const [name, rule] of cases) assert.match(refusal(() => checkIfName(name, 'x')).message, rule, name);
});

test('checkIfName() says where the name comes from and uses the given code', () => {
  const error = refusal(() => checkIfName('lo', 'interface of network default/a'));
  assert.equal(error, {
    code: 7,
    message: 'Cannot use interface of network default/a "lo": the name is reserved',
    details: '',
  });
  assert.is(refusal(() => checkIfName('lo', 'CNI_IFNAME', 4)).code, 4);
});

test('every check returns the value when it is fine', () => {
  for (const id of ['a', '0', 'A-b_c.d', 'f'.repeat(64)]) assert.is(checkContainerId(id), id);
  assert.is(plainNameRule('multus-cni-network'), undefined);
  for (const type of ['bridge', 'host-device', '.hidden', 'a b']) assert.is(pluginTypeRule(type), undefined);
  for (const name of ['eth0', 'net1', 'a.b', 'my_if', 'abcdefghijklmno', 'ethé', 'eth@0']) {
    assert.is(checkIfName(name, 'x'), name);
  }
});

test('checks throw only CniError when the text is arbitrary', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      onlyCniErrors(() => checkContainerId(text));
      onlyCniErrors(() => checkIfName(text, 'x'));
    }),
  );
});

test.run();
