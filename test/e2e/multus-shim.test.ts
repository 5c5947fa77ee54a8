// timeout: 300s
/** Multus 4.3's own shim in front of our daemon: a node that moves to us has it until its file is replaced. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inLab } from '../lab/doors.ts';
import { EMPTY_RESULT, Fakes, fail } from '../lab/fakes.ts';
import { type CniCall, type CniReply, Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../lab/spec.ts';
import { goTool } from '../tools/go/build.mjs';

let shim = '';
test.before(async () => {
  shim = await goTool('multus-shim');
});

/** As the runtime runs it. */
const byMultus = (lab: Lab, command: string, call: CniCall = {}): Promise<CniReply> =>
  lab.cni(command, { wrapper: ['sh', '-c', `exec ${shim}`], ...call });

const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

for (const version of VERSIONS) {
  // It reads what the daemon answers as a result of 1.x, whatever the runtime asked for.
  inLab(`ADD and DEL in ${version} by Multus's shim: the runtime gets the addresses that the pod has`, async (lab) => {
    lab.config['cniVersion'] = version;
    await lab.startDaemon();
    await lab.addNetns('pod1');
    const added = await byMultus(lab, 'ADD');
    assertResult(added, version);
    const [eth0] = await lab.links('pod1');
    const told = version < '0.3.0' ? [added.json.ip4?.ip] : added.json.ips.map((ip: { address: string }) => ip.address);
    assert.equal(told, Lab.addresses(eth0));
    if (version >= '0.3.0') assert.ok(added.json.interfaces.some((one: { name: string }) => one.name === 'eth0'));
    assertSilent(await byMultus(lab, 'DEL'));
    await assertClean(lab, 'pod1');
  });
}

/** A pod that it attached, with further networks in its annotation. */
async function attached(lab: Lab, networks = 'lan@pod0'): Promise<CniCall> {
  lab.config['cniVersion'] = '1.1.0';
  await lab.startDaemon();
  await lab.addNetns('pod1');
  lab.manifest(
    'pod.yaml',
    lab.podManifest('pod1', networks),
    lab.nadManifest('lan', lab.bridge('lan', '10.99.0.0/24')),
  );
  const call = { args: lab.podArgs('pod1') };
  assertResult(await byMultus(lab, 'ADD', call), '1.1.0');
  return call;
}

// Until the shim's file is replaced, all that the runtime asks of the node goes through it.
inLab("CHECK, STATUS, GC and VERSION by Multus's shim", async (lab) => {
  const call = await attached(lab);
  assert.equal((await lab.links('pod1')).map(({ ifname }) => ifname).sort(), ['eth0', 'pod0']);
  assertSilent(await byMultus(lab, 'CHECK', call));
  assertSilent(await byMultus(lab, 'STATUS'));
  assert.equal((await byMultus(lab, 'VERSION')).json.supportedVersions, VERSIONS);
  const collect = (...valid: object[]): Promise<CniReply> =>
    byMultus(lab, 'GC', { config: JSON.stringify({ ...lab.config, 'cni.dev/valid-attachments': valid }) });
  assertSilent(await collect({ containerID: 'c1', ifname: 'eth0' }));
  assert.is((await lab.links('pod1')).length, 2, 'what is valid stays');
  assertSilent(await collect());
  await assertClean(lab, 'pod1');
});

// Whoever reads the pod's event must see what is wrong; the code is lost, as with Multus's own daemon.
inLab("errors reach the runtime through Multus's shim in our words", async (lab) => {
  const call = await attached(lab);
  const says = async (command: string, ...parts: string[]): Promise<void> => {
    const { code, json } = await byMultus(lab, command, call);
    assert.equal([code, json?.code], [1, 999]);
    for (const part of parts) assert.ok(json.msg.includes(part), `message must have ${part}: ${json.msg}`);
  };
  await says('ADD', 'CmdAdd (shim)', 'c1');
  await lab.exec('pod1', 'ip', 'addr', 'flush', 'dev', 'pod0');
  await says('CHECK', 'CmdCheck (shim)', 'default/lan', 'pod0');
  assertSilent(await byMultus(lab, 'DEL', call));
  lab.manifest('pod.yaml', lab.podManifest('pod1', 'nowhere'));
  await says('ADD', 'CmdAdd (shim)', 'Cannot find network "default/nowhere"');
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [
    { ...fakes.plugin('busy', { STATUS: fail(50, 'the switch is away') }), cniVersion: '1.1.0' },
  ];
  await says('STATUS', 'CmdStatus (shim)', 'the switch is away');
  await assertClean(lab, 'pod1');
});

// They need what the daemon's container has: a node that moves must know before it replaces the shim.
inLab("with Multus's shim plugins are children of the daemon, with the runtime's variables", async (lab) => {
  const fakes = new Fakes(lab);
  const seen = join(lab.directory, 'seen');
  lab.config['delegates'] = [fakes.plugin('one', { ADD: `echo $PPID >${seen}; env >>${seen}\n${EMPTY_RESULT}` })];
  await lab.startDaemon();
  await lab.addNetns('pod1');
  assertResult(await byMultus(lab, 'ADD', { args: 'IgnoreUnknown=1;A=b' }), '1.0.0');
  const [parent, ...env] = readFileSync(seen, 'utf8').split('\n');
  assert.is(parent, String(lab.daemonPid));
  for (const line of ['CNI_CONTAINERID=c1', 'CNI_ARGS=IgnoreUnknown=1;A=b', `CNI_NETNS=${lab.netns('pod1')}`]) {
    assert.ok(env.includes(line), `${line} is not in ${env.join(', ')}`);
  }
  assertSilent(await byMultus(lab, 'DEL'));
  await assertClean(lab, 'pod1');
});

// Multus's shim answers DEL with success when nobody listens: its pods' addresses would stay for ever.
inLab("a DEL that Multus's shim loses while no daemon runs is made up for by the next daemon", async (lab) => {
  const call = await attached(lab);
  await lab.endDaemon();
  assertSilent(await byMultus(lab, 'DEL', call));
  await lab.deleteNetns('pod1'); // as the runtime does after it
  assert.is(lab.reservations().length, 2, 'nothing was done');
  await lab.startDaemon('--reconcile-interval', '1');
  await until('the daemon has detached it', () => lab.stateFiles().length === 0);
  await assertClean(lab);
});

// The runtime gives up after a minute or two, and kills the shim.
inLab("an ADD whose shim of Multus's is killed is undone", async (lab) => {
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('slow', { ADD: 'sleep 1000' })];
  await lab.startDaemon();
  await lab.addNetns('pod1');
  let child: ChildProcess | undefined;
  const added = byMultus(lab, 'ADD', {
    onSpawn: (spawned) => {
      child = spawned;
    },
  });
  await until('the plugin runs', () => fakes.has('ADD slow'));
  child?.kill('SIGKILL');
  await added;
  await until('it is undone', () => fakes.has('DEL slow') && lab.stateFiles().length === 0);
  await assertClean(lab, 'pod1');
});

test.run();
