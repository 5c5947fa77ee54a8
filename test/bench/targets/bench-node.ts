/** A node of one target: a machine with the scenario's networks, its pods, and the launcher that is its runtime. */
import { closeSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '../../../src/node/native.ts';
import { MultusNode } from '../../e2e/lab/multus-node.ts';
import type { BenchApi } from '../api/bench-api.ts';
import { rssOf } from '../footprint.ts';
import { type Done, type Job, Launcher } from '../launcher/launcher.ts';
import { definitionsOf, primaryOf, type Scenario } from '../scenarios.ts';
import { DaemonGroup, type Limits } from './daemon-group.ts';

/** Static programs of the bench. */
export interface Programs {
  launcher: string;
  noop: string;
}

export interface Pod {
  name: string;
  uid: string;
  containerId: string;
  /** As programs of the node see it. */
  netns: string;
  /** What it asks for, and has to get. */
  scenario: Scenario;
  annotations: Record<string, string>;
  /** What ADD said, of each execution. */
  results: string[];
}

const QUIET_MS = 4;
const QUIET_LIMIT_MS = 500;

export class BenchNode {
  readonly node: MultusNode;
  readonly scenario: Scenario;
  private readonly name: string;
  private readonly launcher: Launcher;
  private readonly group: DaemonGroup;
  private readonly api: BenchApi;
  /** Pods so far. */
  private made = 0;

  private constructor(
    name: string,
    node: MultusNode,
    scenario: Scenario,
    api: BenchApi,
    launcher: Launcher,
    limits: Limits,
  ) {
    this.name = name;
    this.node = node;
    this.scenario = scenario;
    this.api = api;
    this.launcher = launcher;
    this.group = new DaemonGroup(node.machine.id, limits);
    node.wrapper = this.group.wrapper;
  }

  static async start(
    name: string,
    scenario: Scenario,
    { api, programs, limits }: { api: BenchApi; programs: Programs; limits: Limits },
  ): Promise<BenchNode> {
    await api.apply(...definitionsOf(scenario));
    const primary = { file: '10-primary.conf', config: primaryOf(scenario) };
    const node = await MultusNode.start(api, api.token, { name, primary });
    try {
      copyFileSync(programs.noop, join(node.binDir, 'noop'));
      // On a disk, as on a node: what is written there is waited for.
      const state = join(node.machine.folder, 'state');
      mkdirSync(state);
      await node.must('mount', '--bind', state, '/var/lib/cni');
      const launcher = new Launcher(['nsenter', ...node.machine.words(programs.launcher, [])]);
      return new BenchNode(name, node, scenario, api, launcher, limits);
    } catch (error) {
      await node.close();
      throw error;
    }
  }

  /**
   * Pods with their namespaces.
   * @param isKnown to the API server, too
   * @param scenario with no other networks than the node's own has
   */
  async makePods(count: number, isKnown: boolean, scenario = this.scenario): Promise<Pod[]> {
    const networks = scenario.networks.map(({ name }) => name).join();
    const annotations: Record<string, string> = networks === '' ? {} : { 'k8s.v1.cni.cncf.io/networks': networks };
    const pods: Pod[] = [];
    for (let made = 0; made < count; made++) {
      const i = this.made++;
      const name = `${this.name}-pod${i}`;
      const asked = { name, annotations, nodeName: this.name };
      const uid = isKnown ? (await this.api.createPod(asked)).uid : `uid-${i}`;
      const sandbox = { containerId: `${'0'.repeat(56)}${String(i).padStart(8, '0')}`, netns: `/run/netns/${name}` };
      pods.push({ name, uid, scenario, annotations, results: [], ...sandbox });
    }
    await this.addNamespaces(pods);
    return pods;
  }

  private async addNamespaces(pods: readonly Pod[]): Promise<void> {
    const input = pods.map(({ name }) => `netns add ${name}\n`).join('');
    const { code, stderr } = await this.node.machine.run('ip', ['-batch', '-'], { input });
    if (code !== 0) throw new Error(`ip netns add: ${stderr}`);
  }

  /** Run jobs as the node's runtime. */
  run(jobs: readonly Job[], concurrency: number): Promise<Done[]> {
    return this.launcher.run(jobs, concurrency);
  }

  /** Names of a pod's links, without lo, as the kernel has them. */
  async links({ netns }: Pod): Promise<string[]> {
    const addon = native();
    const { fd } = addon.openNetns(this.node.machine.path(netns));
    const socket = addon.openSocket(fd);
    const links = await addon.listLinks(socket);
    for (const one of [socket, fd]) closeSync(one);
    return links.map(({ name }) => name).filter((name) => name !== 'lo');
  }

  /** Milliseconds of CPU that the daemon and its children have used. */
  get daemonCpuMs(): number {
    return this.group.usedMs;
  }

  /** Of what runs always; 0 when nothing does. */
  get daemonRssKib(): number {
    if (this.node.pid === undefined) return 0;
    return rssOf(this.node.pid);
  }

  get daemonPeakKib(): number {
    return this.node.pid === undefined ? 0 : this.group.peakBytes / 1024;
  }

  /**
   * Wait until the daemon has done what it does behind its answers: telling the cluster, writing logs.
   * @param apiLatencyMs how long it may seem to be idle while it waits for an answer
   */
  async quiet(apiLatencyMs = 0): Promise<void> {
    if (this.node.pid === undefined) return;
    const quietMs = QUIET_MS + apiLatencyMs + this.group.longestPauseMs;
    const limit = performance.now() + QUIET_LIMIT_MS + 10 * (apiLatencyMs + this.group.longestPauseMs);
    let before = -1;
    for (let used = this.daemonCpuMs; used !== before && performance.now() < limit; used = this.daemonCpuMs) {
      before = used;
      await new Promise((resolve) => setTimeout(resolve, quietMs));
    }
  }

  /** @throws Error when DEL has left addresses */
  mustBeClean(): void {
    const leases = this.node.leases();
    if (leases.length > 0) throw new Error(`${this.name} has left addresses: ${leases.join(', ')}`);
  }

  /** @param known pods to the API server, which go too */
  async close(known: readonly Pod[]): Promise<void> {
    await this.launcher.close();
    await this.node.close();
    for (const { name } of known) await this.api.delete(`/api/v1/namespaces/default/pods/${name}`);
  }
}
