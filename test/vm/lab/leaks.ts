/**
 * The five ways in which sriov-cni loses a VF, brought about by calls that any runtime makes. Each takes a VF of its own,
 * so that a node can have all of them: number 1 takes VF 0, and so on; VF 5 is nobody's.
 */
import * as assert from 'uvu/assert';
import type { CniReply, Lab } from '../../lab/lab.ts';
import { must, until } from '../../lab/process.ts';
import { byPlugin, type Caller, type Card, type PluginCall, sriovNetwork } from './vf-pod.ts';

export interface Scene {
  lab: Lab;
  card: Card;
  /** How the calls reach the plugin: directly unless told otherwise. */
  caller?: Caller;
}

/** A VF that is lost. */
export interface Leak {
  vf: number;
  /** The attachment whose VF it was; its pod's namespace is there unless the leak says otherwise. */
  call: PluginCall;
  /** Of the calls that lost it, the last one's. */
  reply: CniReply;
}

/** Of the VF that leak `vf` + 1 loses. */
const leakedVlan = (vf: number): number => 211 + vf;

/** The name that leak 5 gives to the pod's net1. */
export const RENAMED = 'moved0';

const callOn = ({ lab, card }: Scene, vf: number, settings: Record<string, unknown>): PluginCall => {
  const network = sriovNetwork(lab, `network${vf}`, { deviceID: card.addresses[vf], ...settings });
  return { container: `c-leak${vf}`, pod: `leak${vf}`, ifName: 'net1', network };
};

const callerOf = ({ lab, caller }: Scene): Caller => caller ?? byPlugin(lab);

function succeeded(reply: CniReply): CniReply {
  assert.is(reply.code, 0, reply.stdout + reply.stderr);
  return reply;
}

/** A pod whose only link is net1, the VF. */
export async function addPod(scene: Scene, vf: number, settings: Record<string, unknown>): Promise<PluginCall> {
  const call = callOn(scene, vf, settings);
  await scene.lab.addNetns(call.pod);
  succeeded(await callerOf(scene)('ADD', call));
  return call;
}

/** ADD that fails after the VLAN was set, since igb knows no link state; and its DEL. */
async function failedAdd(scene: Scene, vf: number): Promise<{ call: PluginCall; reply: CniReply }> {
  const call = callOn(scene, vf, { vlan: leakedVlan(vf), link_state: 'enable' });
  await scene.lab.addNetns(call.pod);
  const reply = await callerOf(scene)('ADD', call);
  assert.match(reply.json?.msg ?? '', 'failed to set vf', reply.stdout + reply.stderr);
  succeeded(await callerOf(scene)('DEL', call));
  return { call, reply };
}

/** 1. A failed ADD: the VF is on the host, with VLAN 211. */
export async function leakPartialApply(scene: Scene): Promise<Leak> {
  return { vf: 0, ...(await failedAdd(scene, 0)) };
}

/** 2. A pod whose network has no VLAN runs in VLAN 212, which an ADD before left on its VF. */
export async function leakInheritedVlan(scene: Scene): Promise<Leak> {
  const failed = await failedAdd({ lab: scene.lab, card: scene.card }, 1);
  const call = { ...callOn(scene, 1, {}), container: 'c-heir', pod: failed.call.pod };
  return { vf: 1, call, reply: succeeded(await callerOf(scene)('ADD', call)) };
}

/** 3. DEL without CNI_NETNS: the VF is in the pod with VLAN 213, and allocated to it; no cache file says so. */
export async function leakDelWithoutNetns(scene: Scene): Promise<Leak> {
  const call = await addPod(scene, 2, { vlan: leakedVlan(2) });
  return { vf: 2, call, reply: succeeded(await callerOf(scene)('DEL', { ...call, pod: '' })) };
}

/** 4. DEL after the namespace went: the VF is on the host as "net1", without its VLAN, and still allocated to the pod. */
export async function leakNetnsGone(scene: Scene): Promise<Leak> {
  const call = await addPod(scene, 3, { vlan: leakedVlan(3) });
  await scene.lab.deleteNetns(call.pod);
  await until('the link comes back by itself', () => scene.card.hostLink(3) !== '');
  return { vf: 3, call, reply: succeeded(await callerOf(scene)('DEL', call)) };
}

/** 5. Renamed in the pod: DEL fails and then succeeds; the VF is in the pod as `RENAMED`, and allocated to it. */
export async function leakRenamedInPod(scene: Scene): Promise<Leak> {
  const call = await addPod(scene, 4, { vlan: leakedVlan(4) });
  for (const words of [['down'], ['name', RENAMED]]) {
    await must('nsenter', `--net=${scene.lab.netns(call.pod)}`, 'ip', 'link', 'set', 'net1', ...words);
  }
  const failed = await callerOf(scene)('DEL', call);
  assert.match(failed.json?.msg ?? '', 'failed to get netlink device', failed.stdout + failed.stderr);
  return { vf: 4, call, reply: succeeded(await callerOf(scene)('DEL', call)) };
}

export const LEAKS = [leakPartialApply, leakInheritedVlan, leakDelWithoutNetns, leakNetnsGone, leakRenamedInPod];
