/** Operations that are under way for as long as a test wants. */
import { constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EMPTY_RESULT, Fakes } from './fakes.ts';
import type { CniCall, CniReply, Lab } from './lab.ts';
import { must, until } from './process.ts';

/** A shim that is under way. */
export interface Running {
  pid: number;
  reply: Promise<CniReply>;
  ended: boolean;
}

/** Run the shim, and go on once it has begun. */
export async function start(lab: Lab, command: string, call: CniCall = {}): Promise<Running> {
  const running: Running = { pid: 0, reply: Promise.reject(new Error('not started')), ended: false };
  running.reply.catch(() => undefined);
  await new Promise<void>((resolve) => {
    running.reply = lab.cni(command, {
      ...call,
      onSpawn: (child) => {
        running.pid = child.pid ?? 0;
        resolve();
      },
    });
  });
  void running.reply.then(() => {
    running.ended = true;
  });
  return running;
}

/** Networks "one" and "slow"; each ADD of "slow" waits until it is released. */
export class SlowPod {
  readonly fakes: Fakes;
  private readonly lab: Lab;
  private readonly gate: string;

  private constructor(lab: Lab, script: string) {
    this.lab = lab;
    this.fakes = new Fakes(lab);
    this.gate = join(lab.directory, 'gate');
    const slow = { ADD: `${script}\nread released < ${this.gate}\n${EMPTY_RESULT}` };
    lab.config['delegates'] = [this.fakes.plugin('one'), this.fakes.plugin('slow', slow)];
  }

  /** @param script what "slow" does before it waits */
  static async create(lab: Lab, script = ''): Promise<SlowPod> {
    await lab.addNetns('pod1');
    const pod = new SlowPod(lab, script);
    await must('mkfifo', pod.gate);
    return pod;
  }

  /** Start an ADD, and wait until its second delegate has begun. */
  async add(call: CniCall = {}): Promise<Running> {
    const before = this.count('ADD slow');
    const running = await start(this.lab, 'ADD', call);
    await until('the slow delegate runs', () => this.count('ADD slow') > before);
    return running;
  }

  /** From now on, "slow" does not wait any more: there is a line for each. */
  release(): void {
    writeSync(openSync(this.gate, constants.O_RDWR), '\n'.repeat(1000));
  }

  count(what: string): number {
    return this.fakes.history().filter((one) => one === what).length;
  }

  /** Process number of the last "slow". */
  get pid(): number {
    return this.fakes.executions().findLast(({ plugin }) => plugin === 'slow')?.pid ?? 0;
  }
}
