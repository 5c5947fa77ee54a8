import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CniError } from '../../../src/cni/errors.ts';
import { assignIfNames } from '../../../src/pod/if-names.ts';
import { refusal } from '../cni/refusal.ts';

const labels = ['node/default', 'a/one', 'a/two', 'a/three'];
/** Names by Multus's rules: the first network is the default one. */
const named = (requested: readonly string[], first = 'eth0'): string[] => {
  const [base = { network: '', ifName: '' }, ...additional] = requested.map((ifName, i) => ({
    network: labels[i] ?? '',
    ifName,
  }));
  return assignIfNames({ dialect: 'npwg', base: [base], additional, first }).names;
};
const assign = (...requested: string[]) => named(requested);

test('refuses two networks of one name and says which two, instead of letting the second delegate fail', () => {
  assert.equal(
    refusal(() => assign('', 'data', '', 'data')),
    {
      code: 7,
      message:
        'Cannot name the interface of network "a/three" "data": network "a/one" has that name; request another one',
      details: '',
    },
  );
});

test('refuses a network that asks for the name of the default one', () => {
  assert.match(refusal(() => assign('', 'eth0')).message, /network "a\/one" "eth0": network "node\/default" has that/);
});

test('counts named attachments too, as Multus does: pods find their interfaces under the names they had', () => {
  assert.equal(assign('', 'foo', ''), ['eth0', 'foo', 'net2']);
  assert.equal(assign('', '', '', ''), ['eth0', 'net1', 'net2', 'net3']);
});

test('passes over a generated name that somebody requested, before or after', () => {
  assert.equal(assign('', '', 'net1'), ['eth0', 'net2', 'net1']);
  assert.equal(assign('', 'net2', '', ''), ['eth0', 'net2', 'net3', 'net4']);
  assert.equal(named(['', ''], 'net1'), ['net1', 'net2']);
});

test('gives the default network the name that was requested for it', () => {
  assert.equal(assign('uplink', ''), ['uplink', 'net1']);
});

// Merged annotations: the pod's own eth1 must not move because of a network behind the TKE list.
test('counts the eth names of the TKE list only', () => {
  const request = (ifName: string) => ({ network: 'n', ifName });
  const base = [request(''), request('')];
  const { names } = assignIfNames({ dialect: 'tke', base, additional: [request('eth7')], first: 'eth0' });
  assert.equal(names, ['eth0', 'eth1', 'eth7']);
});

test('never gives a name twice, keeps every requested one, and only ever refuses a clash', () => {
  const name = fc.oneof(fc.constant(''), fc.constantFrom('eth0', 'net0', 'net1', 'net2', 'net3', 'net4', 'data'));
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 8 }), (requested) => {
      const wanted = requested.map((one, i) => (i === 0 && one === '' ? 'eth0' : one)).filter((one) => one !== '');
      const clash = new Set(wanted).size < wanted.length;
      try {
        const names = named(requested);
        assert.not(clash, 'two asked for one name');
        assert.is(new Set(names).size, requested.length);
        requested.forEach((one, i) => {
          if (one !== '') assert.is(names[i], one);
        });
      } catch (error) {
        if (!(error instanceof CniError)) throw error;
        assert.ok(clash, 'nobody asked for one name twice');
      }
    }),
  );
});

/** Requested names of TKE's networks and of those behind them. */
const tkePods = fc.record({
  base: fc.array(
    fc.oneof(
      fc.constantFrom('', '', 'eth0', 'eth1', 'eth2', 'eth07', 'eth9999999999', 'net1', 'net5', 'n1', 'e', 'north'),
      fc.nat(12).map((number) => `eth${number}`),
    ),
    { minLength: 1, maxLength: 8 },
  ),
  additional: fc.array(fc.constantFrom('', 'eth0', 'eth1', 'eth2', 'net1', 'net2', 'net3', 'lan'), { maxLength: 4 }),
  first: fc.constantFrom('eth0', 'eth1', 'net1', 'ens3'),
});

test('TKE: never gives a name twice, drops none, keeps every requested one, and refuses only what cannot be', () => {
  const requests = (names: readonly string[]) => names.map((ifName, i) => ({ network: `n${i}`, ifName }));
  fc.assert(
    fc.property(tkePods, ({ base, additional, first }) => {
      const asked = [...base, ...additional];
      const nobody = !base.includes(first) && !base.includes('');
      const others = base.includes(first) ? asked : [...asked, first];
      const named = others.filter((name) => name !== '');
      const impossible = nobody || new Set(named).size < named.length;
      try {
        const input = { dialect: 'tke', base: requests(base), additional: requests(additional), first } as const;
        const { names, defaultPosition } = assignIfNames(input);
        assert.not(impossible, 'it must be refused');
        assert.is(names.length, asked.length);
        assert.is(new Set(names).size, names.length);
        assert.is(names[defaultPosition], first);
        assert.ok(defaultPosition < base.length);
        asked.forEach((one, i) => {
          if (one !== '') assert.is(names[i], one);
          else if (i !== defaultPosition) assert.match(names[i] ?? '', i < base.length ? /^eth\d+$/ : /^net\d+$/);
          assert.ok((names[i] ?? '').length <= 15);
        });
      } catch (error) {
        if (!(error instanceof CniError)) throw error;
        assert.ok(impossible, error.message);
      }
    }),
    { numRuns: 1000 },
  );
});

test.run();
