// timeout: 300s
// The daemon follows the annotations of pods that run ("hotplug": true), here those of a folder of manifests.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertDone, assertRefused, delegate, startNodeDaemon } from '../lab/controller.ts';
import { inLab } from '../lab/doors.ts';
import { claimLink, Fakes, fail, makeLink, removeLink } from '../lab/fakes.ts';
import { type CniCall, Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../lab/spec.ts';

const STATUS = 'k8s.v1.cni.cncf.io/network-status';

/** A plugin that makes a link, claims it and removes it. */
const LINK = { ADD: `${makeLink()}\n${claimLink({})}`, DEL: `${removeLink()} || true` };
/** Its ADD waits for ever; the link is there by then. */
const HANGING = { ...LINK, ADD: `${makeLink()}\nexec sleep 1000` };

const start = (lab: Lab, keys: Record<string, unknown> = {}): Promise<void> =>
  startNodeDaemon(lab, { hotplug: true, ...keys }, '--reconcile-interval', '3600');

function annotate(lab: Lab, networks: unknown, more: Record<string, string> = {}): void {
  const pod = lab.podManifest('pod1', networks) as { metadata: { annotations: Record<string, string> } };
  Object.assign(pod.metadata.annotations, more);
  lab.manifest('pod.yaml', pod);
}

/** Definitions default/a and default/b by a real bridge, 10.11.0.0/24 and 10.12.0.0/24. */
function bridges(lab: Lab): void {
  const withIps = (name: string, subnet: string) => ({ ...lab.bridge(name, subnet), capabilities: { ips: true } });
  const a = lab.nadManifest('a', withIps('a', '10.11.0.0/24'));
  const b = lab.nadManifest('b', withIps('b', '10.12.0.0/24'));
  lab.manifest('bridges.yaml', a, b);
}

/** Definitions by fakes, each of the network of its name. */
function fakeNetworks(lab: Lab, fakes: Fakes, behaviours: Record<string, typeof LINK>): void {
  const all = Object.entries(behaviours).map(([name, one]) => lab.nadManifest(name, fakes.plugin(name, one)));
  lab.manifest('fakes.yaml', ...all);
}

/** Pod default/pod1 in container c1, with these networks from its ADD on. */
async function runningPod(lab: Lab, networks: unknown = ''): Promise<CniCall> {
  await lab.addNetns('pod1');
  annotate(lab, networks);
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  return call;
}

/** "eth0 net1": the pod's interfaces. */
const names = async (lab: Lab): Promise<string> =>
  (await lab.links('pod1'))
    .map(({ ifname }) => ifname)
    .sort()
    .join(' ');

/** "eth0 default/a@net1": what is told of the pod. */
function told(lab: Lab): string {
  const status: { name: string; interface: string }[] = JSON.parse(lab.statusAnnotations('pod1')?.[STATUS] ?? '[]');
  return status.map((one, i) => (i === 0 ? one.interface : `${one.name}@${one.interface}`)).join(' ');
}

/** Wait until the pod has these interfaces, and that is told. */
async function becomes(lab: Lab, status: string): Promise<void> {
  const interfaces = status
    .split(' ')
    .map((one) => one.replace(/.*@/, ''))
    .sort()
    .join(' ');
  await until(`the pod has ${status}`, async () => told(lab) === status && (await names(lab)) === interfaces);
}

const journal = (lab: Lab): string => readFileSync(join(lab.stateDir, 'c1'), 'utf8');

const logLines = (lab: Lab, part: string): number =>
  lab.daemonLog.split('\n').filter((one) => one.includes(part)).length;

// All of it would need another controller, a socket of the runtime, and a name for every interface.
inLab('an edit of the annotation attaches, detaches, and does both at a time', async (lab) => {
  await start(lab);
  bridges(lab);
  const call = await runningPod(lab);
  assert.is(await names(lab), 'eth0');
  annotate(lab, 'a');
  await becomes(lab, 'eth0 default/a@net1');
  assertSilent(await lab.cni('CHECK', call));
  annotate(lab, 'a, b, a@foo');
  await becomes(lab, 'eth0 default/a@net1 default/b@net2 default/a@foo');
  const before = (await lab.links('pod1')).find(({ ifname }) => ifname === 'foo');
  annotate(lab, 'b@hot0, a@foo');
  await becomes(lab, 'eth0 default/a@foo default/b@hot0');
  const after = (await lab.links('pod1')).find(({ ifname }) => ifname === 'foo');
  assert.equal([after?.address, Lab.addresses(after)], [before?.address, Lab.addresses(before)], 'it was not touched');
  assert.is(lab.reservations().length, 3);
  annotate(lab, '');
  await becomes(lab, 'eth0');
  annotate(lab, 'b');
  await becomes(lab, 'eth0 default/b@net1');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod would lose what it was started with, or get it twice.
inLab('networks of the ADD are those of the annotation: they stay, and they go', async (lab) => {
  await start(lab);
  bridges(lab);
  const call = await runningPod(lab, 'a, b@foo');
  const before = await lab.linkSummary('pod1');
  annotate(lab, 'a@net1, b');
  annotate(lab, [{ name: 'a' }, { name: 'b', interface: 'foo' }, { name: 'a', interface: 'more' }]);
  await becomes(lab, 'eth0 default/a@net1 default/b@foo default/a@more');
  const stayed = (await lab.linkSummary('pod1')).filter((one) => !one.startsWith('more '));
  assert.equal(stayed, before);
  annotate(lab, 'a@more');
  await becomes(lab, 'eth0 default/a@more');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// The pod would go on with the address that it was to leave.
inLab('a network that is asked for with another address is attached anew, on its interface', async (lab) => {
  await start(lab);
  bridges(lab);
  const call = await runningPod(lab, [{ name: 'a', ips: ['10.11.0.50/24'] }]);
  annotate(lab, [{ name: 'a', ips: ['10.11.0.51/24'] }]);
  await until('it has the other address', async () => {
    const link = (await lab.links('pod1')).find(({ ifname }) => ifname === 'net1');
    return Lab.addresses(link).join() === '10.11.0.51/24';
  });
  await becomes(lab, 'eth0 default/a@net1');
  assert.equal(
    lab.reservations().filter((one) => one.startsWith('a/')),
    ['a/10.11.0.51'],
  );
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Edits are not kept anywhere: who goes by what happened would never hear of them.
inLab('what was edited while no daemon ran is done when one starts', async (lab) => {
  await start(lab);
  bridges(lab);
  const call = await runningPod(lab, 'a');
  await lab.endDaemon('SIGKILL');
  annotate(lab, 'b');
  await start(lab);
  await becomes(lab, 'eth0 default/b@net1');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A slip of the pen would take a pod's networks away.
inLab('an annotation that cannot be used changes nothing, and is told once', async (lab) => {
  await start(lab);
  bridges(lab);
  const call = await runningPod(lab, 'a');
  const before = [await lab.linkSummary('pod1'), journal(lab)];
  for (const [i, wrong] of ['[{"name":"a"', 'a/b/c', 'a@x, b@x', 'b@eth0', '[{"name":"b","ips":5}]'].entries()) {
    annotate(lab, wrong);
    await until(`"${wrong}" is refused`, () => logLines(lab, '"NetworksRejected"') === i + 1);
  }
  assert.equal([await lab.linkSummary('pod1'), journal(lab)], before);
  annotate(lab, 'a, b');
  await becomes(lab, 'eth0 default/a@net1 default/b@net2');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// One network that is down would keep a pod from all the others, or be forgotten when it is up again.
inLab('a network that fails is tried again, and the others do not wait for it', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  const bad = { ...LINK, ADD: fail(123, 'the switch is full') };
  fakeNetworks(lab, fakes, { bad, good: LINK });
  const call = await runningPod(lab);
  annotate(lab, 'bad@bad0, good@good0, absent@absent0');
  await becomes(lab, 'eth0 default/good@good0');
  await until('it is tried again', () => fakes.history().filter((one) => one === 'ADD bad').length > 1);
  assert.is(logLines(lab, 'the switch is full'), 1, 'the same failure is told once');
  lab.manifest('absent.yaml', lab.nadManifest('absent', fakes.plugin('absent', LINK)));
  await becomes(lab, 'eth0 default/good@good0 default/absent@absent0');
  fakes.plugin('bad', LINK);
  await becomes(lab, 'eth0 default/good@good0 default/absent@absent0 default/bad@bad0');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Its name would be given to another network while it is still there.
inLab('a network that cannot be detached keeps its name until it can', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  fakeNetworks(lab, fakes, { stuck: { ...LINK, DEL: fail(125, 'the switch is away') }, good: LINK });
  const call = await runningPod(lab, 'stuck');
  annotate(lab, 'good');
  await until('good is there', () => told(lab) === 'eth0 default/good@net2');
  assert.is(await names(lab), 'eth0 net1 net2');
  fakes.plugin('stuck', LINK);
  await becomes(lab, 'eth0 default/good@net2');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod that is deleted must not wait for a network that hangs, and must not leave it behind.
inLab('the DEL of a pod ends what is being attached to it', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  fakeNetworks(lab, fakes, { slow: HANGING });
  const call = await runningPod(lab);
  annotate(lab, 'slow');
  await until('it runs', () => fakes.has('ADD slow'));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
  assert.is(fakes.history().filter((one) => one === 'ADD slow').length, 1);
});

// The pod could not be mended by taking the edit back.
inLab('an edit that takes a hanging network back ends it; one that keeps it does not', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  fakeNetworks(lab, fakes, { slow: HANGING, good: LINK });
  const call = await runningPod(lab);
  annotate(lab, 'slow');
  await until('it runs', () => fakes.has('ADD slow'));
  annotate(lab, 'slow@net1, good');
  annotate(lab, 'good');
  await becomes(lab, 'eth0 default/good@net1');
  assert.equal(fakes.history(), ['ADD slow', 'DEL slow', 'ADD good']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('a daemon started after a crash in mid-attach comes to the same end', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  fakeNetworks(lab, fakes, { slow: HANGING });
  const call = await runningPod(lab);
  annotate(lab, 'slow');
  await until('the link is there', async () => (await names(lab)) === 'eth0 net1');
  await lab.endDaemon('SIGKILL');
  fakes.plugin('slow', LINK);
  await start(lab);
  await becomes(lab, 'eth0 default/slow@net1');
  assert.equal(fakes.history(), ['ADD slow', 'DEL slow', 'ADD slow']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A roll-out of the daemon would lose the edit, or make the network twice.
inLab('a daemon that takes over finishes what the one before had begun', async (lab) => {
  const fakes = new Fakes(lab);
  const gate = join(lab.directory, 'gate');
  await start(lab);
  fakeNetworks(lab, fakes, { slow: { ...LINK, ADD: `if [ ! -e ${gate} ]; then\n${HANGING.ADD}\nfi\n${LINK.ADD}` } });
  const call = await runningPod(lab);
  annotate(lab, 'slow');
  await until('it runs', () => fakes.has('ADD slow'));
  writeFileSync(gate, '');
  const before = Number(lab.daemonPid);
  await start(lab);
  await becomes(lab, 'eth0 default/slow@net1');
  assert.equal(fakes.history(), ['ADD slow', 'DEL slow', 'ADD slow']);
  annotate(lab, '');
  await becomes(lab, 'eth0');
  assert.is(fakes.history().length, 4, 'one daemon follows the pod, not two');
  process.kill(before); // it stands by
  await until('it has ended', () => !existsSync(`/proc/${before}`));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Pods that start would wait for networks that hang in pods that run.
inLab('what hangs in running pods holds up no ADD and no DEL, were there but one place for each', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab, { connectionLimit: 1 });
  fakeNetworks(lab, fakes, { slow: HANGING });
  const call = await runningPod(lab);
  annotate(lab, 'slow');
  await until('it runs', () => fakes.has('ADD slow'));
  await lab.addNetns('pod2');
  lab.manifest('pod2.yaml', lab.podManifest('pod2', ''));
  const other = { args: lab.podArgs('pod2'), container: 'c2', pod: 'pod2' };
  assertResult(await lab.cni('ADD', other), '1.0.0');
  assertSilent(await lab.cni('DEL', other));
  assert.equal(fakes.history(), ['ADD slow']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1', 'pod2');
});

// Nobody would come back to an edit that came while the runtime's ADD was under way.
inLab('an edit during the ADD counts once that has ended', async (lab) => {
  const fakes = new Fakes(lab);
  const gate = join(lab.directory, 'gate');
  const waiting = { ...LINK, ADD: `while [ ! -e ${gate} ]; do sleep 0.05; done\n${LINK.ADD}` };
  await start(lab);
  fakeNetworks(lab, fakes, { first: waiting, second: LINK });
  const adding = runningPod(lab, 'first');
  await until('it runs', () => fakes.has('ADD first'));
  annotate(lab, 'first, second');
  await until('the edit was seen', () => logLines(lab, 'its ADD never ended') > 0);
  writeFileSync(gate, '');
  const call = await adding;
  await becomes(lab, 'eth0 default/first@net1 default/second@net2');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// The containers of the pod have addresses of it, and the probes of the kubelet go there.
inLab('the default network and those that the node gives to every pod stay', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  fakeNetworks(lab, fakes, { main: LINK, extra: LINK, own: LINK, other: LINK });
  delete lab.config['delegates'];
  Object.assign(lab.config, { clusterNetwork: 'main', defaultNetworks: ['extra'], multusNamespace: 'default' });
  const call = await runningPod(lab, 'own');
  await becomes(lab, 'eth0 default/extra@net1 default/own@net2');
  annotate(lab, '', { 'v1.multus-cni.io/default-network': 'default/other' });
  await becomes(lab, 'eth0 default/extra@net1');
  await until('that is told', () => logLines(lab, '"DefaultNetworkKept"') === 1);
  assert.not.ok(fakes.has('ADD other'));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// On a TKE node every pod would be told that its annotation cannot be used, and lose its networks with the next edit.
inLab('networks by the annotation of the TKE fork stay; others come beside them', async (lab) => {
  const TKE = 'tke.cloud.tencent.com/networks';
  const fakes = new Fakes(lab);
  const confDir = join(lab.directory, 'tke');
  mkdirSync(confDir);
  for (const name of ['one', 'two'])
    writeFileSync(join(confDir, `${name}.conf`), JSON.stringify(fakes.plugin(name, LINK)));
  delete lab.config['delegates'];
  Object.assign(lab.config, { confDir, defaultDelegates: 'one', annotationPolicy: 'merge' });
  await start(lab, { annotationPolicy: 'merge' });
  fakeNetworks(lab, fakes, { extra: LINK });
  await lab.addNetns('pod1');
  annotate(lab, '', { [TKE]: 'one,two' });
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  annotate(lab, 'extra', { [TKE]: 'one,two' });
  await until('it is there', async () => (await names(lab)) === 'eth0 eth1 net2');
  annotate(lab, '', { [TKE]: 'one' });
  await until('it is gone', async () => (await names(lab)) === 'eth0 eth1');
  assert.is(logLines(lab, '"NetworksRejected"'), 0);
  assert.equal(fakes.history(), ['ADD one', 'ADD two', 'ADD extra', 'DEL extra']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod's author would get into the network of another tenant by an edit, where ADD refuses it.
inLab('namespaceIsolation counts for edits', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab, { namespaceIsolation: true });
  const secret = lab.nadManifest('secret', fakes.plugin('secret', LINK), 'other');
  const own = lab.nadManifest('own', fakes.plugin('own', LINK));
  lab.manifest('fakes.yaml', secret, own);
  const call = await runningPod(lab);
  annotate(lab, 'other/secret, own');
  await becomes(lab, 'eth0 default/own@net2');
  await until('that is told', () => logLines(lab, '"AttachFailed"') === 1);
  assert.match(lab.daemonLog, 'namespaceIsolation');
  assert.not.ok(fakes.has('ADD secret'));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Two that follow the same annotation would detach what the other one attaches, for ever.
inLab('another controller is refused, and told what to do', async (lab) => {
  const fakes = new Fakes(lab);
  await start(lab);
  fakeNetworks(lab, fakes, { good: LINK });
  const call = await runningPod(lab, 'good@hot0');
  const config = fakes.plugin('good', { ...LINK, CHECK: '', STATUS: '' });
  const before = [await lab.linkSummary('pod1'), journal(lab)];
  for (const command of ['ADD', 'DEL']) {
    for (const ifName of ['hot0', 'hot1']) {
      const reply = await delegate(lab, command, { config, ifName });
      assertRefused(
        reply,
        7,
        'follows the annotations of pods itself',
        'multus-dynamic-networks-controller',
        '"hotplug" to false',
      );
    }
  }
  assert.equal([await lab.linkSummary('pod1'), journal(lab)], before);
  assertDone(await delegate(lab, 'CHECK', { config }));
  assertDone(await delegate(lab, 'STATUS', { config }));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Networks that a controller had plugged in would stay for ever when the node goes over from it.
inLab('what a controller had plugged in is followed from then on', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  fakeNetworks(lab, fakes, { good: LINK, other: LINK });
  const call = await runningPod(lab);
  annotate(lab, 'good@hot0, other@hot1');
  assert.is((await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK) })).status, 200);
  assert.is((await delegate(lab, 'ADD', { config: fakes.plugin('unasked', LINK), ifName: 'hot2' })).status, 200);
  await lab.endDaemon();
  await start(lab);
  await becomes(lab, 'eth0 default/good@hot0 unasked@hot2 default/other@hot1');
  annotate(lab, 'other@hot1');
  await becomes(lab, 'eth0 unasked@hot2 default/other@hot1');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Nobody who has not asked for it gets it: pods' authors may rely on an edit without effect.
inLab('without "hotplug" an edit changes nothing', async (lab) => {
  await startNodeDaemon(lab);
  bridges(lab);
  const call = await runningPod(lab, 'a');
  annotate(lab, 'b');
  await lab.endDaemon();
  await start(lab, { hotplug: false });
  assert.not.match(lab.daemonLog, 'following the annotations');
  assert.is(await names(lab), 'eth0 net1');
  await lab.endDaemon();
  await start(lab, { manifestsDir: null });
  const note = '\\"hotplug\\" has no effect: the daemon has neither an API server nor';
  await until('that is told', () => lab.daemonLog.includes(note));
  await lab.endDaemon();
  await startNodeDaemon(lab, {}, '--hotplug');
  await becomes(lab, 'eth0 default/b@net1');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
  assert.not.ok(existsSync(join(lab.stateDir, 'c1')));
});

test.run();
