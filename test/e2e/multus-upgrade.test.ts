// timeout: 300s
/** A node moves from a running Multus 4.3, thick or thin, to us and back: its pods run on, and end without a trace. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { type Kind, MultusNode, multusAccount, type NodePod } from './lab/multus-node.ts';
import { DEFINITIONS, definition, PRIMARY } from './lab/networks.ts';

let api: ApiServer;
let token = '';

/** A bridge that is a gateway keeps its MAC while pods come and go: the plugin's CHECK compares it. */
const gateway = (bridge: string, subnet: string): object => ({
  type: 'bridge',
  bridge,
  isGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet }]] },
});
const LAN = definition('lan', gateway('lan0', '10.211.0.0/24'));
const CHAIN = definition('chain', {
  plugins: [gateway('chain0', '10.214.0.0/24'), { type: 'tuning', mtu: 1400, capabilities: { mac: true } }],
});

/** bridge, macvlan with a name of its own, a list with a capability. */
const networks = (mac: string): object[] => [
  { name: 'lan' },
  { name: 'fast', interface: 'fast0' },
  { name: 'chain', mac },
];
const LINKS = ['eth0', 'fast0', 'net1', 'net3'];

test.before(async () => {
  api = await startApiServer();
  token = await multusAccount(api);
  await api.apply(...DEFINITIONS, LAN, CHAIN);
});

test.after(() => api.close());

/** A test with a node that nobody else uses. */
function onMultusNode(name: string, body: (node: MultusNode) => Promise<void>): void {
  test(name, async () => {
    const node = await MultusNode.start(api, token);
    try {
      await body(node);
    } catch (error) {
      console.error(node.logs);
      throw error;
    } finally {
      await node.close();
    }
  });
}

let pods = 0;

const newPod = (node: MultusNode): Promise<NodePod> =>
  node.makePod(`pod${++pods}`, networks(`02:00:00:00:02:${10 + (pods % 90)}`));

/** A pod whose networks came by what the node's configuration names now. */
async function attach(node: MultusNode): Promise<NodePod> {
  const pod = await newPod(node);
  const { code, stdout, stderr, json } = await node.cni('ADD', pod);
  assert.is(code, 0, stdout + stderr);
  assert.is(json.cniVersion, PRIMARY.cniVersion);
  const links = await node.links(pod);
  assert.equal(links.map(({ ifname }) => ifname).sort(), LINKS);
  assert.match(links.find(({ ifname }) => ifname === 'net3')?.address ?? '', /^02:00:00:00:02:/);
  return pod;
}

async function detach(node: MultusNode, pod: NodePod): Promise<void> {
  const { code, stdout, stderr } = await node.cni('DEL', pod);
  assert.is(code, 0, stdout + stderr);
}

const addressOn = async (node: MultusNode, pod: NodePod, ifName: string): Promise<string> => {
  const link = (await node.links(pod)).find(({ ifname }) => ifname === ifName);
  return (Lab.addresses(link)[0] ?? '').replace(/\/.*/, '');
};

/** The networks of two pods carry packets. */
async function assertConnected(node: MultusNode, from: NodePod, to: NodePod): Promise<void> {
  for (const ifName of LINKS) {
    const { code, stdout } = await node.inPod(
      from,
      'ping',
      '-c1',
      '-W5',
      '-I',
      ifName,
      await addressOn(node, to, ifName),
    );
    assert.is(code, 0, `${from.name} → ${to.name} over ${ifName}: ${stdout}`);
  }
}

/** From, to. */
const MOVES: [Kind, Kind][] = [
  ['thick', 'thick'],
  ['thin', 'thick'],
  ['thin', 'thin'],
];

/** Ours in its place, as docs/migration.md says it. */
async function moveToOurs(node: MultusNode, to: Kind): Promise<void> {
  await node.startOurs(to);
  await node.endMultus();
  // Multus takes the file along as it ends, and its daemon the socket.
  const isBack = (): boolean => node.hasOurConfig() && (to === 'thin' || node.hasSocket());
  await until('our configuration and our socket are back', isBack, 3000);
}

/** Multus in our place, as docs/migration.md says it. */
async function moveToMultus(node: MultusNode, to: Kind): Promise<void> {
  await node.endOurs();
  // The thin plugin writes its file under another name than ours, which would count for the runtime.
  if (to === 'thin') await node.uninstall();
  await node.startMultus(to);
  if (to === 'thick') await node.uninstall();
}

for (const [from, to] of MOVES) {
  // A node could not be moved without being drained first.
  onMultusNode(`from Multus ${from} to ours ${to}: pods run on, and are checked and deleted by ours`, async (node) => {
    await node.startMultus(from);
    const old = [await attach(node), await attach(node), await attach(node)] as const;
    await moveToOurs(node, to);
    await assertConnected(node, old[0], old[1]);
    const young = await attach(node);
    await assertConnected(node, young, old[2]);
    const checked = await node.cni('CHECK', old[0]);
    assert.is(checked.code, 0, checked.stdout);
    for (const pod of [...old, young]) await detach(node, pod);
    assert.equal(await node.leftovers(...old, young), []);
  });

  // The way out must be as safe as the way in.
  onMultusNode(`back from ours ${to} to Multus ${from}: pods run on, and are deleted by Multus`, async (node) => {
    await node.startOurs(to);
    const old = [await attach(node), await attach(node), await attach(node)] as const;
    await moveToMultus(node, from);
    assert.not.ok(node.hasOurConfig(), 'the runtime goes by what Multus wrote');
    await assertConnected(node, old[0], old[1]);
    for (const pod of old) await detach(node, pod);
    assert.equal(await node.leftovers(...old), []);
    await attach(node);
  });
}

const HOT = {
  cniVersion: '1.0.0',
  name: 'hot',
  type: 'ptp',
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.215.0.0/24' }]] },
};

// What a controller had plugged in would keep its address, whoever deletes the pod.
onMultusNode(
  'what was plugged in through the one daemon goes with the DEL of the pod by the other, both ways',
  async (node) => {
    await node.startMultus('thick');
    const one = await attach(node);
    await node.plug(one, 'hot0', HOT);
    await moveToOurs(node, 'thick');
    const two = await attach(node);
    await node.plug(two, 'hot0', HOT);
    for (const pod of [one, two])
      assert.equal((await node.links(pod)).map(({ ifname }) => ifname).sort(), [...LINKS, 'hot0'].sort());
    await detach(node, one);
    assert.equal(await node.links(one), []);
    assert.is(node.leases().filter((path) => path.startsWith('hot/')).length, 1, 'that of the other pod');
    await moveToMultus(node, 'thick');
    await detach(node, two);
    assert.equal(await node.leftovers(one, two), []);
  },
);

// `multus install` comes before our daemon: until that listens, our shim asks the daemon of Multus.
onMultusNode(
  "our shim in front of Multus's daemon: results in the runtime's version, errors told, no DEL lost",
  async (node) => {
    await node.startMultus('thick');
    await node.install();
    const pod = await attach(node);
    const wrong = await node.makePod(`pod${++pods}`, 'nowhere');
    const refused = await node.cni('ADD', wrong);
    assert.equal([refused.code, refused.json?.code], [1, 999]);
    assert.match(refused.json.msg, /cannot find a network-attachment-definition \(nowhere\) in namespace \(default\)/);
    // Multus loses the plugins' keys of a list. Its own shim hides that its DEL has failed, and the address stays for ever.
    const failed = await node.cni('DEL', pod);
    assert.is(failed.code, 1);
    assert.match(failed.json.msg, 'no IP ranges specified');
    await node.startOurs('thick');
    await detach(node, pod);
    assert.equal(await node.leftovers(pod), []);
  },
);

/** Which files of the configuration are of Multus or of us. */
const isMeta = (configName: string): boolean => configName.startsWith('00-multus.');

/**
 * Pods come and go until `isOver`: as the kubelet does, a DEL that fails is tried again. As Multus ends, it takes its file
 * along: for the hundredths of a second until ours is there, DEL goes to the primary only, and no pod is started, as on a
 * node that is cordoned.
 */
async function comeAndGo(node: MultusNode, isOver: () => boolean, onDone: () => void): Promise<void> {
  while (!isOver()) {
    const pod = await newPod(node);
    await until('there is a file of Multus or of us', () => isMeta(node.firstConfig().name));
    const { code, stdout } = await node.cni('ADD', pod);
    assert.is(code, 0, stdout);
    assert.equal((await node.links(pod)).map(({ ifname }) => ifname).sort(), LINKS);
    let isWhole = true;
    await until(`${pod.name} is deleted`, async () => {
      const deleted = await node.cni('DEL', pod);
      isWhole = isMeta(deleted.configName);
      return deleted.code === 0;
    });
    if (isWhole) assert.equal(await node.links(pod), []);
    await node.removePod(pod);
    onDone();
  }
}

for (const kind of ['thick', 'thin'] as const) {
  // A runtime that gets an error tries again; one that gets a success for nothing leaves addresses and links for ever.
  onMultusNode(
    `from Multus ${kind} while pods come and go: no ADD fails, no DEL is lost, nothing is left`,
    async (node) => {
      await node.startMultus(kind);
      let end = Number.POSITIVE_INFINITY;
      let count = 0;
      const isOver = (): boolean => count >= end;
      const done = (): void => {
        count++;
      };
      const busy = Promise.all([comeAndGo(node, isOver, done), comeAndGo(node, isOver, done)]);
      busy.catch(() => undefined); // it is awaited later
      try {
        await until('pods come and go', () => count > 1, 30_000);
        await moveToOurs(node, 'thick');
      } finally {
        end = count + 4;
      }
      await busy;
      await until('nothing is left', async () => (await node.leftovers()).length === 0).catch(async () =>
        assert.equal(await node.leftovers(), []),
      );
    },
  );
}

test.run();
