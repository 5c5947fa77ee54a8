// A pod that runs must end with what its annotation says, whatever happened on the way, and lose nothing else.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CniError } from '../../../src/cni/errors.ts';
import { askedText } from '../../../src/pod/asked.ts';
import { networkChanges, type PresentNetwork } from '../../../src/pod/network-changes.ts';
import { parseSelections } from '../../../src/pod/parse-selections.ts';
import type { NetworkSelection } from '../../../src/pod/selection.ts';

const DEFAULT: PresentNetwork = { network: 'node', ifName: 'eth0', asked: '', state: 'attached' };

const select = (text: string): NetworkSelection[] =>
  parseSelections(text, { origin: 'annotation', namespace: 'default' });

function present(network: string, ifName: string, more: Partial<PresentNetwork> = {}): PresentNetwork {
  return { network: `default/${network}`, ifName, asked: '{}', state: 'attached', ...more };
}

/** "-net1 +a@net2": what is to be done. */
function changes(there: PresentNetwork[], annotation: string): string {
  const { detach, attach } = networkChanges([DEFAULT, ...there], select(annotation));
  return [...detach.map((name) => `-${name}`), ...attach.map(({ name, ifName }) => `+${name}@${ifName}`)].join(' ');
}

test('networkChanges() refuses entries of one name, and the names of the default network and the node', () => {
  const refused = (annotation: string, part: string) =>
    assert.throws(
      () => changes([present('own', 'net1', { asked: '' })], annotation),
      (error: unknown) => error instanceof CniError && error.code === 7 && error.message.includes(part),
    );
  refused('a@x, b@x', '"x"');
  refused('a@eth0', '"eth0"');
  refused('a@net1', '"net1"');
});

test('networkChanges() adds, removes, and does both in one edit', () => {
  assert.is(changes([], ''), '');
  assert.is(changes([], 'a'), '+a@net1');
  assert.is(changes([present('a', 'net1')], 'a'), '');
  assert.is(changes([present('a', 'net1')], ''), '-net1');
  assert.is(changes([present('a', 'net1')], 'b@hot0'), '-net1 +b@hot0');
  assert.is(changes([present('a', 'net1'), present('b', 'net2')], ''), '-net2 -net1');
});

test('networkChanges() names what has no name as ADD would, past names that are there', () => {
  assert.is(changes([present('own', 'net1', { asked: '' })], 'a'), '+a@net2');
  assert.is(changes([], 'a, b@net2, c'), '+a@net1 +b@net2 +c@net3');
  assert.is(changes([present('a', 'net2')], 'b, a'), '+b@net1');
  assert.is(changes([present('b', 'net1')], 'a, b'), '+a@net2');
  assert.is(changes([present('b', 'net1', { state: 'leaving' })], 'a'), '-net1 +a@net2');
});

// Connections of a network that nobody changed would break.
test('networkChanges() leaves an interface its name when the entry gets one, loses it, or moves', () => {
  assert.is(changes([present('a', 'net1')], 'a@net1'), '');
  assert.is(changes([present('a', 'foo')], 'a'), '');
  assert.is(changes([present('a', 'net1'), present('b', 'net2')], 'b, a'), '');
  assert.is(changes([present('a', 'net1'), present('a', 'net2')], 'a'), '-net2');
  assert.is(changes([present('a', 'net1')], 'a@net5'), '-net1 +a@net5');
  assert.is(changes([present('a', 'net1')], 'b@net1, a'), '-net1 +b@net1 +a@net2');
});

test('networkChanges() attaches anew what is asked for otherwise, on its interface', () => {
  const moved = '[{"name":"a","ips":["10.0.0.8/24"]}]';
  const [asked = ''] = select(moved).map(askedText);
  assert.is(changes([present('a', 'foo')], moved), '-foo +a@foo');
  assert.is(changes([present('a', 'foo', { asked })], moved), '');
  assert.is(changes([present('a', 'foo', { asked })], 'a@foo'), '-foo +a@foo');
  assert.is(changes([present('a', 'x'), present('a', 'y', { asked })], moved), '-x');
});

// A daemon that is replaced ends what it has begun; the new one must not detach that, and attach it again.
test('networkChanges() waits for what is coming where it is wanted', () => {
  const coming = present('a', 'net1', { state: 'coming' });
  assert.is(changes([coming], 'a'), '+a@net1');
  assert.is(changes([coming], 'a@net1'), '+a@net1');
  assert.is(changes([coming], 'a@net2'), '-net1 +a@net2');
  assert.is(changes([coming], ''), '-net1');
});

test('networkChanges() never touches what no entry asked for', () => {
  const own = [present('own', 'net1', { asked: '' }), present('left', 'net2', { asked: '', state: 'leaving' })];
  assert.is(changes(own, ''), '');
  assert.is(changes(own, 'own'), '+own@net3', 'the node gave it one, the pod wants its own');
});

const entry = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  interface: fc.constantFrom('', '', 'net1', 'net2', 'net3', 'foo'),
  mac: fc.constantFrom('', '', '02:00:00:00:00:01', '02:00:00:00:00:02'),
});
const annotation = fc
  .uniqueArray(entry, { maxLength: 5, comparator: (a, b) => a.interface !== '' && a.interface === b.interface })
  .map((entries) => select(JSON.stringify(entries)));

/** What a pod has after its annotation was followed; steps may fail. @param fails asked before each step */
function follow(before: PresentNetwork[], wanted: NetworkSelection[], fails: () => boolean): PresentNetwork[] {
  let there = before;
  for (const name of networkChanges(there, wanted).detach) {
    there = fails()
      ? there.map((one) => (one.ifName === name ? { ...one, state: 'leaving' } : one))
      : there.filter(({ ifName }) => ifName !== name);
  }
  for (const selection of networkChanges(there, wanted).attach) {
    const { namespace, name, ifName } = selection;
    const earlier = there.find((one) => one.ifName === ifName);
    assert.ok(earlier?.asked !== '' && earlier?.state !== 'attached', `${ifName} is in use`);
    if (fails()) {
      const coming: PresentNetwork = {
        network: `${namespace}/${name}`,
        ifName,
        asked: askedText(selection),
        state: 'coming',
      };
      if (fails()) there = [...there.filter((one) => one !== earlier), coming];
      continue;
    }
    there = [
      ...there.filter((one) => one !== earlier),
      { network: `${namespace}/${name}`, ifName, asked: askedText(selection), state: 'attached' },
    ];
  }
  return there;
}

const asWanted = (there: PresentNetwork[]): string[] =>
  there
    .filter(({ asked }) => asked !== '')
    .map(({ network, asked }) => `${network} ${asked}`)
    .sort();

test('networkChanges() leads every sequence of edits to what the last one wants, with steps that fail before', () => {
  const own = [DEFAULT, present('own', 'net9', { asked: '' })];
  fc.assert(
    fc.property(
      fc.array(annotation, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.boolean()),
      (edits, coins) => {
        let there = own;
        for (const wanted of edits) {
          there = follow(there, wanted, () => coins.next().value === true);
          assert.is(new Set(there.map(({ ifName }) => ifName)).size, there.length, 'no two of one name');
          assert.equal(
            there.filter(({ asked }) => asked === ''),
            own,
          );
        }
        const last = edits.at(-1) ?? [];
        there = follow(there, last, () => false);
        assert.equal(networkChanges(there, last), { detach: [], attach: [] }, 'nothing is left to be done');
        const labels = last.map((one) => `${one.namespace}/${one.name} ${askedText(one)}`).sort();
        assert.equal(asWanted(there), labels);
        for (const { name, ifName } of last.filter((one) => one.ifName !== '')) {
          assert.is(there.find((one) => one.ifName === ifName)?.network, `default/${name}`);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('networkChanges() needs one round from any state to any other', () => {
  fc.assert(
    fc.property(annotation, annotation, (first, second) => {
      const there = follow(
        follow([DEFAULT], first, () => false),
        second,
        () => false,
      );
      assert.equal(networkChanges(there, second), { detach: [], attach: [] });
    }),
    { numRuns: 500 },
  );
});

test.run();
