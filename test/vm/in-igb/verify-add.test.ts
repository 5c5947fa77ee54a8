// timeout: 600s
// A VF is compared with its PF before its pod starts, and looked at after its pod is gone: on a real card, by a daemon.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lab } from '../../lab/lab.ts';
import { must, parseJson } from '../../lab/process.ts';
import { assertError, assertSilent } from '../../lab/spec.ts';
import { byMultus, type Card, onCard, type PluginCall, sriovFiles, sriovNetwork } from '../lab/vf-pod.ts';

/** A plugin that does what sriov does, and then something of its own. */
function wrapSriov(lab: Lab, type: string, afterAdd: string, afterDel: string): void {
  const after = `case $CNI_COMMAND in ADD) ${afterAdd} ;; DEL) ${afterDel} ;; esac`;
  lab.plugin(
    type,
    `#!/bin/sh\nanswer=$("${lab.binDir}/sriov") || { echo "$answer"; exit 1; }\n${after}\necho "$answer"\n`,
  );
}

/** A network on the VF whose number is in its names. */
function callOn(lab: Lab, card: Card, vf: number, settings: Record<string, unknown>): PluginCall {
  const network = { ...sriovNetwork(lab, `network${vf}`, { deviceID: card.addresses[vf] }), ...settings };
  return { container: `c${vf}`, pod: `pod${vf}`, ifName: 'net1', network };
}

/** What the journal has of the only attachment of a container. */
function journalled(lab: Lab, { container }: PluginCall): { warnings: string[]; vf: Record<string, unknown> } {
  const [entry] = JSON.parse(readFileSync(join(lab.stateDir, container), 'utf8'));
  return entry.multusNative.attachment;
}

/** What the daemon has told of VFs that came back changed, since the last time. */
function teller(lab: Lab): () => { problem: string; mend: string }[] {
  let seen = 0;
  return () => {
    const lines = lab.daemonLog.split('\n').map((line) => parseJson(line) as Record<string, string> | undefined);
    const told = lines.filter((line) => line?.['msg'] === 'the VF was left changed');
    const fresh = told.slice(seen);
    seen = told.length;
    return fresh.map((line) => ({ problem: line?.['problem'] ?? '', mend: line?.['mend'] ?? '' }));
  };
}

/** Whoever has the VF next would have it as this pod left it, and nobody would know. */
onCard(
  'ADD compares VF and PF, DEL tells what it finds changed, and the command that it names mends it',
  async (lab, card) => {
    await lab.startDaemon();
    const told = teller(lab);
    const call = byMultus(lab);
    for (let vf = 0; vf < 6; vf++) await lab.addNetns(`pod${vf}`);
    const isHome = async (vf: number): Promise<void> => {
      assert.equal([card.hostLink(vf), await card.vlan(vf)], [card.links[vf], 0]);
    };

    // wrong VLAN: refused before the pod starts, and nothing is left
    wrapSriov(lab, 'late-sriov', `ip link set ${card.name} vf 0 vlan 999`, ':');
    const wrong = callOn(lab, card, 0, { type: 'late-sriov', vlan: 210 });
    const label = `VF 0 of ${card.name} (${card.addresses[0]})`;
    assertError(await call('ADD', wrong), 102, `${label} must have VLAN 210, it has 999`);
    assert.equal([lab.stateFiles(), sriovFiles(lab), told()], [[], {}, []]);
    await isHome(0);

    // as asked for: nothing to say, also not by CHECK and DEL
    const asked = { vlan: 211, vlanQoS: 2, mac: '02:00:00:00:00:11', spoofchk: 'off', trust: 'on', max_tx_rate: 100 };
    const right = callOn(lab, card, 1, asked);
    assert.is((await call('ADD', right)).code, 0);
    const { warnings, vf } = journalled(lab, right);
    assert.equal([warnings, vf['hostName'], vf['index']], [[], card.links[1], 1]);
    const check = { ...right, config: JSON.stringify({ ...lab.config, delegates: [right.network] }) };
    assertSilent(await lab.cni('CHECK', check));
    await must('ip', 'link', 'set', card.name, 'vf', '1', 'vlan', '7');
    assertError(await lab.cni('CHECK', check), 102, 'must have VLAN 211, it has 7');
    assertSilent(await call('DEL', right));
    assert.equal(told(), []);
    await isHome(1);

    // a VLAN of before, and nothing asked for
    await must('ip', 'link', 'set', card.name, 'vf', '2', 'vlan', '212');
    const heir = callOn(lab, card, 2, {});
    assert.is((await call('ADD', heir)).code, 0);
    assert.match(journalled(lab, heir).warnings.join(), 'has VLAN 212 from before: nobody asked for one');
    assertSilent(await call('DEL', heir));
    assert.equal(told(), [], 'it was so before');

    // a plugin that leaves a VLAN and the trust
    wrapSriov(lab, 'leaky-sriov', ':', `ip link set ${card.name} vf 3 vlan 213 trust on`);
    const leaky = callOn(lab, card, 3, { type: 'leaky-sriov', vlan: 213 });
    assert.is((await call('ADD', leaky)).code, 0);
    assertSilent(await call('DEL', leaky));
    const [left, ...others] = told();
    assert.match(
      left?.problem ?? '',
      'was not reset: it must have VLAN none, it has 213, must have trust off, it has on',
    );
    assert.equal(others, []);
    await must('sh', '-c', left?.mend ?? '');
    await isHome(3);
    assert.not.ok((await card.vf(3)).trust);

    // an ADD that fails half way (leak 1 of sriov-cni)
    const half = callOn(lab, card, 4, { vlan: 214, link_state: 'enable' });
    assert.is((await call('ADD', half)).code, 1);
    const [halfLeft] = told();
    assert.match(halfLeft?.problem ?? '', 'must have VLAN none, it has 214');
    await must('sh', '-c', halfLeft?.mend ?? '');
    await isHome(4);

    // renamed in the pod (leak 5): sriov-cni alone would lose it
    const renamed = callOn(lab, card, 5, { vlan: 215 });
    assert.is((await call('ADD', renamed)).code, 0);
    for (const words of [['down'], ['name', 'moved0']]) {
      await must('nsenter', `--net=${lab.netns('pod5')}`, 'ip', 'link', 'set', 'net1', ...words);
    }
    assertSilent(await call('DEL', renamed));
    assert.equal(told(), []);
    await isHome(5);

    // the namespace is gone before DEL (leak 4)
    const orphan = callOn(lab, card, 0, { vlan: 216 });
    assert.is((await call('ADD', orphan)).code, 0);
    await lab.deleteNetns('pod0');
    assertSilent(await call('DEL', orphan));
    const home = told();
    assert.match(home[0]?.problem ?? '', `must have the name "${card.links[0]}" again on the host, it has "net1"`);
    assert.is(home.length, 1, 'its VLAN was reset');
    await must('sh', '-c', home[0]?.mend ?? '');
    await isHome(0);
    assert.equal(lab.stateFiles(), []);
  },
);

test.run();
