// timeout: 300s
// Delegates whose words are not their deeds. A pod would otherwise start with a network that is not there or not right,
// and nobody would know.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { claimLink, Fakes, type LinkClaim, makeLink, removeLink } from '../lab/fakes.ts';
import type { Lab } from '../lab/lab.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

const MAC = '02:00:00:00:aa:01';
const OTHER_MAC = '02:00:00:00:aa:02';

/** What `multus ps` shows beside the attachments. */
async function remarks(lab: Lab): Promise<string> {
  const { stdout } = await lab.exec('host', lab.shim, 'ps', '--cni-dir', lab.stateDir, '--json');
  const { containers } = JSON.parse(stdout) as { containers: { attachments: { warnings: string[] }[] }[] };
  return containers.flatMap(({ attachments }) => attachments.flatMap(({ warnings }) => warnings)).join('\n');
}

/** A lab whose default network is a fake that makes one link and claims another. */
async function prepare(lab: Lab, made: LinkClaim | undefined, claimed: LinkClaim): Promise<Fakes> {
  const fakes = new Fakes(lab);
  const network = fakes.plugin('liar', {
    ADD: `${made === undefined ? '' : makeLink(made)}\n${claimLink(claimed)}`,
    DEL: made === undefined ? 'exit 0' : removeLink(made.name),
  });
  lab.config['delegates'] = [network];
  await lab.addNetns('pod1');
  return fakes;
}

// The pod's program looks for eth0 and does not find it; or finds it and DEL leaves it.
eachDoor('a wrong name is mended, told, and given back for DEL', async (lab) => {
  await prepare(
    lab,
    { name: 'wrong0', mac: MAC, address: '10.9.0.2/24' },
    { name: 'wrong0', mac: MAC, address: '10.9.0.2/24' },
  );
  const added = await lab.cni('ADD');
  assertResult(added, '1.0.0');
  assert.is(added.json.interfaces[0].name, 'eth0');
  assert.equal(await lab.linkSummary('pod1'), [`eth0 ${MAC} 1500 10.9.0.2/24`]);
  assert.match(await remarks(lab), 'named the interface "wrong0" instead of "eth0"; it was renamed');
  assertSilent(await lab.cni('CHECK'));
  assertSilent(await lab.cni('DEL')); // the fake fails when "wrong0" is not there
  await assertClean(lab, 'pod1');
});

// Each pod of such a network would leave a link in a namespace that lives on.
eachDoor('a link that the plugin does not remove on DEL is removed', async (lab) => {
  const fakes = await prepare(lab, { name: 'wrong0' }, { name: 'wrong0' });
  fakes.plugin('liar', { ADD: `${makeLink({ name: 'wrong0' })}\n${claimLink({ name: 'wrong0' })}`, DEL: 'exit 0' });
  assertResult(await lab.cni('ADD'), '1.0.0');
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

const LIES: { fact: string; made: LinkClaim; claimed: LinkClaim; message: string }[] = [
  {
    fact: 'mac',
    made: { mac: MAC },
    claimed: { mac: OTHER_MAC },
    message: `interface "eth0" must have MAC ${OTHER_MAC} as reported, it has ${MAC}`,
  },
  {
    fact: 'mtu',
    made: { mtu: 1400 },
    claimed: { mtu: 9000 },
    message: 'interface "eth0" must have MTU 9000 as reported, it has 1400',
  },
  {
    fact: 'addresses',
    made: { address: '10.9.0.2/24' },
    claimed: { address: '10.9.0.3/24' },
    message: 'interface "eth0" must have address 10.9.0.3/24 as reported, it has 10.9.0.2/24',
  },
  {
    fact: 'addresses',
    made: {},
    claimed: { address: '2001:db8::5/64' },
    message: 'interface "eth0" must have address 2001:db8::5/64 as reported, it has ',
  },
  {
    fact: 'routes',
    made: { address: '10.9.0.2/24' },
    claimed: { address: '10.9.0.2/24', routes: [{ dst: '10.77.0.0/16', gw: '10.9.0.1' }] },
    message: 'route 10.77.0.0/16 via 10.9.0.1 must be there as reported, found: none',
  },
];
for (const { fact, made, claimed, message } of LIES) {
  const what = `${fact} (${claimed.address ?? claimed.mac ?? claimed.mtu})`;

  // "enforce": the pod would run with it. The message is all that the operator has to find the culprit.
  eachDoor(`ADD fails when the reported ${what} is not so, and undoes everything`, async (lab) => {
    const fakes = await prepare(lab, made, claimed);
    lab.config['verify'] = { [fact]: 'enforce' };
    const added = await lab.cni('ADD');
    assertError(added, 102, message, 'Network "liar"', 'plugin liar');
    assert.match(added.json.details, `"verify": {"${fact}": "warn"}`);
    assert.equal(fakes.history(), ['ADD liar', 'DEL liar']);
    await assertClean(lab, 'pod1');
  });

  // "warn": known deviations would keep pods from starting, or stay unseen.
  eachDoor(`ADD tells of a reported ${what} that is not so when it only is to warn`, async (lab) => {
    await prepare(lab, made, claimed);
    lab.config['verify'] = { [fact]: 'warn' };
    assertResult(await lab.cni('ADD'), '1.0.0');
    const told = await remarks(lab);
    assert.ok(told.includes(message), told);
    assertSilent(await lab.cni('DEL'));
    await assertClean(lab, 'pod1');
  });
}

// What is not given is the default, which must be strict where a pod cannot work, and lenient elsewhere.
eachDoor('without "verify", a wrong MAC is an error and a wrong MTU is told', async (lab) => {
  const fakes = await prepare(lab, { mac: MAC, mtu: 1400 }, { mac: MAC, mtu: 9000 });
  assertResult(await lab.cni('ADD'), '1.0.0');
  assert.match(await remarks(lab), 'MTU 9000');
  assertSilent(await lab.cni('DEL'));
  fakes.plugin('liar', { ADD: `${makeLink({ mac: MAC })}\n${claimLink({ mac: OTHER_MAC })}`, DEL: removeLink() });
  assertError(await lab.cni('ADD'), 102, MAC, OTHER_MAC);
  await assertClean(lab, 'pod1');
});

// Whoever turns verification off must be obeyed.
eachDoor('"verify": "off" believes everything', async (lab) => {
  await prepare(
    lab,
    { name: 'wrong0', mac: MAC, mtu: 1400 },
    { name: 'wrong0', mac: OTHER_MAC, mtu: 9000, address: '10.9.0.2/24' },
  );
  lab.config['verify'] = 'off';
  assertResult(await lab.cni('ADD'), '1.0.0');
  assert.is(await remarks(lab), '');
  assert.equal(await lab.linkSummary('pod1'), [`wrong0 ${MAC} 1400`]);
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

// The worst lie: success and no network.
eachDoor('ADD fails when the plugin reports a link and makes none', async (lab) => {
  const fakes = await prepare(lab, undefined, { mac: MAC, address: '10.9.0.2/24' });
  const message = 'interface "eth0" must be in the pod, it is not; no new link is in the pod';
  assertError(await lab.cni('ADD'), 102, message, 'Network "liar"');
  assert.equal(fakes.history(), ['ADD liar', 'DEL liar']);
  await assertClean(lab, 'pod1');
});

// The operator must learn what is there instead.
eachDoor('ADD names the link that is there when another one is reported', async (lab) => {
  await prepare(lab, { name: 'other0' }, { name: 'promised0' });
  const message =
    'interface "eth0" (reported as "promised0") must be in the pod, it is not; new links in the pod are: other0';
  assertError(await lab.cni('ADD'), 102, message);
  await assertClean(lab, 'pod1');
});

const UNMET: { made: LinkClaim; message: string }[] = [
  { made: { mac: OTHER_MAC, address: '10.9.0.2/24' }, message: `the requested MAC ${MAC}, it has ${OTHER_MAC}` },
  { made: { mac: MAC, address: '10.9.0.9/24' }, message: 'the requested address 10.9.0.2/24, it has 10.9.0.9/24' },
];
for (const { made, message } of UNMET) {
  // The pod would have another MAC or address than its user ordered: plugins ignore what they do not know.
  eachDoor(`ADD fails when the plugin did not do what the pod asked for: ${message}`, async (lab) => {
    const fakes = new Fakes(lab);
    const network = fakes.plugin('deaf', { ADD: `${makeLink(made)}\n${claimLink(made)}`, DEL: removeLink() });
    lab.config = { ...lab.config, delegates: [fakes.plugin('quiet')], verify: { addresses: 'enforce' } };
    lab.manifest(
      'pod1.yaml',
      lab.nadManifest('deaf', { ...network, capabilities: { mac: true, ips: true } }),
      lab.podManifest('pod1', [{ name: 'deaf', mac: MAC, ips: ['10.9.0.2/24'] }]),
    );
    await lab.addNetns('pod1');
    assertError(await lab.cni('ADD', { args: lab.podArgs('pod1') }), 102, message, 'default/deaf');
    assert.equal(fakes.history(), ['ADD quiet', 'ADD deaf', 'DEL deaf', 'DEL quiet']);
    await assertClean(lab, 'pod1');
  });
}

test.run();
