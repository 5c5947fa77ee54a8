/**
 * npm run demo: a node with two pods on several real networks, from a folder of manifests; what the kernel has beside
 * what the plugins claim; failures made on purpose; and the proof that nothing is left.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Journal } from '../../src/attach/journal.ts';
import { readManifests } from '../../src/cluster/manifests/manifest-files.ts';
import type { PodRecord } from '../../src/cluster/source.ts';
import { podInterfaceIndex } from '../../src/cni/pod-interface.ts';
import { parseResult } from '../../src/cni/result.ts';
import { Lab, referencePlugins } from '../lab/lab.ts';
import { claimDirectory, cleanKept, cleanUp, DEMO_DIRECTORY, dropStatusFolders, writeNote } from './kept.ts';
import * as output from './output.ts';
import { bad, good, note, say, table } from './output.ts';

/** Where host-local keeps addresses when a manifest names no other folder. */
const DEFAULT_IPAM = '/var/lib/cni/networks';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const FAILURES = join(HERE, 'failures');
const HELP = `npm run demo [-- options]

  --manifests DIR   attach the pods of your own folder of YAML instead (on a node with eth0 and eth1)
  --keep            leave pods and daemon running to look around
  --clean           end a demo that was kept
  --help            this text

Needs root. Everything happens inside network namespaces of its own and in ${DEMO_DIRECTORY}; only
host-local without "dataDir" in your own manifests keeps its folders in ${DEFAULT_IPAM}.
`;

/** A plugin that makes "weird0", whatever name it is asked for. */
const STUBBORN = `#!/bin/sh
cat > /dev/null
in_pod() { nsenter --net="$CNI_NETNS" "$@"; }
case "$CNI_COMMAND" in
  ADD)
    in_pod ip link add weird0 type bridge && in_pod ip link set weird0 up
    mac=$(in_pod ip -o link show weird0 | sed 's/.*link\\/ether \\([0-9a-f:]*\\).*/\\1/')
    echo "{\\"cniVersion\\":\\"1.0.0\\",\\"interfaces\\":[{\\"name\\":\\"weird0\\",\\"mac\\":\\"$mac\\",\\"sandbox\\":\\"$CNI_NETNS\\"}]}" ;;
  DEL) [ -z "$CNI_NETNS" ] || in_pod ip link delete weird0 2>/dev/null || true ;;
esac
`;

/** A plugin whose ADD fails with an error of its own. */
const FAILING = `#!/bin/sh
cat > /dev/null
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion":"1.0.0","code":123,"msg":"no free port on switch tor-7"}'
exit 1
`;

let failures = 0;
let interrupted = false;

class Interrupted extends Error {}

/** Every action ends in one of these two, so an interruption is noticed between actions and never in one. */
function step(title: string): void {
  if (interrupted) throw new Interrupted();
  output.step(title);
}

function verdict(ok: boolean, text: string): void {
  if (interrupted) throw new Interrupted();
  if (ok) {
    good(text);
  } else {
    failures += 1;
    bad(text);
  }
}

function label(pod: PodRecord): string {
  return `${pod.namespace}/${pod.name}`;
}

/** Container ID, and name of the namespace, of a pod. */
function placeOf({ namespace, name }: PodRecord): string {
  return namespace === 'default' ? name : `${namespace}-${name}`;
}

/** Address reservations outside the demo's folder. */
function foreignReservations(): string[] {
  if (!existsSync(DEFAULT_IPAM)) return [];
  // Beside the addresses it keeps a lock and the last one given.
  return (readdirSync(DEFAULT_IPAM, { recursive: true }) as string[]).filter((path) => /\/[0-9a-f.:]+$/.test(path));
}

async function startNode(lab: Lab, manifests: readonly string[]): Promise<void> {
  step('A node: a network namespace as its host, with eth0 and eth1, and the daemon');
  for (const name of ['eth0', 'eth1']) {
    await lab.exec('host', 'ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}-far`);
    for (const end of [name, `${name}-far`]) await lab.exec('host', 'ip', 'link', 'set', end, 'up');
  }
  await lab.startDaemon();
  writeNote({ demoPid: process.pid, daemonPid: lab.daemonPid ?? 0, labId: lab.id, manifests: [...manifests] });
  say(`multusd runs as process ${lab.daemonPid} on ${lab.socketPath}`);
  note(`plugins from ${referencePlugins()}, default network ptp + host-local`);
}

async function attach(lab: Lab, pod: PodRecord): Promise<boolean> {
  const place = placeOf(pod);
  await lab.addNetns(place);
  const args = lab.podArgs(pod.name, pod.namespace);
  const reply = await lab.cni('ADD', { container: place, pod: place, args });
  verdict(reply.code === 0, `ADD ${label(pod)} in ${Math.round(reply.ms)} ms`);
  if (reply.code !== 0)
    say(`${reply.json?.msg ?? reply.stdout}${reply.json?.details ? ` (${reply.json.details})` : ''}`);
  return reply.code === 0;
}

/** A row per attachment: what the kernel has, what the plugin said. */
async function showLinks(lab: Lab, pod: PodRecord): Promise<void> {
  const record = new Journal(lab.stateDir).read(placeOf(pod));
  const links = await lab.links(placeOf(pod));
  const rows = (record?.attachments ?? []).map((attachment) => {
    const link = links.find(({ ifname }) => ifname === attachment.ifName);
    const result = parseResult(attachment.result, attachment.network, attachment.cniVersion);
    const claimed = result.interfaces[podInterfaceIndex(result, attachment.ifName)];
    return [
      attachment.network,
      attachment.steps.map(({ type }) => type).join('+'),
      link?.ifname ?? '(missing)',
      claimed?.name ?? '-',
      link?.address ?? '-',
      claimed?.mac === link?.address ? 'same' : (claimed?.mac ?? '-'),
      Lab.addresses(link).join(' ') || '-',
      result.ips.map(({ address }) => address).join(' ') || '-',
    ];
  });
  say(label(pod));
  table(
    ['NETWORK', 'PLUGINS', 'IN KERNEL', 'CLAIMED', 'MAC IN KERNEL', 'CLAIMED', 'ADDRESS IN KERNEL', 'CLAIMED'],
    rows,
  );
  const names = (record?.attachments ?? []).map(({ ifName }) => ifName).sort();
  verdict(
    links
      .map(({ ifname }) => ifname)
      .sort()
      .join() === names.join(),
    `exactly these links are in the pod: ${names.join(', ')}`,
  );
}

async function ping(lab: Lab, from: PodRecord, to: PodRecord): Promise<void> {
  const journal = new Journal(lab.stateDir);
  const links = await lab.links(placeOf(to));
  for (const { network, ifName } of journal.read(placeOf(from))?.attachments ?? []) {
    const target = journal.read(placeOf(to))?.attachments.find((attachment) => attachment.network === network);
    const address = Lab.addresses(links.find(({ ifname }) => ifname === target?.ifName))[0]?.split('/')[0];
    if (address === undefined) continue;
    const { code, stdout } = await lab.exec(placeOf(from), 'ping', '-c', '1', '-W', '5', '-I', ifName, address);
    const time = /time=([\d.]+) ms/.exec(stdout)?.[1];
    verdict(
      code === 0,
      `${from.name} → ${to.name} over ${network}: ${ifName} → ${address}${time ? `, ${time} ms` : ''}`,
    );
  }
}

async function detach(lab: Lab, pod: PodRecord): Promise<void> {
  const call = { container: placeOf(pod), pod: placeOf(pod), args: lab.podArgs(pod.name, pod.namespace) };
  const reply = await lab.cni('DEL', call);
  const again = await lab.cni('DEL', call);
  verdict(reply.code === 0 && again.code === 0, `DEL ${label(pod)} in ${Math.round(reply.ms)} ms, and once more`);
}

async function failOnPurpose(lab: Lab): Promise<void> {
  lab.config['manifestsDir'] = FAILURES;
  lab.plugin('demo-stubborn', STUBBORN);
  lab.plugin('demo-failing', FAILING);

  step('A plugin that names its interface wrongly: it is renamed, and that is told');
  await lab.addNetns('misnamed');
  const misnamed = { container: 'misnamed', pod: 'misnamed', args: lab.podArgs('misnamed') };
  const renamed = await lab.cni('ADD', misnamed);
  const names = (await lab.links('misnamed')).map(({ ifname }) => ifname).join(', ');
  verdict(renamed.code === 0 && names === 'eth0, net1', `the pod has ${names}`);
  const warnings = new Journal(lab.stateDir).read('misnamed')?.attachments.flatMap((one) => one.warnings) ?? [];
  verdict(warnings.length === 1, warnings.join('; '));
  await lab.cni('DEL', misnamed);
  await expectNothing(lab, 'misnamed');

  step('Errors that say what is wrong, and leave nothing half-attached');
  for (const [pod, expected] of [
    ['typo', 'storrage'],
    ['unlucky', 'no free port on switch tor-7'],
  ] as const) {
    await lab.addNetns(pod);
    const reply = await lab.cni('ADD', { container: pod, pod, args: lab.podArgs(pod) });
    verdict(
      reply.code === 1 && String(reply.json?.msg).includes(expected),
      `code ${reply.json?.code}: ${reply.json?.msg}`,
    );
    await expectNothing(lab, pod);
  }
}

async function expectNothing(lab: Lab, pod: string): Promise<void> {
  const links = (await lab.links(pod)).map(({ ifname }) => ifname);
  const files = lab.stateFiles().filter((file) => file.includes(pod));
  verdict(
    links.length + files.length === 0,
    `nothing is left of ${pod}: ${[...links, ...files].join(', ') || 'no link, no file'}`,
  );
}

/** What may be left elsewhere than in the lab. */
interface Elsewhere {
  /** Addresses that were reserved before. */
  foreign: readonly string[];
  manifests: string;
}

async function prove(lab: Lab, pods: readonly PodRecord[], { foreign, manifests }: Elsewhere): Promise<void> {
  step('Nothing is left');
  const left = await lab.leftovers(...pods.map(placeOf));
  const of = (kind: string): string[] => left.filter((one) => one.startsWith(kind));
  // eth0 and eth1 of the node are veths too, and stay.
  const links = [...of('link'), ...of('host link').filter((one) => !/ eth\d(-far)?$/.test(one))];
  const checks: [string, string[]][] = [
    ['interface in a pod or veth on the node', links],
    ['reserved address', [...of('address'), ...foreignReservations().filter((one) => !foreign.includes(one))]],
    ['journal entry, lock or other file', [...of('file'), ...dropStatusFolders([manifests, FAILURES])]],
    ['process', of('process')],
  ];
  for (const [what, found] of checks)
    verdict(found.length === 0, `no ${what}${found.length ? `: ${found.join(', ')}` : ''}`);
}

function sayHowToLook(lab: Lab, pods: readonly PodRecord[]): void {
  step('Kept running');
  for (const pod of pods) say(`ip -n ${lab.id}-${placeOf(pod)} addr`);
  say(`dist/multus ps --cni-dir ${lab.stateDir}`);
  say('npm run demo -- --clean      # ends it');
}

/** @param own the user's manifests, not the demo's */
async function demo(lab: Lab, manifests: string, own: boolean, keep: boolean): Promise<void> {
  const foreign = foreignReservations();
  const { pods: found, problems } = readManifests(manifests);
  const pods = [...found.values()];
  for (const problem of problems) say(`warning: ${problem}`);
  if (pods.length === 0) {
    throw new Error(
      `no object of kind Pod is in the .yaml, .yml and .json files of ${manifests} (not its sub-folders)`,
    );
  }
  lab.config['manifestsDir'] = manifests;

  await startNode(lab, [manifests, FAILURES]);
  step(`Attach the pods of ${manifests} to the networks that they ask for`);
  const attached: PodRecord[] = [];
  for (const pod of pods) if (await attach(lab, pod)) attached.push(pod);
  if (attached.length > 0) step('What the kernel has, beside what each plugin claimed');
  for (const pod of attached) await showLinks(lab, pod);
  const [first, second] = attached;
  if (first !== undefined && second !== undefined) {
    step(`Ping from ${first.name} to ${second.name} over each network`);
    await ping(lab, first, second);
  }
  if (keep) return sayHowToLook(lab, attached);
  if (!own) await failOnPurpose(lab);
  lab.config['manifestsDir'] = manifests;
  step('Detach');
  // Those that failed, too: so does a runtime.
  for (const pod of pods) await detach(lab, pod);
  await prove(lab, pods, { foreign, manifests });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      manifests: { type: 'string' },
      keep: { type: 'boolean', default: false },
      clean: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error('it makes network namespaces and needs root: sudo npm run demo');
  if (values.clean) {
    say((await cleanKept()) ? 'the demo that was kept is gone' : 'no demo is kept');
    return 0;
  }
  const manifests = resolve(values.manifests ?? join(HERE, 'manifests'));
  if (statSync(manifests, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Error(`cannot read --manifests ${manifests}: there is no such folder`);
  }
  const interrupt = (): void => {
    interrupted = true;
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.on('SIGHUP', interrupt);
  claimDirectory();
  const lab = await Lab.create(DEMO_DIRECTORY, true, (id) => {
    writeNote({ demoPid: process.pid, daemonPid: 0, labId: id, manifests: [manifests, FAILURES] });
  });
  let kept = false;
  try {
    await demo(lab, manifests, values.manifests !== undefined, values.keep);
    kept = values.keep;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.stdout.write('\n');
    say('interrupted: cleaning up');
    return 130;
  } finally {
    if (!kept) await cleanUp(lab, [manifests, FAILURES]);
  }
  process.stdout.write(failures === 0 ? '\nAll of it held.\n' : `\nWhat is marked FAIL did not hold: ${failures}.\n`);
  return failures === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(`demo: ${error.message}\n`);
    process.exit(1);
  },
);
