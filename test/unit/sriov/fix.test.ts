import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { advicesOf, fixesOf, keyOf } from '../../../src/sriov/fix.ts';
import type { Fix, FixAction } from '../../../src/sriov/model.ts';
import { aLink, aReport, failed, PF_LINK, POD } from './audited.ts';

const vf = { netns: POD, link: aLink('net1') };
const SET: Fix = { command: 'set', action: { kind: 'set-vf', pf: PF_LINK, vf: 3, settings: { vlan: 0 }, places: [] } };
const MOVE: Fix = { command: 'move', action: { kind: 'move-to-host', place: vf, name: 'enp1s0v3' } };
const REMOVE: Fix = { command: 'rm', action: { kind: 'remove-file', path: '/c/pci/0000:01:10.6' } };
const BY_HAND: Fix = { command: 'by hand', action: undefined };

// A VF would be renamed where its name is a pod's, and not found on the host.
test('fixesOf() moves devices first, then sets them', () => {
  const fixes = fixesOf(aReport([failed('b', SET, 'warn'), failed('c', MOVE)]));
  assert.equal(
    fixes.map(({ fix }) => fix.command),
    ['move', 'set'],
  );
  assert.equal([fixes[0]?.of, fixes[0]?.address], ['enp1s0 VF 3 (0000:01:10.6)', '0000:01:10.6']);
});

// Nobody would know any more what the VF was called, nor in which VLAN it was before its last pod.
test('fixesOf() keeps the files of a VF until nothing else is to be mended of it', () => {
  const commands = (checks: Parameters<typeof aReport>[0]): string[] =>
    fixesOf(aReport(checks)).map(({ fix }) => fix.command);
  assert.equal(commands([failed('a', REMOVE), failed('b', SET)]), ['set']);
  assert.equal(commands([failed('a', REMOVE), failed('b', BY_HAND)]), ['rm']);
});

// What only people may do would be done unasked; what is right would be changed.
test('fixesOf() leaves what is right, what is unknown, and what is not for programs', () => {
  const checks = [failed('a', SET, 'pass'), failed('b', MOVE, 'unknown'), failed('c', BY_HAND), failed('d', undefined)];
  assert.equal(fixesOf(aReport(checks)), []);
  assert.equal(advicesOf(aReport(checks)), [{ of: 'enp1s0 VF 3 (0000:01:10.6)', command: 'by hand' }]);
});

test('fixesOf() makes a change once that two checks ask for, and those of the node', () => {
  const node = { pf: 'enp1s0', ...failed('file', REMOVE) };
  const fixes = fixesOf(aReport([failed('a', SET), failed('b', SET)], { checks: [node] }));
  assert.equal(
    fixes.map(({ of, fix }) => [of, fix.command]),
    [
      ['enp1s0 VF 3 (0000:01:10.6)', 'set'],
      ['PF enp1s0', 'rm'],
    ],
  );
});

// A change that was agreed to would be made to the VF of another index, or with other values.
test('keyOf() tells apart whatever would be done differently', () => {
  const set = SET.action as FixAction & { kind: 'set-vf' };
  const move = MOVE.action as FixAction & { kind: 'move-to-host' };
  const actions: FixAction[] = [
    ...[set, { ...set, vf: 4 }, { ...set, settings: { vlan: 1 } }, { ...set, pf: vf }],
    ...[move, { ...move, name: 'x' }, { ...move, place: PF_LINK }, { ...move, kind: 'rename' as const }],
    { ...move, place: { ...vf, netns: { ...POD, ino: '3' } } },
    { ...move, place: { ...vf, link: aLink('net1', { mac: '02:00:00:00:00:08' }) } },
    { kind: 'remove-file', path: '/a' },
    { kind: 'remove-file', path: '/b' },
  ];
  assert.is(new Set(actions.map(keyOf)).size, actions.length);
});

test.run();
