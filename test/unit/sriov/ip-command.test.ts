import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ipLinkSet, shellWord, vfWords } from '../../../src/sriov/ip-command.ts';

test('a command sets all that is asked for, in the words of ip-link(8)', () => {
  const settings = { mac: '02:00:00:00:00:10', spoofCheck: true, trust: false, linkState: 'auto' } as const;
  assert.is(
    ipLinkSet(
      { name: 'enp1s0', netnsPath: '' },
      `vf 3 ${vfWords({ vlan: 5, qos: 2, protocol: '802.1ad', ...settings })}`,
    ),
    'ip link set enp1s0 vf 3 vlan 5 qos 2 proto 802.1ad mac 02:00:00:00:00:10 spoofchk on trust off state auto',
  );
  assert.is(vfWords({ vlan: 0, protocol: '802.1q' }), 'vlan 0');
  assert.is(vfWords({ minTxRate: 0, maxTxRate: 100 }), 'max_tx_rate 100 min_tx_rate 0');
});

test('a link in another namespace is reached from the host', () => {
  assert.is(
    ipLinkSet({ name: 'net1', netnsPath: '/run/netns/x' }, 'netns 1 name v3'),
    'nsenter --net=/run/netns/x ip link set net1 netns 1 name v3',
  );
});

// A container renames its interface, and root pastes what we print.
test('a name is no command', () => {
  assert.is(shellWord('enp1s0v3'), 'enp1s0v3');
  assert.is(shellWord(';reboot'), "';reboot'");
  assert.is(shellWord("a'b$(x)"), `'a'\\''b$(x)'`);
});

test.run();
