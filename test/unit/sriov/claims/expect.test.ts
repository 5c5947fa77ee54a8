import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExpect } from '../../../../src/sriov/claims/expect.ts';
import { refusal } from '../../cni/refusal.ts';

// An expectation that is read wrongly passes a VF that is set up wrongly.
const REFUSED: [string, string][] = [
  ['', 'it is empty; write for instance vlan=210,trust=off'],
  [' , ', 'it is empty; write for instance vlan=210,trust=off'],
  ['vlan', '"vlan" has no value; write vlan=a number from 0 to 4094'],
  ['vlan=', '"vlan" must be a number from 0 to 4094, got ""'],
  ['vlan=4095', '"vlan" must be a number from 0 to 4094, got "4095"'],
  ['vlan=-1', '"vlan" must be a number from 0 to 4094, got "-1"'],
  ['vlan=2e2', '"vlan" must be a number from 0 to 4094, got "2e2"'],
  ['vlan=1,VLAN=2', '"vlan" stands in it twice'],
  ['qos=8', '"qos" must be a number from 0 to 7, got "8"'],
  ['proto=vlan', '"proto" must be 802.1q or 802.1ad, got "vlan"'],
  ['mac=02:00:00:00:10', '"mac" must be six bytes in hexadecimal like 02:00:00:00:00:10, got "02:00:00:00:10"'],
  ['trust=yes', '"trust" must be on or off, got "yes"'],
  ['link-state=up', '"link-state" must be auto or enable or disable, got "up"'],
  ['max-tx-rate=4294967296', '"max-tx-rate" must be a number from 0 to 4294967295 (Mbit/s), got "4294967296"'],
  ['mtu=1500', '"mtu" is no setting; use vlan, qos, proto, mac, spoofchk, trust, link-state, max-tx-rate, min-tx-rate'],
];

for (const [text, problem] of REFUSED) {
  test(`parseExpect() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(
      refusal(() => parseExpect(text)),
      { code: 4, message: `Cannot use --expect: ${problem}`, details: '' },
    );
  });
}

test('parseExpect() reads every setting', () => {
  const text =
    'vlan=210, qos=2,PROTO=802.1Q,mac=02:00:00:00:00:AB,spoofchk=on,trust=OFF,link-state=auto,max-tx-rate=100,min-tx-rate=0';
  assert.equal(parseExpect(text), {
    vlan: 210,
    qos: 2,
    protocol: '802.1q',
    mac: '02:00:00:00:00:ab',
    spoofCheck: true,
    trust: false,
    linkState: 'auto',
    maxTxRate: 100,
    minTxRate: 0,
  });
});

test.run();
