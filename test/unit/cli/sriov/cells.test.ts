import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  adminMacCell,
  countCell,
  netnsCell,
  placesCell,
  SETTINGS,
  settingCells,
} from '../../../../src/cli/sriov/cells.ts';
import type { NativeVf } from '../../../../src/node/native.ts';
import type { PfState, PlacedLink } from '../../../../src/sriov/model.ts';

const NOTHING_SET: NativeVf = {
  index: 0,
  mac: '00:00:00:00:00:00',
  vlan: 0,
  qos: 0,
  vlanProtocol: 0x8100,
  minTxRate: 0,
  maxTxRate: 0,
  spoofCheck: false,
  trust: false,
  rssQuery: null,
  linkState: 0,
  nodeGuid: null,
  portGuid: null,
};

const cellsOf = (known: Partial<NativeVf>) => {
  const cells = settingCells({ ...NOTHING_SET, ...known });
  return Object.fromEntries(SETTINGS.map((name, i) => [name, cells[i]]));
};

// What a driver did not report would be read as "off", as "ip" and its users do.
test('settingCells() tells what is unknown from what is not set', () => {
  assert.equal(settingCells(undefined), Array(7).fill('?'));
  assert.equal(settingCells(NOTHING_SET), ['-', '-', '-', 'off', 'off', 'auto', '-']);
  const unreported = { vlan: null, qos: null, vlanProtocol: null, spoofCheck: null, trust: null, linkState: null };
  assert.equal(settingCells({ ...NOTHING_SET, ...unreported, maxTxRate: null }), Array(7).fill('?'));
});

// mlx5 reports protocol 0 for 802.1Q; another one must not be taken for it, nor 4095 be hidden.
test('settingCells() shows VLANs as they are', () => {
  const of = (vlan: number, vlanProtocol: number) => {
    const { VLAN, PROTO } = cellsOf({ vlan, vlanProtocol });
    return [VLAN, PROTO];
  };
  assert.equal(of(210, 0x8100), ['210', '802.1q']);
  assert.equal(of(210, 0), ['210', '802.1q']);
  assert.equal(of(4095, 0x88a8), ['4095', '802.1ad']);
  assert.equal(of(1, 0x9100), ['1', '0x9100']);
});

// A lower limit alone would look like an upper one.
test('settingCells() tells lower from upper rates', () => {
  const of = (minTxRate: number, maxTxRate: number) => cellsOf({ minTxRate, maxTxRate })['RATE'];
  assert.equal([of(0, 500), of(100, 500), of(100, 0)], ['500', '100-500', '100-']);
});

// Zeros would be taken for a MAC, and InfiniBand's VFs have all the same: the PF's.
test('adminMacCell() has no zeros, and the GUID of InfiniBand', () => {
  const guid = '00:11:22:33:44:55:66:77';
  assert.is(adminMacCell(NOTHING_SET), '-');
  assert.is(adminMacCell({ ...NOTHING_SET, mac: null }), '?');
  assert.is(adminMacCell({ ...NOTHING_SET, mac: '02:00:00:00:00:10' }), '02:00:00:00:00:10');
  assert.is(adminMacCell({ ...NOTHING_SET, mac: '00:02:00:00:00:01', portGuid: guid }), guid);
});

// An operator would have to look up inodes to know which namespace it is.
test('netnsCell() and placesCell() name namespaces and say each thing once', () => {
  const netns = { dev: '4', ino: '7', path: '/run/netns/cni-1', isHost: false };
  assert.is(netnsCell(netns), 'cni-1');
  assert.is(netnsCell({ ...netns, path: '/proc/4711/ns/net' }), 'pid 4711');
  assert.is(netnsCell({ ...netns, path: '/proc/1/ns/net', isHost: true }), 'host');
  const place = { netns, link: { name: 'net1' } } as PlacedLink;
  assert.is(
    placesCell([place, place], ({ link }) => link.name),
    'net1',
  );
  assert.is(
    placesCell([], ({ link }) => link.name),
    '-',
  );
});

// "4" of how many? Nobody could tell whether there is room for more.
test('countCell() says how many VFs there can be, where that is known', () => {
  const pf = (totalVfs?: number) => ({ numVfs: 4, device: { totalVfs } }) as PfState;
  assert.equal([countCell(pf(7)), countCell(pf())], ['4/7', '4']);
});

test.run();
