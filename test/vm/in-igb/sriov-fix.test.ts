// timeout: 600s
// Every way in which sriov-cni loses VFs, mended by one command.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lab } from '../../lab/lab.ts';
import { type Finished, run } from '../../lab/process.ts';
import {
  leakDelWithoutNetns,
  leakInheritedVlan,
  leakNetnsGone,
  leakPartialApply,
  leakRenamedInPod,
} from '../lab/leaks.ts';
import { type Card, onCard, sriovDir, sriovFiles } from '../lab/vf-pod.ts';

const CLI = join(import.meta.dirname, '..', '..', '..', 'dist', 'multus-cli');

function verify(lab: Lab, ...words: string[]): Promise<Finished> {
  const folders = ['--cni-dir', lab.stateDir, '--sriov-dir', sriovDir(lab), '--offline'];
  return run(process.execPath, [CLI, 'sriov', 'verify', '--node', ...folders, ...words]);
}

const said = ({ stdout, stderr }: Finished): string => `${stderr}${stdout}`;

/** Where each VF is, and its VLAN. Its name on the host is in files of sriov-cni that three of the leaks have lost. */
async function state(card: Card): Promise<string[]> {
  const vfs = card.links.map(async (_, vf) => {
    const onHost = card.hostLink(vf);
    const place = onHost === '' ? 'in a pod' : onHost === 'net1' ? 'at home as net1' : 'at home';
    return `${place}, vlan ${await card.vlan(vf)}`;
  });
  return Promise.all(vfs);
}

// The next pods on these VFs would be in others' VLANs, or be refused, and an operator would have to mend each by hand. A
// pod that runs would lose its interface because somebody tidied up.
onCard('--fix mends the five leaks, and takes no VF from a pod', async (lab, card) => {
  await leakPartialApply({ lab, card });
  const heir = await leakInheritedVlan({ lab, card });
  await leakDelWithoutNetns({ lab, card });
  await leakNetnsGone({ lab, card });
  const { call } = await leakRenamedInPod({ lab, card });
  assert.equal(await state(card), [
    'at home, vlan 211',
    'in a pod, vlan 212',
    'in a pod, vlan 213',
    'at home as net1, vlan 0',
    'in a pod, vlan 0',
    'at home, vlan 0',
  ]);
  const ofPods = ['at home, vlan 0', 'in a pod, vlan 212', 'at home, vlan 0', 'at home, vlan 0'];
  const filesOfHeir = [`${heir.call.container}-net1`, `pci/${card.addresses[1]}`];

  const pod = spawn('nsenter', [`--net=${lab.netns(call.pod)}`, 'sh', '-c', 'echo; read _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(pod.stdout, 'data');
  try {
    const refused = await verify(lab, '--fix', '--yes');
    assert.is(refused.code, 1, said(refused));
    const left = refused.stderr.split('\n').filter((line) => line.startsWith('LEFT:'));
    assert.is(left.length, 1, said(refused));
    assert.match(refused.stderr, `not done: a program (process ${pod.pid}) runs in ${lab.netns(call.pod)}`);
    assert.equal(await state(card), [...ofPods, 'in a pod, vlan 0', 'at home, vlan 0']);
  } finally {
    pod.stdin.end('\n');
    await once(pod, 'exit');
  }

  const fixed = await verify(lab, '--fix', '--yes');
  assert.is(fixed.code, 0, said(fixed));
  assert.not.match(fixed.stderr, 'LEFT');
  const [, advice = ''] = fixed.stderr.split('For you to decide');
  assert.match(advice, `ip link set ${card.name} vf 1 vlan 0`, 'the pod that inherited a VLAN');
  assert.equal(await state(card), [...ofPods, 'at home, vlan 0', 'at home, vlan 0']);
  assert.equal(Object.keys(sriovFiles(lab)).sort(), filesOfHeir.sort());
});

test.run();
