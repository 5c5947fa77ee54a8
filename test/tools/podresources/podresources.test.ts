/**
 * The kubelet's client against Go's gRPC and the kubelet's own messages: what our fakes have in common with the client
 * cannot hide here. `.ci/run` builds the server and names it in PODRESOURCES_SERVER.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { podDevices } from '../../../src/node/kubelet/pod-devices.ts';
import { laterRefusal } from '../../unit/cni/refusal.ts';
import { folderFor } from '../../unit/folder.ts';

const SERVER = process.env['PODRESOURCES_SERVER'] ?? '';
const folder = folderFor(test);

/** A ListPodResourcesResponse as protojson reads it. */
interface Response {
  podResources: { name: string; namespace: string; containers: Container[] }[];
}

interface Container {
  name: string;
  cpuIds: string[];
  memory: { memoryType: string; size: string; topology: { nodes: { ID: string }[] } }[];
  devices: { resourceName: string; deviceIds: string[]; topology?: { nodes: { ID: string }[] } }[];
  dynamicResources: {
    claimName: string;
    claimNamespace: string;
    claimResources: {
      cdiDevices: { name: string }[];
      driverName: string;
      poolName: string;
      deviceName: string;
      shareId?: string;
    }[];
  }[];
}

/** With the server on the kubelet's socket in `folder`. */
async function withServer(
  methods: 'list' | 'get' | 'get-disabled',
  response: Response,
  work: () => Promise<void>,
): Promise<void> {
  const socket = folder.at('pod-resources', 'kubelet.sock');
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true }); // of the server before, as the kubelet does
  const server = spawn(SERVER, [socket, methods], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  try {
    server.stdin.end(JSON.stringify(response));
    await Promise.race([once(server.stdout, 'data'), ended.then(() => assert.unreachable('the server ended'))]);
    await work();
  } finally {
    server.kill();
    await ended;
  }
}

const ask = (name: string, namespace = 'prod') =>
  podDevices({ namespace, name, uid: '' }, folder.path, new AbortController().signal);

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const numbers = fc.array(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String), { maxLength: 4 });
const topology = numbers.map((ids) => ({ nodes: ids.map((ID) => ({ ID })) }));
const container: fc.Arbitrary<Container> = fc.record({
  name: text,
  cpuIds: numbers,
  memory: fc.array(fc.record({ memoryType: text, size: fc.nat().map(String), topology }), { maxLength: 2 }),
  devices: fc.array(fc.record({ resourceName: text, deviceIds: fc.array(text, { maxLength: 9 }), topology }), {
    maxLength: 4,
  }),
  dynamicResources: fc.array(
    fc.record({
      claimName: text,
      claimNamespace: text,
      claimResources: fc.array(
        fc.record({
          cdiDevices: fc.array(
            text.map((id) => ({ name: `vendor.com/net=${id}` })),
            { maxLength: 3 },
          ),
          driverName: text,
          poolName: text,
          deviceName: text,
          shareId: text,
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 2 },
  ),
});

/** What must be read of these containers. */
function expected(containers: readonly Container[]): Map<string, string[]> {
  const sets = new Map<string, Set<string>>();
  const add = (name: string, ids: string[]) => sets.set(name, new Set([...(sets.get(name) ?? []), ...ids]));
  for (const { devices, dynamicResources } of containers) {
    for (const { resourceName, deviceIds } of devices) add(resourceName, deviceIds);
    for (const { claimName, claimResources } of dynamicResources) {
      const names = claimResources.flatMap(({ cdiDevices }) => cdiDevices.map(({ name }) => name));
      add(
        claimName,
        names.map((name) => name.slice('vendor.com/net='.length)),
      );
    }
  }
  return new Map([...sets].map(([name, ids]) => [name, [...ids].sort()]));
}

const pods = fc
  .sample(fc.array(container, { maxLength: 3 }), 200)
  .map((containers, i) => ({ name: `web-${i}`, namespace: 'prod', containers }));

if (SERVER === '') {
  console.log('SKIPPED: needs the server of .ci/run in PODRESOURCES_SERVER');
  test.skip('needs the server');
} else {
  for (const methods of ['get', 'get-disabled', 'list'] as const) {
    test(`reads every pod that a kubelet with "${methods}" writes`, async () => {
      await withServer(methods, { podResources: pods }, async () => {
        for (const { name, containers } of pods) assert.equal(await ask(name), expected(containers), name);
      });
    });

    test(`a pod that a kubelet with "${methods}" does not have is "try again later"`, async () => {
      await withServer(methods, { podResources: pods }, async () => {
        const { code, message } = await laterRefusal(() => ask('web-0', 'dev'));
        assert.is(code, 11);
        assert.match(message, 'for the devices of pod dev/web-0: it does not have the pod');
      });
    });
  }

  test('reads a list of many megabytes, and refuses one that is larger than any node has', async () => {
    const many = (count: number) => ({
      name: 'other',
      namespace: 'prod',
      containers: [{ ...NO_DEVICES, devices: [{ resourceName: 'r', deviceIds: Array(count).fill('0000:3b:02.1') }] }],
    });
    const web = { name: 'web', namespace: 'prod', containers: [] };
    await withServer('list', { podResources: [many(1_000_000), web] }, async () => {
      assert.equal(await ask('web'), new Map());
    });
    await withServer('list', { podResources: [many(1_500_000), web] }, async () => {
      const { code, message } = await laterRefusal(() => ask('web'));
      assert.is(code, 11);
      assert.match(message, 'its answer has more than 16777216 bytes');
    });
  });
}

const NO_DEVICES: Container = { name: 'app', cpuIds: [], memory: [], devices: [], dynamicResources: [] };

test.run();
