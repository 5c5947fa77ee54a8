/** The pod of most tests: its default network and three more, of every kind that the reference plugins offer here. */
import * as assert from 'uvu/assert';
import { Lab } from './lab.ts';
import { must } from './process.ts';

/** What pod `pod<number>` asks of the networks; the lab's ptp is its default network. */
export interface FourNetworksPod {
  name: string;
  mac: string;
  staticAddress: string;
}

/** Link that the macvlans of the pods have as their parent. */
const UPLINK = 'uplink0';

export const LINK_NAMES = ['data0', 'eth0', 'net1', 'net2'];

/** Definitions of the three networks, and a link in the host's namespace that macvlans can lie on. */
export async function makeFourNetworks(lab: Lab): Promise<void> {
  await lab.addUplink(UPLINK);
  // With a MAC of their own: one that follows the ports makes the bridge plugin's CHECK fail when another pod goes.
  for (const [i, name] of ['lan0', 'store0'].entries()) {
    const bridge = [name, 'address', `02:00:00:00:00:1${i}`, 'type', 'bridge'];
    await must('nsenter', `--net=${lab.netns('host')}`, 'ip', 'link', 'add', ...bridge);
  }
  lab.manifest(
    'networks.yaml',
    lab.nadManifest('lan', lab.bridge('lan', '10.211.0.0/24')),
    lab.nadManifest('fast', {
      cniVersion: '1.0.0',
      name: 'fast',
      plugins: [
        { type: 'macvlan', master: UPLINK, mode: 'bridge', capabilities: { ips: true }, ipam: { type: 'static' } },
        { type: 'tuning', capabilities: { mac: true } },
      ],
    }),
    lab.nadManifest('store', lab.bridge('store', '10.213.0.0/24')),
  );
}

/** Make the namespace and the manifest of pod number 1 or 2. */
export async function makePod(lab: Lab, number: number): Promise<FourNetworksPod> {
  const pod = { name: `pod${number}`, mac: `02:00:00:00:12:0${number}`, staticAddress: `10.212.0.${number}/24` };
  await lab.addNetns(pod.name);
  lab.manifest(
    `${pod.name}.yaml`,
    lab.podManifest(pod.name, [
      { name: 'lan' },
      { name: 'fast', ips: [pod.staticAddress], mac: pod.mac },
      { name: 'store', interface: 'data0' },
    ]),
  );
  return pod;
}

/** The pod has exactly the links, MAC and addresses that it asked for. */
export async function assertFourLinks(lab: Lab, pod: FourNetworksPod): Promise<void> {
  const links = new Map((await lab.links(pod.name)).map((link) => [link.ifname, link]));
  assert.equal([...links.keys()].sort(), LINK_NAMES);
  assert.is(links.get('net2')?.address, pod.mac);
  assert.equal(Lab.addresses(links.get('net2')), [pod.staticAddress]);
  for (const [name, prefix] of [
    ['eth0', '10.210.0.'],
    ['net1', '10.211.0.'],
    ['data0', '10.213.0.'],
  ] as const) {
    const addresses = Lab.addresses(links.get(name));
    assert.is(addresses.length, 1, `${name} has ${addresses}`);
    assert.ok(addresses[0]?.startsWith(prefix), `${name} has ${addresses}`);
  }
}

/** Address of a pod's link without its prefix length. */
export async function addressOf(lab: Lab, pod: string, link: string): Promise<string> {
  const found = (await lab.links(pod)).find(({ ifname }) => ifname === link);
  return Lab.addresses(found)[0]?.split('/')[0] ?? assert.unreachable(`${pod}/${link} has no address`) ?? '';
}
