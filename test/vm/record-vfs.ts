/**
 * Records PFs' netlink messages from a kernel with netdevsim, or with an igb, for native/test/fixtures. In the guest it
 * prints them; outside, "save" writes what was printed:
 *
 *   npm run --silent lab -- uml --sh 'node --import tsx test/vm/record-vfs.ts' | node --import tsx test/vm/record-vfs.ts save
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type NativeVfChange, native } from '../../src/node/native.ts';
import { Igb } from './lab/igb.ts';
import { Netdevsim } from './lab/netdevsim.ts';

const FIXTURES = new URL('../../native/test/fixtures/', import.meta.url);
const RECORDER = fileURLToPath(new URL('../../build/Release/core_test', import.meta.url));
const PREFIX = 'RECORDED ';
const [VF, VF_WITHOUT_STATISTICS] = [1, 9];

const FOUR: [number, NativeVfChange][] = [
  [0, { vlan: 210, qos: 2 }],
  [0, { mac: '02:00:00:00:00:10' }],
  [0, { minTxRate: 10, maxTxRate: 100 }],
  [0, { spoofCheck: true }],
  [0, { trust: true }],
  [1, { vlan: 300, qos: 3, protocol: 0x88a8 }],
  [1, { linkState: 2 }],
  [2, { vlan: 4095 }],
  [2, { linkState: 1 }],
];

function print(name: string, link: string, mask: number): void {
  const message = execFileSync(RECORDER, ['record', link, String(mask)], { maxBuffer: 1 << 20 });
  console.log(`${PREFIX}${name} ${message.toString('base64')}`);
}

async function record(numVfs: number, changes: readonly [number, NativeVfChange][], masks: number[]): Promise<void> {
  const pf = new Netdevsim(numVfs);
  const socket = native().openSocket(-1);
  try {
    const { index } = await native().getLink(socket, pf.link);
    await native().setLinkMac(socket, index, '02:00:00:00:0a:01');
    for (const [vf, change] of changes) await native().setVf(socket, index, vf, change);
    for (const mask of masks) print(`vfs-${numVfs}-mask-${mask}`, pf.link, mask);
  } finally {
    pf.remove();
  }
}

/** A driver that does not report all: it says nothing of RSS queries. */
async function recordIgb(): Promise<void> {
  const { link } = new Igb(2);
  const socket = native().openSocket(-1);
  const { index } = await native().getLink(socket, link);
  await native().setVf(socket, index, 0, { vlan: 210, qos: 2 });
  await native().setVf(socket, index, 1, { vlan: 4095 });
  print(`vfs-2-igb-mask-${VF_WITHOUT_STATISTICS}`, link, VF_WITHOUT_STATISTICS);
}

/** Each VF a VLAN of its own: from 1, so that a byte of zeros is no VLAN. */
const vlans = (count: number): [number, NativeVfChange][] => {
  return Array.from({ length: count }, (_, vf) => [vf, { vlan: 1 + vf }]);
};

async function save(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.startsWith(PREFIX)) continue;
    const [name, message] = line.slice(PREFIX.length).trim().split(' ') as [string, string];
    writeFileSync(new URL(`${name}.bin`, FIXTURES), Buffer.from(message, 'base64'));
    console.log(`${name}.bin`);
  }
}

if (process.argv[2] === 'save') {
  await save();
} else if (process.env['MULTUS_LAB'] === 'igb') {
  await recordIgb();
} else {
  await record(4, FOUR, [VF, VF_WITHOUT_STATISTICS]);
  for (const count of [221, 222]) await record(count, vlans(count), [VF]);
  for (const count of [334, 335, 512]) await record(count, vlans(count), [VF_WITHOUT_STATISTICS]);
}
