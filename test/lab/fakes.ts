/** Plugins that are shell scripts: they write down how they were run, and do what a test wants. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';

/** What a fake does for each command, in shell; its stdin is in file $STDIN. */
export interface Behaviour {
  ADD?: string;
  DEL?: string;
  CHECK?: string;
  STATUS?: string;
  GC?: string;
}

/** One execution of a fake. */
export interface Execution {
  command: string;
  plugin: string;
  pid: number;
  /** stdin as it came. */
  stdin: string;
  env: Record<string, string>;
}

/** Shell: a successful ADD that claims nothing. */
export const EMPTY_RESULT = `echo '{"cniVersion":"1.0.0"}'`;

/** Shell: answer with what came before in the chain. */
export const PASS_ON = `${process.execPath} -p 'JSON.stringify(JSON.parse(fs.readFileSync(process.argv[1])).prevResult)' $STDIN`;

export interface LinkClaim {
  name?: string;
  mac?: string;
  mtu?: number;
  address?: string;
  routes?: { dst: string; gw?: string }[];
}

/** Shell: report an interface in the pod. A name may be a variable of the shell. */
export function claimLink({ name = '$CNI_IFNAME', mac, mtu, address, routes = [] }: LinkClaim): string {
  const result = {
    cniVersion: '1.1.0',
    interfaces: [
      { name, sandbox: '$CNI_NETNS', ...(mac === undefined ? {} : { mac }), ...(mtu === undefined ? {} : { mtu }) },
    ],
    ips: address === undefined ? [] : [{ address, interface: 0 }],
    routes,
  };
  return `cat <<EOF\n${JSON.stringify(result)}\nEOF`;
}

/** Shell: make a link in the pod. */
export function makeLink({ name = '$CNI_IFNAME', mac, mtu, address }: LinkClaim = {}): string {
  const ip = 'nsenter --net=$CNI_NETNS ip';
  const options = [...(mac === undefined ? [] : ['address', mac]), ...(mtu === undefined ? [] : ['mtu', mtu])].join(
    ' ',
  );
  return [
    'set -e',
    `${ip} link add ${name} ${options} type bridge`,
    ...(address === undefined ? [] : [`${ip} addr add ${address} dev ${name}`]),
    `${ip} link set ${name} up`,
  ].join('\n');
}

/** Shell: remove a link from the pod; fails when it is not there. */
export function removeLink(name = '$CNI_IFNAME'): string {
  return `[ -z "$CNI_NETNS" ] || nsenter --net=$CNI_NETNS ip link del ${name}`;
}

/** Shell: fail as the CNI specification wants it. */
export function fail(code: number, msg: string): string {
  return `echo '${JSON.stringify({ cniVersion: '1.0.0', code, msg, details: 'as told' })}'; exit 1`;
}

/** The fakes of one lab. */
export class Fakes {
  private readonly lab: Lab;
  private readonly folder: string;

  constructor(lab: Lab) {
    this.lab = lab;
    this.folder = join(lab.directory, 'executions');
    mkdirSync(this.folder);
  }

  /** Install a fake. @returns the configuration of a network of that name */
  plugin(name: string, behaviour: Behaviour = {}): Record<string, unknown> {
    const cases = Object.entries({ ADD: EMPTY_RESULT, ...behaviour }).map(
      ([command, script]) => `${command})\n${script}\n;;`,
    );
    const record = `${this.folder}/$$`;
    this.lab.plugin(
      name,
      `#!/bin/sh
cat /proc/$$/environ > ${record}.env
STDIN=${record}.stdin
cat > $STDIN
echo "$CNI_COMMAND ${name} $$" >> ${this.folder}/list
case $CNI_COMMAND in
${cases.join('\n')}
esac
`,
    );
    return { cniVersion: '1.0.0', name, type: name };
  }

  /** All executions until now, in the order in which they had read their stdin. */
  executions(): Execution[] {
    const list = join(this.folder, 'list');
    if (!existsSync(list)) return [];
    // The last line may be about to be written.
    const lines = readFileSync(list, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [command = '', plugin = '', pid = ''] = line.split(' ');
      const read = (kind: string): string => readFileSync(join(this.folder, `${pid}.${kind}`), 'utf8');
      const entries = read('env')
        .split('\0')
        .filter((entry) => entry !== '');
      const env = Object.fromEntries(
        entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
      );
      return { command, plugin, pid: Number(pid), stdin: read('stdin'), env };
    });
  }

  /** "ADD one", "DEL one", … */
  history(): string[] {
    return this.executions().map(({ command, plugin }) => `${command} ${plugin}`);
  }

  /** Has that happened ("ADD one")? */
  has(what: string): boolean {
    return this.history().includes(what);
  }
}
