// timeout: 300s
// Networks that come to a running pod and go: POST /delegate, as Multus's dynamic networks controller uses it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeKubelet } from '../fakes/fake-kubelet.ts';
import {
  assertDone,
  assertPlugged,
  assertRefused,
  delegate,
  delegateBody,
  postDelegate,
  startNodeDaemon,
} from '../lab/controller.ts';
import { inLab } from '../lab/doors.ts';
import { claimLink, EMPTY_RESULT, Fakes, fail, makeLink, removeLink } from '../lab/fakes.ts';
import { ForeignPod } from '../lab/foreign.ts';
import { type CniCall, DIST, Lab, referencePlugins } from '../lab/lab.ts';
import { must, until } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** A plugin that makes a link, claims it, finds it again and removes it. */
const LINK = {
  ADD: `${makeLink()}\n${claimLink({})}`,
  CHECK: 'nsenter --net=$CNI_NETNS ip link show $CNI_IFNAME',
  DEL: `${removeLink()} || true`,
};

/** Pod default/pod1 with these networks in its annotation; its default network is the lab's ptp. */
async function runningPod(lab: Lab, networks: unknown = ''): Promise<CniCall> {
  await lab.addNetns('pod1');
  lab.manifest('pod.yaml', lab.podManifest('pod1', ''));
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  lab.manifest('pod.yaml', lab.podManifest('pod1', networks)); // what the controller waits for
  return call;
}

const names = async (lab: Lab): Promise<string[]> => (await lab.links('pod1')).map(({ ifname }) => ifname).sort();

const journal = (lab: Lab, container = 'c1'): string => readFileSync(join(lab.stateDir, container), 'utf8');

/** Interfaces in the status that lies beside the pod's manifest. */
function toldInterfaces(lab: Lab): string[] {
  const { metadata } = JSON.parse(readFileSync(join(lab.manifestsDir, 'status', 'default_pod1.json'), 'utf8'));
  const status: { interface: string }[] = JSON.parse(metadata.annotations['k8s.v1.cni.cncf.io/network-status']);
  return status.map((entry) => entry.interface);
}

/** "via 10.0.0.1 dev eth0" of each of the pod's default routes of a family. */
async function defaultRoutes(lab: Lab, family: 4 | 6 = 4): Promise<string[]> {
  const { stdout } = await lab.exec('pod1', 'ip', `-${family}`, '-j', 'route', 'show', 'default');
  const routes = JSON.parse(stdout) as { gateway: string; dev: string }[];
  return routes.map(({ gateway, dev }) => `via ${gateway} dev ${dev}`);
}

// Multus's weak point 14: what is plugged in is in no cache. Each such interface would keep its address for ever.
inLab("the pod's DEL detaches what was plugged in, and what is there is seen by everybody", async (lab) => {
  await startNodeDaemon(lab);
  const call = await runningPod(lab, 'hot@hot0');
  const result = assertPlugged(await delegate(lab, 'ADD', { config: lab.bridge('fast', '10.99.0.0/24') }));
  const inPod = result.interfaces.find(({ sandbox }: { sandbox?: string }) => sandbox === lab.netns('pod1'));
  assert.is(inPod?.name, 'hot0');
  const link = (await lab.links('pod1')).find(({ ifname }) => ifname === 'hot0');
  assert.equal(Lab.addresses(link), [result.ips[0].address]);
  assert.is(link?.address, inPod.mac);
  assert.equal(lab.reservations().length, 2);
  const ps = await must(process.execPath, join(DIST, 'multus-cli'), 'ps', '--cni-dir', lab.stateDir);
  assert.match(ps, /c1 +default\/pod1 +default\/hot +hot0 +attached/);
  assertSilent(await lab.cni('CHECK', call));
  await lab.exec('pod1', 'ip', 'link', 'del', 'hot0');
  assertError(await lab.cni('CHECK', call), 102, 'Network "default/hot"', 'interface "hot0"');
  assertSilent(await lab.cni('DEL', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// What is plugged in would be in the journal of another directory than the pod, and stay when the pod goes.
inLab(
  "a pod whose runtime's configuration names another cniDir is found, and takes along what was plugged in",
  async (lab) => {
    await startNodeDaemon(lab);
    lab.config['cniDir'] = join(lab.directory, 'other-state');
    const call = await runningPod(lab, 'hot@hot0');
    assertPlugged(await delegate(lab, 'ADD', { config: lab.bridge('fast', '10.99.0.0/24') }));
    assert.match(readFileSync(join(lab.directory, 'other-state', 'c1'), 'utf8'), '"ifName":"hot0"');
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  },
);

// The same when the daemon is gone by then: what it did not write down at once would be lost with it.
inLab('a daemon killed after a hot-plug is not needed for the DEL of the pod', async (lab) => {
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  assertPlugged(await delegate(lab, 'ADD', { config: lab.bridge('fast', '10.99.0.0/24') }));
  await lab.endDaemon('SIGKILL');
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod that runs would lose its networks because another one cannot be plugged in.
inLab('a plugin that fails is undone alone', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK) }));
  const before = [await lab.linkSummary('pod1'), journal(lab)];
  const bad = fakes.plugin('bad', { ...LINK, ADD: `${makeLink()}\n${fail(123, 'the switch is full')}` });
  const plugged = await delegate(lab, 'ADD', { config: bad, ifName: 'hot1' });
  assertRefused(plugged, 123, 'plugin "bad" of network "bad": the switch is full');
  assert.equal(fakes.history(), ['ADD good', 'ADD bad', 'DEL bad']);
  assert.equal([await lab.linkSummary('pod1'), journal(lab)], before);
  const lying = fakes.plugin('lying', { ...LINK, ADD: `${makeLink()}\n${claimLink({ mac: '02:00:00:00:00:99' })}` });
  assertRefused(await delegate(lab, 'ADD', { config: lying, ifName: 'hot1' }), 102, '02:00:00:00:00:99');
  assert.equal([await lab.linkSummary('pod1'), journal(lab)], before);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// What cannot be undone must be known, and must not take the pod's CHECK, its DEL or the interface name with it.
inLab('a plugin that fails its DEL as well stays in the journal, and is tried again', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const away = { ADD: fail(123, 'no such master'), DEL: fail(124, 'no such master') };
  assertRefused(await delegate(lab, 'ADD', { config: fakes.plugin('bad', away) }), 123, 'no such master');
  assert.match(journal(lab), '"state":"detaching"');
  assertSilent(await lab.cni('CHECK', call));
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK) }));
  assert.equal(fakes.history(), ['ADD bad', 'DEL bad', 'DEL bad', 'ADD good']);
  assert.not.match(journal(lab), '"state":"detaching"');

  fakes.plugin('good', { ...LINK, DEL: fail(125, 'the switch is away') });
  assertRefused(await delegate(lab, 'DEL', {}), 125, 'the switch is away');
  assertRefused(await delegate(lab, 'ADD', { config: fakes.plugin('other', LINK) }), 11, 'cannot be undone');
  assertSilent(await lab.cni('CHECK', call));
  fakes.plugin('good', LINK);
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('other', LINK) }));
  assert.equal(await names(lab), ['eth0', 'hot0']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Its networks would be undone with the ADD or the DEL that somebody is to end, or keep the container for ever.
inLab('nothing is plugged into a pod whose ADD or DEL has not ended', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab, {}, '--reconcile-interval', '3600');
  await lab.addNetns('pod1');
  lab.manifest('pod.yaml', lab.podManifest('pod1', ''));
  const call = { args: lab.podArgs('pod1') };
  const config = fakes.plugin('other', LINK);
  const half = { ADD: `${makeLink()}\n${claimLink({ mac: '02:00:00:00:00:99' })}`, DEL: fail(125, 'away') };
  lab.config['delegates'] = [fakes.plugin('main', half)];
  assertError(await lab.cni('ADD', call), 102);
  assertRefused(await delegate(lab, 'ADD', { config }), 11, 'container c1', 'its ADD never ended');
  fakes.plugin('main', LINK);
  assertSilent(await lab.cni('DEL', call));

  assertResult(await lab.cni('ADD', call), '1.0.0');
  fakes.plugin('main', { ...LINK, DEL: fail(125, 'away') });
  assertError(await lab.cni('DEL', call), 125);
  assertRefused(await delegate(lab, 'ADD', { config }), 11, 'container c1', 'it is being deleted');
  assert.not.ok(fakes.has('ADD other'));
  fakes.plugin('main', LINK);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// The DEL of a rollback would take the interface from whoever has it.
inLab('an interface name that is taken is refused, and nothing is touched', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const config = fakes.plugin('good', LINK);
  await lab.exec('pod1', 'ip', 'link', 'add', 'theirs', 'type', 'bridge');
  assertPlugged(await delegate(lab, 'ADD', { config }));
  const before = [await lab.linkSummary('pod1'), journal(lab)];
  for (const ifName of ['eth0', 'theirs', 'hot0']) {
    assertRefused(await delegate(lab, 'ADD', { config, ifName }), 104, `"${ifName}"`);
  }
  assert.equal(fakes.history(), ['ADD good']);
  assert.equal([await lab.linkSummary('pod1'), journal(lab)], before);
  await lab.exec('pod1', 'ip', 'link', 'del', 'theirs');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 17: isolation is absent here. A pod would plug itself into another tenant's network.
inLab('namespaceIsolation counts for what is plugged in', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab, { namespaceIsolation: true });
  const call = await runningPod(lab, 'other/secret@hot0, own@hot1, default/shared@hot2');
  const config = fakes.plugin('net', LINK);
  const refused = await delegate(lab, 'ADD', { config });
  assertRefused(refused, 7, '"other/secret"', 'pod of namespace "default"', '"namespaceIsolation"');
  const unnamed = await delegate(lab, 'ADD', { config, ifName: 'hot9' });
  assertRefused(unnamed, 7, 'network "net"', '"namespaceIsolation" is set', 'no entry', 'interface "hot9"');
  assert.equal(fakes.history(), []);
  // The controller undoes its failed tries; the plugin of a network that is not allowed must not even run for that.
  assertDone(await delegate(lab, 'DEL', { config }));
  assertDone(await delegate(lab, 'DEL', { config, ifName: 'hot9' }));
  assert.equal(fakes.history(), []);
  assertPlugged(await delegate(lab, 'ADD', { config, ifName: 'hot1' }));
  assertPlugged(await delegate(lab, 'ADD', { config, ifName: 'hot2' }));
  assert.match(journal(lab), '"network":"default/own"');
  assertDone(await delegate(lab, 'DEL', { config, ifName: 'hot1' }));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('allowedPlugins counts for what is plugged in', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab, { allowedPlugins: { default: ['good'], '*': [] } });
  const call = await runningPod(lab, 'a@hot0, other/b@hot1');
  const bad = fakes.plugin('bad', LINK);
  const good = fakes.plugin('good', LINK);
  assertRefused(await delegate(lab, 'ADD', { config: bad }), 7, '"default/a"', 'may not run plugin "bad"');
  assertRefused(await delegate(lab, 'ADD', { config: good, ifName: 'hot1' }), 7, 'namespace "other"', '"good"');
  assertRefused(await delegate(lab, 'ADD', { config: good, ifName: 'hot2' }), 7, '"allowedPlugins" is set');
  assertPlugged(await delegate(lab, 'ADD', { config: good }));
  await lab.exec('pod1', 'ip', 'link', 'add', 'hot1', 'type', 'bridge');
  // What is there and may not be touched must be told: success would say that it is gone.
  assertRefused(await delegate(lab, 'DEL', { config: good, ifName: 'hot1' }), 7, 'namespace "other"');
  await lab.exec('pod1', 'ip', 'link', 'del', 'hot1');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 14: the daemon's keys are laid over the delegate's. A plugin would speak another version, log
// elsewhere, or look for its own delegates in another folder.
inLab('a plugin gets exactly its configuration, and nothing of the daemon', async (lab) => {
  const fakes = new Fakes(lab);
  fakes.plugin('exact', LINK);
  const logFile = join(lab.directory, 'requests.log');
  const keys = { cniVersion: '0.4.0', logFile, logLevel: 'debug', namespaceIsolation: false, marker: 'daemon' };
  await startNodeDaemon(lab, keys);
  const call = await runningPod(lab);
  const config = `{ "cniVersion":"1.0.0","name":"exact",\n "type":"exact", "LogFile": "/own", "n":12345678901234567890, "x":[1e400] }`;
  assertPlugged(await delegate(lab, 'ADD', { config }));
  assertDone(await delegate(lab, 'CHECK', { config }));
  assertDone(await delegate(lab, 'DEL', { config: '{"cniVersion":"1.0.0","name":"other","type":"other"}' }));
  const [add, check, del] = fakes.executions();
  assert.is(add?.stdin, config);
  const head = config.slice(0, -' }'.length);
  assert.ok(check?.stdin.startsWith(`${head},"prevResult":{`), 'the configuration, and the result behind it');
  assert.is(del?.stdin, check?.stdin, 'DEL gets the bytes of ADD, not those of its own request');
  for (const { env } of fakes.executions()) {
    assert.is(env['CNI_CONTAINERID'], 'c1');
    assert.is(env['CNI_IFNAME'], 'hot0');
    assert.is(env['CNI_ARGS'], 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod1;K8S_POD_UID=uid-pod1');
    const others = Object.keys(env).filter((key) => !key.startsWith('CNI_') && key !== 'PATH' && key !== 'PWD');
    assert.equal(others, [], 'nothing of the environment of the daemon');
  }
  assert.ok(existsSync(logFile), 'the daemon logs where its own configuration says');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 14: it answers an error for every conflist, and believes what a conf says.
inLab('CHECK asks the kernel and every plugin of a list', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  fakes.plugin('first', LINK);
  fakes.plugin('second', { ADD: claimLink({}), DEL: '', CHECK: '[ ! -e /tmp/never ]' });
  const config = { cniVersion: '1.0.0', name: 'list', plugins: [{ type: 'first' }, { type: 'second' }] };
  assertRefused(await delegate(lab, 'CHECK', { config }), 3, 'interface "hot0"', 'container c1');
  assertPlugged(await delegate(lab, 'ADD', { config }));
  assertDone(await delegate(lab, 'CHECK', { config }));
  assert.equal(fakes.history(), ['ADD first', 'ADD second', 'CHECK first', 'CHECK second']);
  fakes.plugin('second', { ADD: claimLink({}), DEL: '', CHECK: fail(99, 'a rule is missing') });
  assertRefused(await delegate(lab, 'CHECK', { config }), 99, 'plugin "second"', 'a rule is missing');
  await lab.exec('pod1', 'ip', 'link', 'del', 'hot0');
  assertRefused(await delegate(lab, 'CHECK', { config }), 102, 'interface "hot0"');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// What is plugged into a pod that goes would be left behind.
inLab('nothing is plugged into a container whose DEL has begun', async (lab) => {
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('node', { ...LINK, DEL: fail(124, 'the switch is away') })];
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const config = fakes.plugin('good', LINK);
  assertError(await lab.cni('DEL', call), 124, 'the switch is away');
  assertRefused(await delegate(lab, 'ADD', { config }), 11, 'container c1: it is being deleted');
  assert.equal(fakes.history(), ['ADD node', 'DEL node']);
  fakes.plugin('node', LINK);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// The controller repeats itself, and undoes what failed.
inLab('DEL takes one interface from the pod, and is repeated without harm', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const config = lab.bridge('fast', '10.99.0.0/24');
  assertPlugged(await delegate(lab, 'ADD', { config }));
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK), ifName: 'hot1' }));
  assert.equal(toldInterfaces(lab), ['eth0', 'hot0', 'hot1']);
  for (let i = 0; i < 2; i++) {
    assertDone(await delegate(lab, 'DEL', { config }));
    assert.equal(await names(lab), ['eth0', 'hot1']);
    assert.equal(toldInterfaces(lab), ['eth0', 'hot1']);
    assert.equal(lab.reservations().length, 1);
    assertSilent(await lab.cni('CHECK', call));
  }
  const own = await delegate(lab, 'DEL', { config, ifName: 'eth0' });
  assertRefused(own, 4, 'interface "eth0"', 'default network "lab-default"');
  assert.equal(await names(lab), ['eth0', 'hot1']);
  assertPlugged(await delegate(lab, 'ADD', { config }));
  assertSilent(await lab.cni('DEL', call));
  assertDone(await delegate(lab, 'DEL', { config }));
  await assertClean(lab, 'pod1');
});

// A node moves to us with pods that run: what Multus plugged in is in no journal.
inLab('DEL of an interface that is in no journal runs the plugins that the request names', async (lab) => {
  const fakes = new Fakes(lab);
  const config = { ...fakes.plugin('good', LINK), some: 'thing' };
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  await lab.exec('pod1', 'ip', 'link', 'add', 'hot0', 'type', 'bridge');
  assertDone(await delegate(lab, 'DEL', { config }));
  assert.equal(await names(lab), ['eth0']);
  assert.is(fakes.executions()[0]?.stdin, JSON.stringify(config));
  assert.is(fakes.executions()[0]?.env['CNI_NETNS'], lab.netns('pod1'));
  assertDone(await delegate(lab, 'DEL', { config }));
  fakes.plugin('good', { DEL: fail(124, 'the switch is away') });
  assertRefused(await delegate(lab, 'DEL', { config }), 124, 'plugin "good" of network "good": the switch is away');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

/** A pod as Multus 4.3 left it: eth0 and net1, in its own files. */
async function multusPod(lab: Lab): Promise<CniCall> {
  await lab.addNetns('pod1');
  lab.manifest('pod.yaml', lab.podManifest('pod1', ''));
  const foreign = new ForeignPod(lab, 'multus-4.3.0-static');
  await foreign.attach();
  foreign.write();
  return { args: lab.podArgs('pod1') };
}

inLab('DEL of what Multus plugged in runs the plugins as Multus did, and leaves the rest to its files', async (lab) => {
  await startNodeDaemon(lab, { cniDir: lab.stateDir, binDir: referencePlugins() });
  const call = await multusPod(lab);
  const config = { cniVersion: '1.0.0', name: 'lan', type: 'bridge', bridge: 'other0' };
  assert.equal(lab.reservations().length, 2);
  assertDone(await delegate(lab, 'CHECK', { config, ifName: 'net1' }));
  assertRefused(await delegate(lab, 'DEL', { config, ifName: 'eth0' }), 4, 'default network "lab-default"');
  for (let i = 0; i < 2; i++) assertDone(await delegate(lab, 'DEL', { config, ifName: 'net1' }));
  assert.equal(await names(lab), ['eth0']);
  assert.equal(lab.reservations().length, 1, 'its address is free: the configuration was that of Multus');
  assert.equal(lab.stateFiles().sort(), ['results/lab-default-c1-eth0', 'state/c1']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('a network is plugged into a pod that Multus attached, and all of it goes with its DEL', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab, { cniDir: lab.stateDir });
  const call = await multusPod(lab);
  const before = lab.stateFiles();
  const env = { CNI_PATH: referencePlugins() };
  const taken = await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK), ifName: 'net1' });
  assertRefused(taken, 104, 'interface "net1"');
  assert.equal(lab.stateFiles(), before, 'what is refused changes nothing');
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK), env }));
  assert.equal(await names(lab), ['eth0', 'hot0', 'net1']);
  assert.equal(lab.stateFiles().length, 1, 'the record is ours now');
  assertSilent(await lab.cni('CHECK', call));
  assertDone(await delegate(lab, 'CHECK', { ifName: 'net1' }));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// And a pod of which nothing is known has no record: its interface would outlive it.
inLab('what is plugged into a container that we did not attach goes with its DEL', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab, { cniDir: lab.stateDir });
  await lab.addNetns('pod1');
  lab.manifest('pod.yaml', lab.podManifest('pod1', ''));
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('good', LINK) }));
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('more', LINK), ifName: 'hot1' }));
  assertDone(await delegate(lab, 'CHECK', {}));
  // Its default network is not in our journal: to say that all is well would be a guess.
  assertError(await lab.cni('CHECK'), 3, 'c1');
  assertDone(await delegate(lab, 'DEL', { ifName: 'hot1' }));
  assertSilent(await lab.cni('DEL'));
  assert.equal(fakes.history().slice(-2), ['DEL more', 'DEL good']);
  await assertClean(lab, 'pod1');
});

// Multus's weak point 14: without it, traffic of the pod goes on by the wrong network; with it and without a way back,
// the pod is cut off once the network leaves.
inLab('default-route moves to the network that is plugged in, and back when it leaves', async (lab) => {
  await startNodeDaemon(lab);
  const call = await runningPod(lab, [{ name: 'hot', interface: 'hot0', 'default-route': ['10.99.0.1'] }]);
  const config = { ...lab.bridge('fast', '10.99.0.0/24'), isGateway: true };
  assert.equal(await defaultRoutes(lab), ['via 10.210.0.1 dev eth0']);
  assertPlugged(await delegate(lab, 'ADD', { config }));
  assert.equal(await defaultRoutes(lab), ['via 10.99.0.1 dev hot0']);
  assertSilent(await lab.cni('CHECK', call));
  assertPlugged(await delegate(lab, 'ADD', { config: lab.bridge('plain', '10.98.0.0/24'), ifName: 'hot1' }));
  assert.equal(await defaultRoutes(lab), ['via 10.99.0.1 dev hot0']);
  assertDone(await delegate(lab, 'DEL', { config }));
  assert.equal(await defaultRoutes(lab), ['via 10.210.0.1 dev eth0']);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A network that brings a default route without being asked for one would take the pod's traffic.
inLab('a network that is plugged in for its subnet alone leaves the default route where it is', async (lab) => {
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const ipam = lab.hostLocal('10.99.0.0/24', { routes: [{ dst: '0.0.0.0/0' }] });
  assertPlugged(await delegate(lab, 'ADD', { config: { ...lab.bridge('fast', ''), isGateway: true, ipam } }));
  assert.equal(await defaultRoutes(lab), ['via 10.210.0.1 dev eth0', 'via 10.99.0.1 dev hot0']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('a gateway that cannot be reached undoes the hot-plug, and the pod keeps its default route', async (lab) => {
  await startNodeDaemon(lab);
  const call = await runningPod(lab, [{ name: 'hot', interface: 'hot0', 'default-route': ['192.0.2.1'] }]);
  const plugged = await delegate(lab, 'ADD', { config: lab.bridge('fast', '10.99.0.0/24') });
  assertRefused(plugged, 102, 'default route via 192.0.2.1 on interface "hot0"');
  assert.equal(await defaultRoutes(lab), ['via 10.210.0.1 dev eth0']);
  assert.equal(await names(lab), ['eth0']);
  assert.equal(lab.reservations().length, 1);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// A pod would get an address or a MAC that nobody asked for, or lose its port mappings.
inLab("the pod's annotation says what is asked of a network, the request's own words count before it", async (lab) => {
  const fakes = new Fakes(lab);
  const capabilities = { ips: true, mac: true, portMappings: true };
  const config = { ...fakes.plugin('good', { ...LINK, ADD: EMPTY_RESULT, DEL: '' }), capabilities };
  await startNodeDaemon(lab);
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
  const asked = { ips: ['10.99.0.5/24'], mac: '02:00:00:00:00:05', 'cni-args': { big: 1, kept: 2 } };
  const call = await runningPod(lab, [{ name: 'hot', interface: 'hot0', portMappings, ...asked }]);
  assertPlugged(await delegate(lab, 'ADD', { config }));
  const attributes = { ips: ['10.99.0.6/24'], mac: '02-00-00-00-00-06', 'cni-args': { big: 12345678901234567000 } };
  const body = delegateBody(lab, 'ADD', { config, attributes, ifName: 'hot1' }).replace(
    '678901234567000',
    '678901234567891',
  );
  assertPlugged(await postDelegate(lab, body));
  const [first, second] = fakes.executions();
  const { args, runtimeConfig } = JSON.parse(first?.stdin ?? '');
  assert.equal(runtimeConfig, { portMappings, ips: asked.ips, mac: asked.mac });
  assert.equal(args, { cni: asked['cni-args'] });
  assert.match(second?.stdin ?? '', '"args":{"cni":{"big":12345678901234567891}}');
  assert.equal(JSON.parse(second?.stdin ?? '').runtimeConfig, { ips: ['10.99.0.6/24'], mac: '02:00:00:00:00:06' });
  assert.match(second?.env['CNI_ARGS'] ?? '', 'MAC=02:00:00:00:00:06;IP=10.99.0.6/24');
  const mac = { mac: '02:00:00:00:00:06' };
  const other = await delegate(lab, 'ADD', { config: fakes.plugin('plain', LINK), ifName: 'hot2', attributes: mac });
  assertRefused(other, 7, 'Cannot give network "plain"', '"capabilities": {"mac": true}');
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 14: no device is looked up. An SR-IOV network could not be plugged in at all, or took a VF that
// another network of the pod has.
inLab('a network that needs a device gets one of the pod that is free, and gives it back', async (lab) => {
  const resource = 'intel.com/sriov';
  const kubeletDir = join(lab.directory, 'kubelet');
  lab.config['kubeletDir'] = kubeletDir;
  const kubelet = await FakeKubelet.start(kubeletDir);
  const containers = [{ devices: [[resource, ['0000:3b:02.1', '0000:3b:02.2']]] as [string, string[]][] }];
  kubelet.pods = [{ namespace: 'default', name: 'pod1', containers }];
  try {
    const fakes = new Fakes(lab);
    const config = fakes.plugin('vf', LINK);
    const definition = lab.nadManifest('vf', config) as { metadata: object };
    const annotations = { 'k8s.v1.cni.cncf.io/resourceName': resource };
    lab.manifest('nad.yaml', { ...definition, metadata: { ...definition.metadata, annotations } });
    lab.manifest('pod.yaml', lab.podManifest('pod1', 'vf@vf0'));
    await lab.addNetns('pod1');
    const call = { args: lab.podArgs('pod1') };
    await startNodeDaemon(lab, { kubeletDir, deviceInfoDir: join(lab.directory, 'devinfo') });
    assertResult(await lab.cni('ADD', call), '1.0.0');
    lab.manifest('pod.yaml', lab.podManifest('pod1', 'vf@vf0, vf@hot0, vf@hot1'));
    const device = () => JSON.parse(fakes.executions().at(-1)?.stdin ?? '').deviceID;
    assert.is(device(), '0000:3b:02.1');
    assertPlugged(await delegate(lab, 'ADD', { config }));
    assert.is(device(), '0000:3b:02.2');
    const third = await delegate(lab, 'ADD', { config, ifName: 'hot1' });
    assertRefused(third, 7, '"default/vf"', `resource "${resource}"`, 'has 2, taken by');
    assertDone(await delegate(lab, 'DEL', { config }));
    assert.is(device(), '0000:3b:02.2', 'DEL is told which device it was');
    assertPlugged(await delegate(lab, 'ADD', { config, ifName: 'hot1' }));
    assert.is(device(), '0000:3b:02.2');
    const other = await delegate(lab, 'ADD', { config, container: 'c9' });
    assertRefused(other, 7, 'container c9 was not attached by us');
    assertSilent(await lab.cni('DEL', call));
    await assertClean(lab, 'pod1');
  } finally {
    await kubelet.stop();
  }
});

// Unknown is not none: a pod of which nothing is known might be refused what it asks for, or given what is not its own.
inLab('a pod that is not known, or is another one, is to be tried again', async (lab) => {
  const fakes = new Fakes(lab);
  const config = fakes.plugin('good', LINK);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const named = (name: string, uid = '') => ({
    CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name};K8S_POD_UID=${uid}`,
  });
  assertRefused(
    await delegate(lab, 'ADD', { config, env: named('absent'), container: 'c9' }),
    11,
    'pod default/absent',
  );
  lab.manifest('pod2.yaml', { kind: 'Pod', metadata: { name: 'pod2', uid: 'u-1' } });
  assertRefused(await delegate(lab, 'ADD', { config, env: named('pod2', 'u-2'), container: 'c9' }), 11, 'UID u-2');
  const foreign = await delegate(lab, 'ADD', { config, env: named('pod2', 'u-1') });
  assertRefused(foreign, 4, 'pod default/pod2', 'container of pod default/pod1');
  await lab.addNetns('pod2');
  const elsewhere = await delegate(lab, 'ADD', { config, env: { CNI_NETNS: lab.netns('pod2') } });
  assertRefused(elsewhere, 8, 'container c1 was attached in another network namespace');
  assert.equal(fakes.history(), []);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1', 'pod2');
});

// Who writes a controller must see what is wrong.
inLab('a wrong request is refused by the name of its field', async (lab) => {
  const fakes = new Fakes(lab);
  const config = fakes.plugin('good', LINK);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  const env = (changes: Record<string, string | undefined>) => ({ config, env: changes });
  const cases: [string, Parameters<typeof delegate>[2], number, string[]][] = [
    ['', { config }, 4, ['CNI_COMMAND is not set, it must be one of ADD, DEL, CHECK, STATUS']],
    ['GC', { config }, 4, ['CNI_COMMAND "GC" is unknown']],
    ['ADD', env({ CNI_CONTAINERID: undefined, CNI_NETNS: '' }), 4, ['ADD needs CNI_CONTAINERID, CNI_NETNS']],
    ['ADD', env({ CNI_CONTAINERID: '../c1' }), 4, ['CNI_CONTAINERID "../c1"']],
    ['ADD', env({ CNI_NETNS: 'pod1' }), 4, ['CNI_NETNS "pod1" is relative']],
    ['ADD', env({ CNI_NETNS: '/proc/self/ns/net' }), 8, ['/proc/self/ns/net', "host's network namespace"]],
    ['ADD', env({ CNI_IFNAME: 'a/b' }), 4, ['CNI_IFNAME "a/b"']],
    ['DEL', env({ CNI_IFNAME: undefined }), 4, ['DEL needs CNI_IFNAME']],
    ['ADD', env({ CNI_ARGS: 'K8S_POD_NAME' }), 4, ['CNI_ARGS', '"K8S_POD_NAME" has no "="']],
    ['ADD', env({ CNI_ARGS: 'K8S_POD_NAME=pod1' }), 4, ['CNI_ARGS must have both K8S_POD_NAMESPACE and K8S_POD_NAME']],
    ['ADD', { config: '' }, 6, ['key "config" of the request']],
    ['ADD', { config: '{"type":"good"' }, 6, ['key "config" of the request', 'line 1']],
    ['ADD', { config: '{"type":"good"}' }, 7, ['key "config" of the request', '"name" is missing']],
    ['ADD', { config: '{"name":"x"}' }, 7, ['key "config" of the request', 'neither "type" nor "plugins"']],
    ['ADD', { config: '{"name":"x","type":"multus"}' }, 7, ['plugin "multus" is the one that attaches it']],
    ['ADD', { config: { ...config, cniVersion: '9.0.0' } }, 1, ['"9.0.0"']],
    ['ADD', { config, attributes: [] }, 7, ['"interfaceAttributes" must be an object']],
    ['ADD', { config, attributes: { ips: ['10.0.0'] } }, 7, ['field "ips" of "interfaceAttributes"', '"10.0.0"']],
    ['ADD', { config, attributes: { mac: 'x' } }, 7, ['field "mac" of "interfaceAttributes"', '"x"']],
    ['ADD', { config, attributes: { 'cni-args': 5 } }, 7, ['field "cni-args" of "interfaceAttributes"']],
  ];
  for (const [command, one, code, parts] of cases) assertRefused(await delegate(lab, command, one), code, ...parts);
  const bodies: [string, string][] = [
    ['', 'it is not JSON'],
    ['{"env":[]}', '"env" must be an object of strings'],
    ['{"env":{"CNI_COMMAND":5}}', '"env" must be an object of strings'],
    ['{"env":{},"config":"%"}', '"config" must be a base64 string'],
  ];
  for (const [body, part] of bodies) assertRefused(await postDelegate(lab, body), 6, part);
  assert.is((await postDelegate(lab, '', { method: 'GET' })).status, 405);
  assert.equal(fakes.history(), []);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('STATUS is the answer of the network that the request names', async (lab) => {
  const fakes = new Fakes(lab);
  const config = { ...fakes.plugin('good', { STATUS: '' }), cniVersion: '1.1.0' };
  await startNodeDaemon(lab);
  assertDone(await delegate(lab, 'STATUS', { config }));
  assert.is(fakes.executions()[0]?.stdin, JSON.stringify(config));
  fakes.plugin('good', { STATUS: fail(50, 'no uplink') });
  assertRefused(await delegate(lab, 'STATUS', { config }), 50, 'plugin "good" of network "good": no uplink');
  assertDone(await delegate(lab, 'STATUS', { config: { ...config, cniVersion: '1.0.0' } }));
});

/** A plugin whose ADD waits, for ever; its link is there by then. */
const HANGING = { ...LINK, ADD: `${makeLink()}\nexec sleep 1000` };

// A pod that is deleted must not wait for a network that hangs, and must not leave it behind.
inLab("the pod's DEL ends a hot-plug that is under way, and so does a controller that goes away", async (lab) => {
  const fakes = new Fakes(lab);
  const config = fakes.plugin('slow', HANGING);
  await startNodeDaemon(lab);
  const call = await runningPod(lab);
  let hangUp = (): void => undefined;
  const lost = delegate(lab, 'ADD', {
    config,
    onSent: (end) => {
      hangUp = end;
    },
  }).catch((error: Error) => error);
  await until('the plugin runs', () => fakes.has('ADD slow'));
  hangUp();
  assert.instance(await lost, Error);
  await until('it is undone', () => fakes.has('DEL slow') && !journal(lab).includes('"hot0"'));
  assert.equal(await names(lab), ['eth0']);
  assertSilent(await lab.cni('CHECK', call));

  const plugging = delegate(lab, 'ADD', { config });
  await until('it runs again', () => fakes.history().length === 3);
  assertSilent(await lab.cni('DEL', call));
  assertRefused(await plugging, 106, 'a DEL of container c1 arrived');
  await assertClean(lab, 'pod1');
});

// The daemon may be killed at any time. What it had begun would stay in the pod, or the whole pod be taken for begun.
inLab('a daemon started after a crash in mid-hot-plug undoes that, and nothing else of the pod', async (lab) => {
  const fakes = new Fakes(lab);
  const config = fakes.plugin('slow', HANGING);
  await startNodeDaemon(lab);
  const call = await runningPod(lab, [{ name: 'hot', interface: 'hot0', 'default-route': ['10.99.0.1'] }]);
  const before = await lab.linkSummary('pod1');
  const lost = delegate(lab, 'ADD', { config }).catch((error: Error) => error);
  await until('the link is there', async () => (await names(lab)).includes('hot0'));
  await lab.endDaemon('SIGKILL');
  assert.instance(await lost, Error);
  assertSilent(await lab.cni('CHECK', call));
  await startNodeDaemon(lab, {}, '--reconcile-interval', '1');
  await until('it is undone', () => !journal(lab).includes('"hot0"'));
  assert.equal(fakes.history(), ['ADD slow', 'DEL slow']);
  assert.equal(await lab.linkSummary('pod1'), before);
  assert.equal(await defaultRoutes(lab), ['via 10.210.0.1 dev eth0']);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// The same on the way out: the pod would be said to have what is gone, or half of it.
inLab('a daemon started after a crash in mid-DEL finishes it', async (lab) => {
  const fakes = new Fakes(lab);
  await startNodeDaemon(lab);
  const call = await runningPod(lab, [{ name: 'hot', interface: 'hot0', 'default-route': ['10.99.0.1'] }]);
  const slow = { DEL: `${LINK.DEL}\nexec sleep 1000` };
  const ADD = `${makeLink({ address: '10.99.0.2/24' })}\n${claimLink({ address: '10.99.0.2/24' })}`;
  assertPlugged(await delegate(lab, 'ADD', { config: fakes.plugin('slow', { ADD, ...slow }) }));
  assert.equal(await defaultRoutes(lab), ['via 10.99.0.1 dev hot0']);
  const lost = delegate(lab, 'DEL', {}).catch((error: Error) => error);
  await until('the link is gone', async () => !(await names(lab)).includes('hot0'));
  await lab.endDaemon('SIGKILL');
  assert.instance(await lost, Error);
  assertSilent(await lab.cni('CHECK', call));
  fakes.plugin('slow', LINK);
  await startNodeDaemon(lab, {}, '--reconcile-interval', '1');
  await until('it is finished', () => !journal(lab).includes('"hot0"'));
  assert.equal(fakes.history(), ['ADD slow', 'DEL slow', 'DEL slow']);
  assert.equal(await defaultRoutes(lab), ['via 10.210.0.1 dev eth0']);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

test.run();
