/** The cgroup of a target's daemon: what it may use, and what it and its children have used. Version 1 or 2. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** As Kubernetes writes them; '' = no limit. */
export interface Limits {
  /** "100m" */
  cpu: string;
  /** "64Mi" */
  memory: string;
}

/** @returns processors */
export function parseCpu(text: string): number {
  const value = /^\d+(\.\d+)?m?$/.test(text) ? Number.parseFloat(text) / (text.endsWith('m') ? 1000 : 1) : 0;
  if (value > 0) return value;
  throw new Error(`a CPU limit is a number such as 100m or 0.5, not ${JSON.stringify(text)}`);
}

/** @returns bytes */
export function parseMemory(text: string): number {
  const [, number, unit = ''] = /^(\d+)(Ki|Mi|Gi)?$/.exec(text) ?? [];
  const value = Number(number) * 1024 ** ['', 'Ki', 'Mi', 'Gi'].indexOf(unit);
  if (value > 0) return value;
  throw new Error(`a memory limit is a number such as 64Mi, not ${JSON.stringify(text)}`);
}

/** The files of a group, by what they are for. */
interface Files {
  folders: string[];
  limits: (limits: Limits) => [file: string, value: string][];
  usedMs: () => number;
  peakBytes: () => number;
}

const numberIn = (file: string): number => Number(readFileSync(file, 'utf8'));

function version1(name: string): Files {
  const [cpu, account, memory] = ['cpu', 'cpuacct', 'memory'].map((one) => join(ROOT, one, name)) as [
    string,
    string,
    string,
  ];
  return {
    folders: [cpu, account, memory],
    limits: (limits) => [
      ...(limits.cpu === '' ? [] : ([[join(cpu, 'cpu.cfs_quota_us'), quota(limits.cpu)]] as [string, string][])),
      ...(limits.memory === ''
        ? []
        : ([[join(memory, 'memory.limit_in_bytes'), String(parseMemory(limits.memory))]] as [string, string][])),
    ],
    usedMs: () => numberIn(join(account, 'cpuacct.usage')) / 1e6,
    peakBytes: () => numberIn(join(memory, 'memory.max_usage_in_bytes')),
  };
}

function version2(name: string): Files {
  const folder = join(ROOT, name);
  return {
    folders: [folder],
    limits: (limits) => [
      ...(limits.cpu === ''
        ? []
        : ([[join(folder, 'cpu.max'), `${quota(limits.cpu)} ${PERIOD_US}`]] as [string, string][])),
      ...(limits.memory === ''
        ? []
        : ([[join(folder, 'memory.max'), String(parseMemory(limits.memory))]] as [string, string][])),
    ],
    usedMs: () => Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(folder, 'cpu.stat'), 'utf8'))?.[1]) / 1e3,
    peakBytes: () => numberIn(join(folder, 'memory.peak')),
  };
}

const quota = (cpu: string): string => String(Math.round(parseCpu(cpu) * PERIOD_US));

export class DaemonGroup {
  /** Longest time in which it makes no progress although it has something to do: two periods of its limit, or 0. */
  readonly longestPauseMs: number;
  private readonly files: Files;

  /** @param name in every hierarchy; @throws Error when cgroups cannot be made */
  constructor(name: string, limits: Limits) {
    const isVersion2 = existsSync(join(ROOT, 'cgroup.controllers'));
    if (isVersion2) writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+cpu +memory');
    this.longestPauseMs = limits.cpu === '' ? 0 : (2 * PERIOD_US) / 1000;
    this.files = isVersion2 ? version2(name) : version1(name);
    for (const folder of this.files.folders) mkdirSync(folder);
    for (const [file, value] of this.files.limits(limits)) writeFileSync(file, value);
  }

  /** Words before a program that begins its life in the group. */
  get wrapper(): string[] {
    const enter = this.files.folders.map((folder) => `echo 0 >${join(folder, 'cgroup.procs')}`);
    return ['sh', '-ec', `${enter.join('\n')}\nexec "$@"`, 'sh'];
  }

  /** User and system time of all that ever ran in it, in milliseconds. */
  get usedMs(): number {
    return this.files.usedMs();
  }

  /** Most memory that it ever had, page cache that it was the first to want included. */
  get peakBytes(): number {
    return this.files.peakBytes();
  }

  /** When nothing runs in it. */
  remove(): void {
    for (const folder of this.files.folders) rmdirSync(folder);
  }
}
