// timeout: 300s
// The daemon is replaced, killed or cut off while pods start and stop: nobody may notice. A user would lose pods at every
// upgrade, or have two daemons undo each other's work.
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RangeLock } from '../../src/node/range-lock.ts';
import { inLab } from '../lab/doors.ts';
import type { CniReply, Lab } from '../lab/lab.ts';
import { post, send } from '../lab/post.ts';
import { until } from '../lab/process.ts';
import { type Running, SlowPod, start } from '../lab/slow-pod.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

const PARALLEL = 8;

function hasSaid(lab: Lab, pid: number | undefined, message: string): boolean {
  return lab.daemonMessages(pid).some((one) => one.startsWith(message));
}

/** The daemon that runs, and a new one in its place. @returns both process numbers, when the hand-over is done */
async function replaceDaemon(lab: Lab): Promise<{ old: number; next: number }> {
  const old = lab.daemonPid ?? 0;
  await lab.startDaemon();
  const next = lab.daemonPid ?? 0;
  await until('the new one knows it', () => hasSaid(lab, next, 'took '));
  return { old, next };
}

async function assertServed(lab: Lab): Promise<void> {
  assert.is((await send(lab, { path: '/readyz', method: 'GET', body: '' })).status, 200);
}

/** Pods that start and stop, one after the other in each of several namespaces. */
class Churn {
  /** Pods that have come and gone. */
  done = 0;
  readonly failures: string[] = [];
  private readonly lab: Lab;
  private readonly count: number;
  private next = 0;

  constructor(lab: Lab, count: number) {
    this.lab = lab;
    this.count = count;
  }

  get places(): string[] {
    return Array.from({ length: PARALLEL }, (_, place) => `pod${place}`);
  }

  async run(): Promise<void> {
    const { lab } = this;
    lab.manifest(
      'all.yaml',
      lab.podManifest('web', 'one@north'),
      lab.nadManifest('one', lab.bridge('one', '10.211.0.0/24')),
    );
    for (const place of this.places) await lab.addNetns(place);
    await Promise.all(this.places.map((place) => this.startAndStop(place)));
  }

  /** Settles when so many pods have come and gone, or all that will. */
  async reached(pods: number): Promise<void> {
    await until(`${pods} pods have come and gone`, () => this.done >= pods, 60_000);
  }

  private async startAndStop(pod: string): Promise<void> {
    while (this.next < this.count) {
      const container = `c${this.next++}`;
      const call = { container, pod, args: this.lab.podArgs('web') };
      this.note(container, 'ADD', await this.lab.cni('ADD', call));
      const names = (await this.lab.links(pod)).map(({ ifname }) => ifname).sort();
      if (names.join() !== 'eth0,north') this.failures.push(`${container} has ${names}`);
      this.note(container, 'DEL', await this.lab.cni('DEL', call));
      this.done += 1;
    }
  }

  private note(container: string, command: string, { code, stdout, stderr }: CniReply): void {
    if (code !== 0) this.failures.push(`${command} of ${container}: exit code ${code}: ${stdout}${stderr}`);
  }
}

// The upgrade of a DaemonSet with maxSurge 1: connections that are lost would not fail, but a shim of Multus has nobody else.
inLab('no request is lost while a daemon takes over from another, five times', async (lab) => {
  await lab.startDaemon();
  const churn = new Churn(lab, 48);
  const running = churn.run();
  for (let upgrade = 1; upgrade <= 5; upgrade++) {
    await churn.reached(upgrade * 8);
    await replaceDaemon(lab);
    await lab.endPredecessors();
  }
  await running;
  assert.equal(churn.failures, []);
  const succeeded = (command: string): number =>
    lab.daemonMessages().filter((one) => one === `${command} succeeded`).length;
  assert.equal([succeeded('ADD'), succeeded('DEL')], [48, 48], 'a daemon, not the standalone program, answered all');
  await assertClean(lab, ...churn.places);
});

inLab(
  '200 pods start and stop while the daemon is replaced 5 times and killed 5 times: none fails',
  async (lab) => {
    await lab.startDaemon();
    const churn = new Churn(lab, 200);
    const running = churn.run();
    for (let event = 1; event <= 10; event++) {
      await churn.reached(event * 18);
      if (event % 2 === 0) {
        await lab.endDaemon('SIGKILL');
        await lab.startDaemon();
      } else {
        await lab.startDaemon();
        await lab.endPredecessors();
      }
    }
    await running;
    assert.equal(churn.failures, []);
    await assertClean(lab, ...churn.places);
  },
  200_000,
);

inLab('the daemon that is replaced finishes what it has begun, and stands by until it is ended', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  const { old, next } = await replaceDaemon(lab);
  assert.ok(hasSaid(lab, old, 'another daemon has taken over'), lab.daemonLog);
  assert.ok(hasSaid(lab, next, 'took over from another daemon'), lab.daemonLog);
  assert.not.ok(hasSaid(lab, old, 'standing by'), 'it has an ADD under way');
  pod.release();
  assertResult(await adding.reply, '1.0.0');
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow']);
  await until('it stands by', () => hasSaid(lab, old, 'standing by'));
  assertSilent(await lab.cni('DEL'));
  assert.ok(hasSaid(lab, next, 'DEL succeeded'));
  const [predecessor] = lab.predecessors;
  await lab.endPredecessors();
  assert.is(predecessor?.exitCode, 0);
  await assertServed(lab);
  await assertClean(lab, 'pod1');
});

// The pod could not be deleted before its plugins time out, if they ever do.
inLab('a DEL through the new daemon ends the ADD that the old one works on', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab, 'sleep 1000 &');
  const adding = await pod.add();
  const { next } = await replaceDaemon(lab);
  assertSilent(await lab.cni('DEL'));
  assert.ok(hasSaid(lab, next, 'DEL succeeded'));
  assertError(await adding.reply, 106, 'a DEL of container c1');
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow', 'DEL slow', 'DEL one']);
  await lab.endPredecessors();
  await assertClean(lab, 'pod1');
});

// The journal says that its ADD never ended, and the new daemon looks at once.
inLab('the new daemon does not undo what the old one is doing', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const adding = await pod.add();
  await lab.startDaemon('--reconcile-interval', '1');
  const next = lab.daemonPid;
  await lab.addNetns('pod2');
  const config = JSON.stringify({ ...lab.config, delegates: [lab.ptp('lab-default', '10.210.0.0/24')] });
  assertResult(await lab.cni('ADD', { container: 'c2', pod: 'pod2', config }), '1.0.0');
  await lab.deleteNetns('pod2');
  await until('it has gone through the journal', () => hasSaid(lab, next, 'detaching'));
  pod.release();
  assertResult(await adding.reply, '1.0.0');
  assert.equal(pod.fakes.history(), ['ADD one', 'ADD slow']);
  assertSilent(await lab.cni('DEL'));
  await lab.endPredecessors();
  await until('it is detached', () => lab.stateFiles().length === 0);
  await assertClean(lab, 'pod1');
});

// A node whose daemon hangs could not be repaired by an upgrade.
inLab('a daemon that hangs is replaced within seconds, and harms nothing when it wakes', async (lab) => {
  await lab.startDaemon();
  await lab.addNetns('pod1');
  const old = lab.daemonPid ?? 0;
  process.kill(old, 'SIGSTOP');
  const started = performance.now();
  const { next } = await replaceDaemon(lab);
  assert.ok(performance.now() - started < 8000);
  assert.ok(hasSaid(lab, next, 'took the socket of a daemon that hangs'), lab.daemonLog);
  assertResult(await lab.cni('ADD'), '1.0.0');
  const before = await lab.linkSummary('pod1');
  process.kill(old, 'SIGCONT');
  await until('it stands by', () => hasSaid(lab, old, 'standing by'));
  assert.equal(await lab.linkSummary('pod1'), before);
  assertSilent(await lab.cni('CHECK'));
  assertSilent(await lab.cni('DEL'));
  assert.ok(hasSaid(lab, next, 'DEL succeeded'));
  await lab.endPredecessors();
  await assertClean(lab, 'pod1');
});

function cniEnv(lab: Lab, command: string): Record<string, string> {
  const paths = { CNI_NETNS: lab.netns('pod1'), CNI_PATH: `${lab.binDir}:/usr/lib/cni` };
  return { CNI_COMMAND: command, CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', ...paths };
}

// Multus's shim has no other door: a reset connection is a pod that does not start.
for (const ending of ['replaced', 'ended'] as const) {
  inLab(`who waits in the queue of a daemon that is ${ending} is still answered`, async (lab) => {
    await lab.startDaemon();
    await lab.addNetns('pod1');
    const old = lab.daemonPid ?? 0;
    process.kill(old, 'SIGSTOP');
    const waiting = post(lab, cniEnv(lab, 'ADD'));
    await until('it waits', () => queueLength(lab) > 0);
    if (ending === 'replaced') await lab.startDaemon();
    else process.kill(old, 'SIGTERM'); // it gets it when it wakes
    process.kill(old, 'SIGCONT');
    const answer = await waiting;
    assert.is(answer.status, 200, answer.body);
    assert.ok(hasSaid(lab, old, 'ADD succeeded'));
    assertSilent(await lab.cni('DEL'));
    await lab.endPredecessors();
    await lab.endDaemon();
    await assertClean(lab, 'pod1');
  });
}

// It has callers from the moment its socket is in place: they would lose it to the signal's default action.
inLab('a daemon that is ended while it still takes over answers who has asked', async (lab) => {
  await lab.startDaemon();
  const old = lab.daemonPid ?? 0;
  process.kill(old, 'SIGSTOP');
  await lab.startDaemon();
  const next = lab.daemonPid ?? 0;
  await lab.addNetns('pod1');
  const answer = post(lab, cniEnv(lab, 'ADD'));
  assert.not.ok(hasSaid(lab, next, 'listening'), 'it waits for its predecessor');
  await lab.endDaemon();
  assert.is((await answer).status, 200);
  process.kill(old, 'SIGCONT');
  await lab.endPredecessors();
  await lab.startDaemon();
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

/** Connections to the daemon's socket that nobody has accepted: connecting (02), without an inode yet. */
function queueLength(lab: Lab): number {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return lines.filter((line) => line.includes(` ${lab.socketDir}/`) && / 02 +0 /.test(line)).length;
}

// Each would take the other's socket for that of a daemon that was killed, and one would go on without any.
inLab('of daemons that start at a time one takes over after the other', async (lab) => {
  await lab.startDaemon();
  const { ino } = statSync(lab.socketPath);
  const lockPath = join(lab.socketDir, '.multus.sock.lock');
  const lock = await RangeLock.acquire(lockPath, { start: 0, length: 0, signal: AbortSignal.timeout(5000) });
  const first = lab.daemonPid;
  const starting = [lab.startDaemon(), lab.startDaemon()];
  const pids = [lab.predecessors.at(-1)?.pid, lab.daemonPid];
  await until('both wait', () => pids.every((pid) => openFiles(pid).includes(lockPath)));
  assert.is(statSync(lab.socketPath).ino, ino);
  lock.release();
  await Promise.all(starting);
  await until('both have listened', () => pids.every((pid) => hasSaid(lab, pid, 'listening')));
  const standBy = (): unknown[] => [first, ...pids].filter((pid) => hasSaid(lab, pid, 'standing by'));
  await until('all but one stand by', () => standBy().length === 2);
  assert.ok(standBy().includes(first));
  await assertServed(lab);
  await lab.endPredecessors();
});

/** Paths that a process has open. */
function openFiles(pid: number | undefined): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).map((fd) => {
    try {
      return readlinkSync(join(directory, fd));
    } catch {
      return ''; // closed meanwhile
    }
  });
}

// A daemon that crashes at every start must not leave the node to the standalone program, while the old version could run.
inLab('a daemon that stands by ends when its successor is gone, to be started again', async (lab) => {
  await lab.startDaemon();
  const { old } = await replaceDaemon(lab);
  await until('it stands by', () => hasSaid(lab, old, 'standing by'));
  const [predecessor] = lab.predecessors.splice(0);
  const ended = predecessor === undefined ? [] : once(predecessor, 'exit');
  await lab.endDaemon('SIGKILL');
  assert.equal(await ended, [1, null]);
});

// The daemon of Multus, or one of ours before there was hand-over: libuv and Go remove the path when they close.
inLab('a daemon that knows no hand-over is replaced, the operator told, and what it removes put back', async (lab) => {
  mkdirSync(lab.socketDir);
  const unaware = createServer((_, response) => response.writeHead(404).end());
  unaware.listen(lab.socketPath);
  await once(unaware, 'listening');
  await lab.startDaemon();
  const pid = lab.daemonPid;
  await until('it says so', () => hasSaid(lab, pid, 'took the socket of a daemon (of Multus'));
  unaware.close(); // removes the path
  await once(unaware, 'close');
  await until('it has noticed', () => hasSaid(lab, pid, 'somebody has removed our socket'));
  await until('it is found again', () => existsSync(lab.socketPath));
  await assertServed(lab);
});

// Multus's daemon removes the folder when it starts, with all that is in it: callers would never find us again.
inLab('a daemon whose folder is removed makes it anew, with the keys for the node', async (lab) => {
  const config = join(lab.directory, 'daemon-config.json');
  writeFileSync(config, JSON.stringify({ binDir: lab.binDir }));
  await lab.startDaemon('--config', config);
  await lab.addNetns('pod1');
  for (const _ of [1, 2]) {
    rmSync(lab.socketDir, { recursive: true });
    await until('callers find it', () => existsSync(lab.socketPath));
    assert.is(statSync(lab.socketDir).mode & 0o777, 0o700);
    assert.is(statSync(lab.socketPath).mode & 0o777, 0o600);
    assert.ok(existsSync(join(lab.socketDir, 'overlay.json')));
    assertResult(await lab.cni('ADD'), '1.0.0');
    assertSilent(await lab.cni('DEL'));
  }
  assert.is(lab.daemonMessages().filter((one) => /^(ADD|DEL) succeeded/.test(one)).length, 4, 'the daemon answered');
  await assertClean(lab, 'pod1');
});

// In a container the folder that the host has made anew is out of reach: without a new start callers would never come back.
inLab('a daemon that cannot make its folder anew says so, and ends, to be started again', async (lab) => {
  await lab.startDaemon();
  const pid = lab.daemonPid;
  rmSync(lab.socketDir, { recursive: true });
  writeFileSync(lab.socketDir, 'no folder');
  await until('it says so', () => hasSaid(lab, pid, 'callers do not find us'));
  await until('it has ended', () => !existsSync(`/proc/${pid}`), 20_000);
  assert.is(lab.daemonMessages(pid).filter((one) => one === 'callers do not find us').length, 1);
  assert.match(lab.daemonLog, /"reason":"callers do not find us.*"msg":"stopping"/);
});

// Anybody's request would make a daemon stop its work.
inLab('a daemon that is asked to hand over while the socket is its own goes on', async (lab) => {
  await lab.startDaemon();
  const asked = request({ socketPath: lab.socketPath, path: '/handover', method: 'POST' }).end();
  const [reply] = await once(asked, 'response');
  reply.resume();
  assert.is(reply.statusCode, 409);
  assert.not.ok(hasSaid(lab, lab.daemonPid, 'another daemon'));
  await assertServed(lab);
});

inLab('a daemon that is ended while eight pods start lets all of them start', async (lab) => {
  await lab.startDaemon();
  const pod = await SlowPod.create(lab);
  const adding: Running[] = [];
  const calls = Array.from({ length: PARALLEL }, (_, i) => ({ container: `c${i + 10}`, pod: `pod${i + 10}` }));
  for (const call of calls) {
    await lab.addNetns(call.pod);
    adding.push(await start(lab, 'ADD', call));
  }
  await until('all are at work', () => pod.count('ADD slow') === PARALLEL);
  const old = lab.daemonPid;
  const ended = lab.endDaemon('SIGTERM');
  await until('it stops', () => hasSaid(lab, old, 'stopping') && !existsSync(lab.socketPath));
  pod.release();
  for (const one of adding) assertResult(await one.reply, '1.0.0');
  await ended;
  assert.is(pod.count('ADD slow'), PARALLEL, 'each ADD ran once, to its end');
  for (const call of calls) assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, ...calls.map(({ pod: name }) => name));
});

test.run();
