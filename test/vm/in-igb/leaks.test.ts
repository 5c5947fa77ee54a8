// timeout: 600s
// How sriov-cni loses VFs, on a real card, and what is left of that when it is us who run it.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lab } from '../../lab/lab.ts';
import { assertError } from '../../lab/spec.ts';
import {
  type Leak,
  leakDelWithoutNetns,
  leakInheritedVlan,
  leakNetnsGone,
  leakPartialApply,
  leakRenamedInPod,
  RENAMED,
} from '../lab/leaks.ts';
import { byMultus, type Card, eachDoorOnCard, onCard, sriovFiles } from '../lab/vf-pod.ts';

/** What became of a VF, in one line: its link and where that is, its VLAN, whose sriov-cni takes it for. */
async function whereabouts(lab: Lab, card: Card, { vf, call }: Leak): Promise<string> {
  const onHost = card.hostLink(vf);
  const inPod = onHost === '' ? (await lab.links(call.pod)).map(({ ifname }) => ifname) : [];
  const names = Object.entries(sriovFiles(lab)).flatMap(([name, text]) => {
    if (name === `${call.container}-${call.ifName}`) return ['cached'];
    return name === `pci/${card.addresses[vf]}` && text === lab.netns(call.pod) ? ['allocated'] : [];
  });
  const place = onHost === '' ? `pod ${inPod}` : `host ${onHost === card.links[vf] ? 'as before' : onHost}`;
  return [place, `vlan ${await card.vlan(vf)}`, ...names.sort()].join(', ');
}

// The stand-in is worth nothing if it is better than sriov-cni: every other test of leaks would prove what nobody has.
onCard('the plugin alone loses VFs in the five ways of sriov-cni', async (lab, card) => {
  const at = (leak: Leak): Promise<string> => whereabouts(lab, card, leak);
  assert.is(await at(await leakPartialApply({ lab, card })), 'host as before, vlan 211');
  assert.is(await at(await leakInheritedVlan({ lab, card })), 'pod net1, vlan 212, allocated, cached');
  assert.is(await at(await leakDelWithoutNetns({ lab, card })), 'pod net1, vlan 213, allocated');
  assert.is(await at(await leakNetnsGone({ lab, card })), 'host net1, vlan 0, allocated');
  assert.is(await at(await leakRenamedInPod({ lab, card })), `pod ${RENAMED}, vlan 0, allocated`);
});

// A runtime that removes a sandbox without its namespace's path: the VF would stay in a VLAN that its next pod gets too.
eachDoorOnCard('DEL without CNI_NETNS gives the VF back: the journal knows the namespace', async (lab, card) => {
  const leak = await leakDelWithoutNetns({ lab, card, caller: byMultus(lab) });
  assert.is(await whereabouts(lab, card, leak), 'host as before, vlan 0');
  assert.equal(lab.stateFiles(), []);
});

// An operator could not tell which setting the card refused, and a record would stay of a pod that never was.
eachDoorOnCard(
  'a setting that the card refuses is told in the plugin’s words, and leaves no record',
  async (lab, card) => {
    const { reply } = await leakPartialApply({ lab, card, caller: byMultus(lab) });
    assertError(
      reply,
      999,
      'plugin "sriov" of network "network0"',
      'failed to set vf 0 link state to 1: operation not supported',
    );
    assert.equal(lab.stateFiles(), []);
  },
);

test.run();
