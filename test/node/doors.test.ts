// timeout: 300s
// Two doors, one node: the daemon may be there, be killed, hang, come back, and no pod may notice; whoever ends an
// operation, nothing of it goes on.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor, inLab } from '../lab/doors.ts';
import { Fakes } from '../lab/fakes.ts';
import { assertFourLinks, makeFourNetworks, makePod } from '../lab/four-networks.ts';
import type { CniCall, Lab } from '../lab/lab.ts';
import { post } from '../lab/post.ts';
import { must, until } from '../lab/process.ts';
import { SlowPod, start } from '../lab/slow-pod.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** Attach the pod of four networks. */
async function addFour(lab: Lab): Promise<CniCall> {
  await makeFourNetworks(lab);
  const pod = await makePod(lab, 1);
  const call = { args: lab.podArgs(pod.name) };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  await assertFourLinks(lab, pod);
  return call;
}

// Pods that live could not be deleted after the daemon was upgraded, evicted or out of memory.
inLab('a daemon killed after ADD is not needed for CHECK and DEL', async (lab) => {
  await lab.startDaemon();
  const call = await addFour(lab);
  await lab.endDaemon('SIGKILL');
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('a daemon killed after ADD and started again knows what there is', async (lab) => {
  await lab.startDaemon();
  const call = await addFour(lab);
  const before = await lab.linkSummary('pod1');
  await lab.endDaemon('SIGKILL');
  await lab.startDaemon();
  assertError(await lab.cni('ADD', call), 104, 'c1');
  assert.equal(await lab.linkSummary('pod1'), before);
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

inLab('the daemon takes over what was attached without it, and the other way round', async (lab) => {
  const call = await addFour(lab);
  await lab.startDaemon();
  assertSilent(await lab.cni('CHECK', call));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
  assertResult(await lab.cni('ADD', call), '1.0.0');
  await lab.endDaemon();
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Pods could not start while the daemon hangs; and when it goes on, it would undo what was done without it.
inLab('a daemon that hangs is passed by, and does no harm when it goes on', async (lab) => {
  await lab.startDaemon();
  const daemon = lab.daemonPid ?? 0;
  process.kill(daemon, 'SIGSTOP');
  const impatient = { env: { MULTUS_SHIM_TIMEOUT_MS: '300' } };
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD', impatient), '1.0.0');
  assertSilent(await lab.cni('DEL', impatient));
  assertResult(await lab.cni('ADD', impatient), '1.0.0');
  const before = [await lab.linkSummary('pod1'), journalOf(lab)];
  process.kill(daemon, 'SIGCONT');
  // It finds the requests of shims that have left it.
  const answered = (): number => lab.daemonLog.match(/"msg":"(ADD|DEL) (failed|succeeded)"/g)?.length ?? 0;
  await until('it has looked at all of them', () => answered() === 3);
  assert.equal([await lab.linkSummary('pod1'), journalOf(lab)], before);
  assertSilent(await lab.cni('CHECK'));
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

function journalOf(lab: Lab): string {
  return readFileSync(join(lab.stateDir, 'c1'), 'utf8');
}

inLab('a daemon killed in mid-ADD is replaced: what it began is undone, and the pod attached', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  await lab.endDaemon('SIGKILL');
  await until('it begins anew', () => pod.count('ADD slow') === 2);
  pod.release();
  assertResult(await adding.reply, '1.0.0');
  const once = ['ADD one', 'ADD slow'];
  assert.equal(pod.fakes.history(), [...once, 'DEL slow', 'DEL one', ...once]);
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

inLab('a daemon that falls asleep in mid-ADD undoes its part when it wakes, and the pod is attached', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const daemon = lab.daemonPid ?? 0;
  const adding = await pod.add({ env: { MULTUS_SHIM_TIMEOUT_MS: '2500' } }); // it hears from the daemon every second
  process.kill(daemon, 'SIGSTOP');
  const slow = pod.pid;
  await until('the shim has ended the delegate', () => !existsSync(`/proc/${slow}`));
  process.kill(daemon, 'SIGCONT');
  await until('it begins anew', () => pod.count('ADD slow') === 2);
  pod.release();
  assertResult(await adding.reply, '1.0.0');
  const once = ['ADD one', 'ADD slow'];
  assert.equal(pod.fakes.history(), [...once, 'DEL slow', 'DEL one', ...once]);
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

inLab('a daemon that is told to end lets an ADD finish', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  const ending = lab.endDaemon('SIGTERM');
  await until('it stops', () => lab.daemonLog.includes('"msg":"stopping"'));
  pod.release();
  assertResult(await adding.reply, '1.0.0');
  await ending;
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow']);
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

// A node without daemon and without standalone program must say what is missing.
inLab('a shim that is alone says what it needs', async (lab) => {
  await lab.addNetns('pod1');
  const alone = join(lab.directory, 'alone');
  copyFileSync(lab.shim, alone);
  const reply = await lab.cni('ADD', { wrapper: ['sh', '-c', 'exec "$0"', alone] });
  assertError(reply, 11, lab.socketPath, join(lab.directory, 'multus-standalone'), 'No such file or directory');
});

/** A cgroup for one shim; undefined where none can be made. */
function makeCgroup(id: string): string | undefined {
  for (const root of ['/sys/fs/cgroup/unified', '/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
    if (!existsSync(join(root, 'cgroup.procs'))) continue;
    try {
      mkdirSync(join(root, id));
      return join(root, id);
    } catch {
      // read-only, or not ours
    }
  }
  return undefined;
}

// The memory of a plugin would count as the daemon's, and the plugin be unseen among the runtime's processes.
eachDoor('a delegate is a child of the shim, in the cgroup of the shim', async (lab) => {
  const pod = await SlowPod.create(lab);
  const cgroup = makeCgroup(lab.id);
  try {
    const wrapper = cgroup === undefined ? [] : ['sh', '-c', `echo $$ > ${cgroup}/cgroup.procs; exec "$0"`];
    const adding = await pod.add({ wrapper });
    assert.is(Number(await must('ps', '-o', 'ppid=', '-p', String(pod.pid))), adding.pid);
    const cgroupOf = (pid: number | string): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    assert.is(cgroupOf(pod.pid), cgroupOf(adding.pid));
    if (cgroup !== undefined) assert.not.equal(cgroupOf(pod.pid), cgroupOf('self'));
    pod.release();
    assertResult(await adding.reply, '1.0.0');
    assertSilent(await lab.cni('DEL'));
    await assertClean(lab, 'pod1');
  } finally {
    if (cgroup !== undefined) rmdirSync(cgroup);
  }
});

// A runtime that gives up would leave plugins at work on a pod that it deletes, and what they did.
inLab(
  'a shim that is killed in mid-ADD takes its delegate and that one’s children along; the daemon undoes',
  async (lab) => {
    await lab.startDaemon();
    const pod = await SlowPod.create(lab, 'sleep 1000 & (sleep 1000 &)');
    const adding = await pod.add();
    process.kill(adding.pid, 'SIGKILL');
    await adding.reply;
    await until('the daemon has undone it', () => pod.fakes.has('DEL one'));
    assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
    await until('the journal is empty', () => lab.stateFiles().length === 0);
    await assertClean(lab, 'pod1');
  },
);

inLab('a standalone program that is killed in mid-ADD leaves what DEL undoes', async (lab) => {
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  process.kill(adding.pid, 'SIGKILL');
  await adding.reply;
  assertSilent(await lab.cni('DEL'));
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await assertClean(lab, 'pod1');
});

eachDoor('an ADD that the runtime ends by a signal undoes itself', async (lab) => {
  const pod = await SlowPod.create(lab, 'sleep 1000 &');
  const adding = await pod.add();
  process.kill(adding.pid, 'SIGTERM');
  assert.not.equal((await adding.reply).code, 0);
  await until('it is undone', () => pod.fakes.has('DEL one') && lab.stateFiles().length === 0);
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await assertClean(lab, 'pod1');
});

// A pod deleted while it starts would have to wait for its plugins, for minutes.
eachDoor('a DEL ends the ADD of its container', async (lab) => {
  const pod = await SlowPod.create(lab, 'sleep 1000 &');
  const adding = await pod.add();
  assertSilent(await lab.cni('DEL'));
  assertError(await adding.reply, 106, 'a DEL of container c1');
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await assertClean(lab, 'pod1');
});

inLab('a DEL ends all ADDs of its container, also those that wait', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const first = await pod.add();
  const second = await start(lab, 'ADD');
  await until('the daemon has both', () => lab.daemonLog.match(/"msg":"ADD received"/g)?.length === 2);
  assertSilent(await lab.cni('DEL'));
  assertError(await first.reply, 106, 'a DEL of container c1');
  assertError(await second.reply, 106, 'a DEL of container c1');
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await assertClean(lab, 'pod1');
});

inLab('a DEL through the daemon ends an ADD of a standalone program', async (lab) => {
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  await lab.startDaemon();
  assertSilent(await lab.cni('DEL'));
  assertError(await adding.reply, 106, 'a DEL of container c1');
  await assertClean(lab, 'pod1');
});

inLab('a DEL of a standalone program ends an ADD through the daemon', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab, 'sleep 1000 &');
  const adding = await pod.add();
  const elsewhere = JSON.stringify({ ...lab.config, daemonSocketDir: join(lab.directory, 'nobody') });
  assertSilent(await lab.cni('DEL', { config: elsewhere }));
  assertError(await adding.reply, 106, 'a DEL of container c1');
  await assertClean(lab, 'pod1');
});

// One slow network would keep all pods of the node from starting.
eachDoor('ADDs of different containers run at the same time', async (lab) => {
  const pod = await SlowPod.create(lab);
  await lab.addNetns('pod2');
  const first = await pod.add();
  const second = await pod.add({ container: 'c2', pod: 'pod2' });
  assert.not.ok(first.ended);
  pod.release();
  assertResult(await first.reply, '1.0.0');
  assertResult(await second.reply, '1.0.0');
  assertSilent(await lab.cni('DEL'));
  assertSilent(await lab.cni('DEL', { container: 'c2', pod: 'pod2' }));
  await assertClean(lab, 'pod1', 'pod2');
});

// The spec forbids two operations on one container; plugins rely on it.
eachDoor('a second ADD of a container waits for the first one, and is refused then', async (lab) => {
  const pod = await SlowPod.create(lab);
  const first = await pod.add();
  const second = await start(lab, 'ADD');
  pod.release();
  assertResult(await first.reply, '1.0.0');
  assertError(await second.reply, 104, 'c1');
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow']);
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

// Traces would end here; and delegates would act on what is not meant for them.
eachDoor('delegates get the trace context and the environment of the runtime, and nothing of ours', async (lab) => {
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('one')];
  await lab.addNetns('pod1');
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const env = {
    TRACEPARENT: traceparent,
    HTTPS_PROXY: 'http://proxy',
    MULTUS_LOG_LEVEL: 'error',
    MULTUS_SHIM_TIMEOUT_MS: '9000',
    CNI_NETNS_OVERRIDE: '1',
    CNI_SOMETHING: 'else',
  };
  const args = 'IgnoreUnknown=1;K=V';
  for (const command of ['ADD', 'CHECK', 'DEL']) {
    assert.is((await lab.cni(command, { env, args })).code, 0);
    const execution = fakes.executions().at(-1) ?? assert.unreachable('not run');
    const { PATH, PWD, ...got } = { ...(execution as { env: Record<string, string> }).env };
    assert.ok(PATH);
    assert.equal(got, {
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: lab.netns('pod1'),
      CNI_IFNAME: 'eth0',
      CNI_ARGS: args,
      CNI_PATH: `${lab.binDir}:/usr/lib/cni`,
      TRACEPARENT: traceparent,
      HTTPS_PROXY: 'http://proxy',
    });
  }
});

function cniEnv(lab: Lab, command: string): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: lab.netns('pod1'),
    CNI_IFNAME: 'eth0',
    CNI_PATH: `${lab.binDir}:/usr/lib/cni`,
  };
}

// A node that moves to us still has the other shim, until it is replaced.
inLab('a shim of Multus is served, its delegates run by the daemon', async (lab) => {
  await lab.startDaemon();
  await lab.addNetns('pod1');
  const added = await post(lab, cniEnv(lab, 'ADD'));
  assert.is(added.status, 200, added.body);
  assert.is(JSON.parse(added.body).Result.interfaces.at(-1).name, 'eth0');
  assert.equal(
    (await lab.links('pod1')).map(({ ifname }) => ifname),
    ['eth0'],
  );
  assert.equal(await post(lab, cniEnv(lab, 'CHECK')), { status: 200, body: '' });
  const again = await post(lab, cniEnv(lab, 'ADD'));
  assert.is(again.status, 400);
  assert.is(JSON.parse(again.body).code, 104);
  assert.equal(await post(lab, cniEnv(lab, 'DEL')), { status: 200, body: '' });
  await assertClean(lab, 'pod1');
});

inLab('a shim of Multus that goes away in mid-ADD is undone', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab, 'sleep 1000 &');
  let hangUp = (): void => undefined;
  const reply = post(lab, cniEnv(lab, 'ADD'), (end) => {
    hangUp = end;
  }).catch((error: Error) => error);
  await until('the slow delegate runs', () => pod.fakes.has('ADD slow'));
  hangUp();
  assert.instance(await reply, Error);
  await until('it is undone', () => pod.fakes.has('DEL one') && lab.stateFiles().length === 0);
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await assertClean(lab, 'pod1');
});

// A crash of the node's whole runtime would leave addresses and interfaces that nobody asks to be removed.
inLab('a daemon started after a crash in mid-ADD undoes what was begun', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  process.kill(adding.pid, 'SIGSTOP'); // or it would hand over to the standalone program
  await lab.endDaemon('SIGKILL');
  process.kill(adding.pid, 'SIGKILL');
  await adding.reply;
  assert.not.equal(lab.stateFiles(), []);
  await lab.startDaemon('--reconcile-interval', '1');
  await until('it is undone', () => lab.stateFiles().length === 0);
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await assertClean(lab, 'pod1');
});

// containerd never calls GC: a pod that vanished without DEL would keep its addresses for ever.
inLab('the daemon detaches a pod whose namespace vanished, and no other', async (lab) => {
  await lab.startDaemon('--reconcile-interval', '1');
  await lab.addNetns('pod1');
  await lab.addNetns('pod2');
  assertResult(await lab.cni('ADD', { container: 'c1', pod: 'pod1' }), '1.0.0');
  assertResult(await lab.cni('ADD', { container: 'c2', pod: 'pod2' }), '1.0.0');
  await lab.deleteNetns('pod1');
  await until('its address is free', () => lab.reservations().length === 1);
  assertSilent(await lab.cni('CHECK', { container: 'c2', pod: 'pod2' }));
  assertSilent(await lab.cni('DEL', { container: 'c2', pod: 'pod2' }));
  await assertClean(lab, 'pod2');
});

test.run();
