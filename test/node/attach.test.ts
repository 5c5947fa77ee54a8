// timeout: 300s
// The way of a pod through all verbs, with real plugins: what users run multus for.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor, inLab } from '../lab/doors.ts';
import { addressOf, assertFourLinks, LINK_NAMES, makeFourNetworks, makePod } from '../lab/four-networks.ts';
import type { CniCall, CniReply, Lab } from '../lab/lab.ts';
import { assertError, assertResult, assertSilent } from '../lab/spec.ts';

async function addPod(lab: Lab, number: number): Promise<{ call: CniCall; added: CniReply }> {
  const pod = await makePod(lab, number);
  const call = { container: `c${number}`, pod: pod.name, args: lab.podArgs(pod.name) };
  const added = await lab.cni('ADD', call);
  assertResult(added, String(lab.config['cniVersion']));
  await assertFourLinks(lab, pod);
  return { call, added };
}

// A pod would have other interfaces, addresses or MACs than it asks for, or could not talk over them.
eachDoor('ADD gives a pod its four networks, over which it reaches a second pod', async (lab) => {
  await makeFourNetworks(lab);
  const { call: first, added } = await addPod(lab, 1);
  const { call: second } = await addPod(lab, 2);
  assert.equal(
    added.json.interfaces
      .filter(({ sandbox }: { sandbox?: string }) => sandbox)
      .map(({ name }: { name: string }) => name),
    ['eth0'],
    'the answer is the default network’s result',
  );
  for (const link of LINK_NAMES) {
    const { code, stdout } = await lab.exec('pod1', 'ping', '-c1', '-W5', await addressOf(lab, 'pod2', link));
    assert.is(code, 0, `no answer over ${link}: ${stdout}`);
  }
  assertSilent(await lab.cni('DEL', first));
  assert.equal(await lab.leftovers('pod1').then(withoutPod2), []);
  assertSilent(await lab.cni('DEL', first)); // runtimes repeat it
  assertSilent(await lab.cni('DEL', second));
  assert.equal(await lab.leftovers('pod1', 'pod2'), []);
});

/** The second pod keeps what it has while the first one goes: one link and one address of each network, its status. */
function withoutPod2(leftovers: string[]): string[] {
  const kept = leftovers.filter((one) => /^(host link|address|file \S*\bc2$|status default_pod2)/.test(one));
  assert.equal(kept.length, 8, kept.join('\n'));
  return leftovers.filter((one) => !kept.includes(one));
}

for (const version of ['0.2.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
  // A runtime could not read the answer.
  eachDoor(`ADD answers a request of version ${version} in that version`, async (lab) => {
    lab.config['cniVersion'] = version;
    await lab.addNetns('pod1');
    const added = await lab.cni('ADD');
    assertResult(added, version);
    const address = version < '0.3.0' ? added.json.ip4.ip : added.json.ips[0].address;
    assert.is(address.split('/')[0], await addressOf(lab, 'pod1', 'eth0'));
    assertSilent(await lab.cni('DEL'));
    assert.equal(await lab.leftovers('pod1'), []);
  });
}

// Pods could not end once their sandbox is gone: their addresses would run out.
eachDoor('DEL releases everything when CNI_NETNS is empty', async (lab) => {
  await makeFourNetworks(lab);
  const { call } = await addPod(lab, 1);
  assertSilent(await lab.cni('DEL', { ...call, pod: '' }));
  assert.equal(await lab.leftovers('pod1'), []);
  assertSilent(await lab.cni('DEL', { ...call, pod: '' }));
});

eachDoor('DEL releases everything when the namespace is gone', async (lab) => {
  await makeFourNetworks(lab);
  const { call } = await addPod(lab, 1);
  await lab.deleteNetns('pod1');
  assertSilent(await lab.cni('DEL', call));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers(), []);
});

// A path that is used anew would cost another pod its network.
eachDoor('DEL with the path of another pod leaves that pod alone', async (lab) => {
  await makeFourNetworks(lab);
  const { call } = await addPod(lab, 1);
  const { call: other } = await addPod(lab, 2);
  assertSilent(await lab.cni('DEL', { ...call, pod: 'pod2' }));
  assert.equal(await lab.leftovers('pod1').then(withoutPod2), []);
  assertSilent(await lab.cni('CHECK', other));
  assertSilent(await lab.cni('DEL', other));
  assert.equal(await lab.leftovers('pod1', 'pod2'), []);
});

// The recorded path now leads to another namespace: delegates must not work on it.
eachDoor('DEL of a pod whose path was given to a new namespace leaves that one alone', async (lab) => {
  await makeFourNetworks(lab);
  const { call } = await addPod(lab, 1);
  await lab.deleteNetns('pod1');
  await lab.addNetns('pod1');
  await lab.exec('pod1', 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), ['link pod1/eth0']);
});

const DAMAGES: { what: string; damage: string[]; facts: string[] }[] = [
  { what: 'a link that is gone', damage: ['link', 'del', 'net1'], facts: ['default/lan', 'net1'] },
  { what: 'an address that is gone', damage: ['addr', 'flush', 'dev', 'net1'], facts: ['default/lan', '10.211.0.'] },
  {
    what: 'a changed MAC',
    damage: ['link', 'set', 'net2', 'address', '02:00:00:00:12:99'],
    facts: ['default/fast', '02:00:00:00:12:01', '02:00:00:00:12:99'],
  },
];
for (const { what, damage, facts } of DAMAGES) {
  // Whoever runs CHECK would take a broken pod for a healthy one, or not learn what is broken.
  // Multus's weak point 3: CHECK ignores the networks that the pod asked for.
  eachDoor(`CHECK succeeds, and then names ${what}`, async (lab) => {
    await makeFourNetworks(lab);
    const { call } = await addPod(lab, 1);
    assertSilent(await lab.cni('CHECK', call));
    assert.is((await lab.exec('pod1', 'ip', ...damage)).code, 0);
    const checked = await lab.cni('CHECK', call);
    assert.is(checked.code, 1);
    assertError(checked, checked.json.code, ...facts);
    assertSilent(await lab.cni('DEL', call));
    assert.equal(await lab.leftovers('pod1'), []);
  });
}

/** A network whose plugin is not asked by CHECK: what is found, multus finds itself. */
async function addUncheckedPod(lab: Lab): Promise<CniCall> {
  lab.config['verify'] = 'enforce';
  const { cniVersion, ...plugin } = lab.bridge('own', '10.214.0.0/24');
  lab.manifest(
    'own.yaml',
    lab.nadManifest('own', { cniVersion, name: 'own', disableCheck: true, plugins: [plugin] }),
    lab.podManifest('pod1', 'own'),
  );
  await lab.addNetns('pod1');
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  return call;
}

const OWN_DAMAGES: { what: string; damages: string[][]; facts: (string | RegExp)[] }[] = [
  {
    what: 'a link that is gone',
    damages: [['link', 'del', 'net1']],
    facts: ['interface "net1" must be in the pod, it is not'],
  },
  {
    what: 'an address that is gone',
    damages: [['addr', 'flush', 'dev', 'net1']],
    facts: [/must have address 10\.214\.0\.\d+\/24 as reported, it has no address/],
  },
  {
    what: 'a changed MAC',
    damages: [['link', 'set', 'net1', 'address', '02:00:00:00:14:99']],
    facts: [/must have MAC [0-9a-f:]+ as reported, it has 02:00:00:00:14:99/],
  },
  {
    what: 'a renamed link',
    damages: [
      ['link', 'set', 'net1', 'down'],
      ['link', 'set', 'net1', 'name', 'moved0'],
    ],
    facts: ['interface "net1" must be in the pod, it is not'],
  },
];
for (const { what, damages, facts } of OWN_DAMAGES) {
  // The same for plugins that have no CHECK of their own.
  eachDoor(`CHECK of a network with disableCheck names ${what} itself`, async (lab) => {
    const call = await addUncheckedPod(lab);
    assertSilent(await lab.cni('CHECK', call));
    for (const damage of damages) assert.is((await lab.exec('pod1', 'ip', ...damage)).code, 0);
    assertError(await lab.cni('CHECK', call), 102, 'default/own', ...facts);
    assertSilent(await lab.cni('DEL', call));
    assert.equal(await lab.leftovers('pod1'), []);
  });
}

// "Healthy" for a container that was never attached.
eachDoor('CHECK of an unknown container, or in another namespace, is error 3', async (lab) => {
  await lab.addNetns('pod1');
  await lab.addNetns('pod2');
  assertError(await lab.cni('CHECK'), 3, 'c1', lab.netns('pod1'));
  assertResult(await lab.cni('ADD'), '1.0.0');
  assertError(await lab.cni('CHECK', { pod: 'pod2' }), 3, 'c1', lab.netns('pod2'));
  assertSilent(await lab.cni('DEL'));
});

// A runtime that repeats itself would attach a second set of links, or take the running pod's away.
eachDoor('a repeated ADD is refused and leaves the pod as it is', async (lab) => {
  await makeFourNetworks(lab);
  const { call } = await addPod(lab, 1);
  const before = [await lab.linkSummary('pod1'), lab.reservations(), lab.stateFiles()];
  assertError(await lab.cni('ADD', call), 104, 'c1', 'DEL it first');
  assert.equal([await lab.linkSummary('pod1'), lab.reservations(), lab.stateFiles()], before);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// A second container in the same namespace would take over the first one's interface.
eachDoor('ADD of another container into a namespace whose interface is taken is refused', async (lab) => {
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD'), '1.0.0');
  const before = await lab.linkSummary('pod1');
  assertError(await lab.cni('ADD', { container: 'c2' }), 104, '"eth0" exists in the pod already');
  assert.equal(await lab.linkSummary('pod1'), before);
  assertSilent(await lab.cni('CHECK'));
  assertSilent(await lab.cni('DEL'));
  assert.equal(await lab.leftovers('pod1'), []);
});

// The pod would have no default route, or one through the wrong network.
eachDoor('ADD gives the pod the default route that it asks for', async (lab) => {
  await makeFourNetworks(lab);
  await lab.addNetns('pod1');
  lab.manifest('pod1.yaml', lab.podManifest('pod1', [{ name: 'lan', 'default-route': ['10.211.0.1'] }]));
  const call = { args: lab.podArgs('pod1') };
  const added = await lab.cni('ADD', call);
  assertResult(added, '1.0.0');
  assert.equal(added.json.routes ?? [], [], 'the default network’s own default route is gone, and not reported');
  const { stdout } = await lab.exec('pod1', 'ip', '-j', 'route', 'show', 'default');
  assert.equal(
    JSON.parse(stdout).map(({ gateway, dev }: Record<string, string>) => ({ gateway, dev })),
    [{ gateway: '10.211.0.1', dev: 'net1' }],
  );
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(await lab.leftovers('pod1'), []);
});

// Runtimes ask before anything else.
eachDoor('VERSION lists the versions that are supported', async (lab) => {
  const { code, json } = await lab.cni('VERSION', { config: '{"cniVersion":"0.4.0"}' });
  assert.is(code, 0);
  assert.equal(json, {
    cniVersion: '0.4.0',
    supportedVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
});

/** A 1.1.0 network whose plugin writes the GC and STATUS requests that it gets to a file. */
function fakeNetwork(lab: Lab, name: string, onStatus = 'exit 0'): Record<string, unknown> {
  lab.plugin(
    name,
    `#!/bin/sh
stdin=$(cat)
case $CNI_COMMAND in
ADD) echo '{"cniVersion":"1.1.0"}' ;;
GC) echo "$stdin" >> ${lab.directory}/${name}.gc ;;
STATUS) ${onStatus} ;;
esac
`,
  );
  return { cniVersion: '1.1.0', name, type: name };
}

// Nodes that cannot attach pods would get pods.
eachDoor('STATUS passes on what any of the node’s networks says, with its own code', async (lab) => {
  lab.config['cniVersion'] = '1.1.0';
  lab.config['delegates'] = [fakeNetwork(lab, 'fine')];
  assertSilent(await lab.cni('STATUS'));
  const sick = fakeNetwork(lab, 'sick', `echo '{"cniVersion":"1.1.0","code":50,"msg":"no uplink"}'; exit 1`);
  lab.config['delegates'] = [sick];
  assertError(await lab.cni('STATUS'), 50, 'no uplink', '"sick"');
  const cutOff = fakeNetwork(lab, 'cut-off', `echo '{"cniVersion":"1.1.0","code":51,"msg":"no route"}'; exit 1`);
  lab.config['delegates'] = [fakeNetwork(lab, 'fine'), cutOff]; // each pod gets both
  assertError(await lab.cni('STATUS'), 51, 'no route', '"cut-off"');
  lab.config['cniVersion'] = '1.0.0';
  assertError(await lab.cni('STATUS'), 1, 'STATUS', '1.1.0');
});

// The node would keep the addresses of dead pods, or take those of living ones.
// Multus's weak point 2: GC is a no-op.
eachDoor(
  'GC collects what is not valid, keeps the rest, and tells plugins which attachments are valid',
  async (lab) => {
    lab.config['cniVersion'] = '1.1.0';
    lab.config['delegates'] = [{ ...lab.ptp('lab-default', '10.210.0.0/24') }, fakeNetwork(lab, 'witness')];
    await lab.addNetns('pod1');
    await lab.addNetns('pod2');
    assertResult(await lab.cni('ADD', { container: 'c1', pod: 'pod1' }), '1.1.0');
    assertResult(await lab.cni('ADD', { container: 'c2', pod: 'pod2' }), '1.1.0');
    const gc = (...valid: unknown[]): Promise<CniReply> =>
      lab.cni('GC', { config: JSON.stringify({ ...lab.config, 'cni.dev/valid-attachments': valid }) });
    assertSilent(await gc({ containerID: 'c2', ifname: 'eth0' }));
    assert.equal((await lab.links('pod1')).length, 0);
    assert.equal((await lab.links('pod2')).length, 1);
    assertSilent(await lab.cni('CHECK', { container: 'c2', pod: 'pod2' }));
    const told = (await lab.exec('host', 'cat', `${lab.directory}/witness.gc`)).stdout.trim().split('\n');
    assert.equal(
      told.map((line) => JSON.parse(line)['cni.dev/valid-attachments']),
      [[{ containerID: 'c2', ifname: 'net1' }]],
      'each plugin is told the union of its own attachments',
    );
    assertSilent(await gc());
    assert.equal(await lab.leftovers('pod1', 'pod2'), []);
    assertError(await lab.cni('GC'), 7, 'cni.dev/valid-attachments');
  },
);

// People run the program by hand, too.
inLab('the shim without CNI_COMMAND says what it is, and is no CNI plugin then', async (lab) => {
  const { code, stdout, stderr } = await lab.exec('host', lab.shim);
  assert.is(code, 0);
  assert.is(stdout, '');
  assert.match(stderr, /multus .*CNI versions supported/);
});

test.run();
