import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseForeignRecord } from '../../../../src/attach/foreign/foreign-record.ts';
import { DamagedRecordError, formatRecord } from '../../../../src/attach/journal-record.ts';
import { refusal } from '../../cni/refusal.ts';
import { aRecord } from '../records.ts';

const PATH = '/var/lib/cni/multus/c1';
const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'fixtures', 'state');
const fixture = (name: string): string => readFileSync(join(FIXTURES, name, 'c1'), 'utf8');
const parse = (text: string) => parseForeignRecord(text, PATH);
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');

/** A conf as Multus writes it, with changes. */
function anEntry(more: Record<string, unknown> = {}): Record<string, unknown> {
  const conf = { cniVersion: '1.0.0', name: 'lan', type: 'bridge' };
  return { Conf: { ...conf, ipam: {} }, ConfList: {}, Name: 'default/lan', Bytes: base64(conf), ...more };
}

const parseEntries = (...entries: unknown[]) => parse(JSON.stringify(entries));

// The pod would keep the attachment whose entry is damaged, and nobody would hear of it.
for (const [what, entry, problem] of [
  ['no object', null, 'it must be a JSON object, got null'],
  ['a number', 5, 'it must be a JSON object, got 5'],
  ['a list', [], 'it must be a JSON object, got an array'],
  ['no base64', anEntry({ Bytes: 'e30' }), 'key "Bytes" must be base64, got 3 characters that are not'],
  ['base64 of bytes', anEntry({ Bytes: '/w==' }), 'byte 0xff at offset 0 is not valid UTF-8'],
  [
    'base64 of no JSON',
    anEntry({ Bytes: 'e30x' }),
    'key "Bytes" must be a JSON object in base64, got 3 characters that are not',
  ],
  [
    'no configuration',
    anEntry({ Bytes: '' }),
    'key "Bytes" must be a JSON object in base64, got 0 characters that are not',
  ],
  ['a configuration of another type', anEntry({ Bytes: 5 }), 'key "Bytes" must be a string, got 5'],
  ['a reduced configuration of another type', anEntry({ Conf: 'x' }), 'key "Conf" must be an object, got a string'],
  ['a name of another type', anEntry({ Name: {} }), 'key "Name" must be a string, got an object'],
  ['addresses of another type', anEntry({ ipRequest: [5] }), 'key "ipRequest" must be a list of strings, got [5]'],
] as const) {
  test(`an entry that is ${what} is told, and the others are used`, () => {
    const file = parseEntries(entry, anEntry());
    assert.equal(
      file?.delegates.map(({ network, position }) => [network, position]),
      [['default/lan', 1]],
      'it keeps the position that makes its name',
    );
    assert.is(file?.problems.length, 1);
    assert.ok(file?.problems[0]?.includes(problem), file?.problems[0]);
    assert.match(file?.problems[0] ?? '', `entry 1 of ${PATH}`);
  });
}

test('a file of which no entry can be used is damaged', () => {
  const { code, message } = refusal(() => parseEntries(anEntry({ Bytes: 'x' }), null));
  assert.is(code, 105);
  assert.match(message, `Cannot use journal file ${PATH}: none of its entries can be used: `);
});

test('our own record and what is no record are not its business', () => {
  for (const text of [
    formatRecord(aRecord()),
    '[]',
    '{}',
    'null',
    '[null]',
    '[{}]',
    '5',
    '[{"Name":"x"}]',
    '[{"Conf',
  ]) {
    assert.is(parse(text), undefined, text);
  }
  const own = JSON.parse(formatRecord(aRecord()));
  delete own[0].multusNative;
  assert.is(parseEntries(...own), undefined, 'a damaged file of ours is not one of Multus');
});

// A crash while Multus wrote, a full disk: whatever is there must not end the engine.
test('a file with any damage is used, refused or left alone, never more', () => {
  const bytes = Buffer.from(fixture('multus-4.3.0-cluster'));
  const length = fc.oneof(fc.nat(bytes.length), fc.constant(bytes.length));
  fc.assert(
    fc.property(length, fc.nat(bytes.length - 1), fc.nat(255), (cut, at, byte) => {
      const changed = Buffer.from(bytes.subarray(0, cut));
      if (at < changed.length) changed[at] = byte;
      try {
        const file = parse(changed.toString());
        if (file !== undefined) assert.is(file.delegates.length + file.problems.length, 6);
      } catch (error) {
        assert.instance(error, DamagedRecordError);
      }
    }),
    { numRuns: 300 },
  );
});

test('of two texts the whole one comes first: a reduced list has lost what its plugins need', () => {
  const [cluster, extra, lan] = parse(fixture('multus-4.3.0-cluster'))?.delegates ?? [];
  assert.equal(cluster?.types, ['ptp', 'tuning']);
  assert.is(cluster?.texts.length, 1, 'Bytes is the reduced list');
  assert.match(cluster?.texts[0] ?? '', '10.210.0.0/24');
  assert.equal(
    JSON.parse(extra?.texts[0] ?? '').plugins.map(({ type }: { type: string }) => type),
    ['bridge', 'tuning'],
    "the plugin of the list's folder is there",
  );
  assert.is(JSON.parse(cluster?.reduced ?? '').plugins[0].ipam.ranges, undefined);
  assert.equal([lan?.network, lan?.configName, lan?.types], ['default/lan', 'lan', ['bridge']]);
});

test('keeps what the pod asked for', () => {
  const delegates = parse(fixture('multus-4.3.0-cluster'))?.delegates ?? [];
  assert.equal(
    delegates.map(({ ifName, mac, ips }) => [ifName, mac, ips]),
    [
      ['', '', []],
      ['', '', []],
      ['', '', []],
      ['', '02:00:00:00:12:05', ['10.212.0.5/24']],
      ['north0', '', []],
      ['', '', []],
    ],
  );
  const [one] = parseEntries(anEntry({ infinibandGUIDRequest: 'c2', deviceID: '0000:03:02.1' }))?.delegates ?? [];
  assert.equal([one?.infinibandGuid, one?.deviceId], ['c2', '0000:03:02.1']);
});

test("tells the TKE fork's file: it always names the interface, and never the network", () => {
  const file = parse(fixture('tke'));
  assert.is(file?.isTke, true);
  assert.equal(
    file?.delegates.map(({ network, ifName, types }) => [network, ifName, types]),
    [
      ['tke-route', 'eth1', ['bridge']],
      ['tke-bridge', 'eth0', ['ptp', 'tuning']],
    ],
  );
  assert.is(parse(fixture('multus-4.3.0-static'))?.isTke, false);
});

test.run();
