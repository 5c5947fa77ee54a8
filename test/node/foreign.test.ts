// timeout: 300s
// Pods that Multus or its TKE fork attached: a node is upgraded in place, and its pods run on and end well.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor, inLab } from '../lab/doors.ts';
import { CONTAINER, ForeignPod } from '../lab/foreign.ts';
import { type CniCall, DIST, type Lab } from '../lab/lab.ts';
import { run, until } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

const STATIC = 'multus-4.3.0-static';
const CLUSTER = 'multus-4.3.0-cluster';

/** A pod as a fixture has it, and the configuration that the node has. */
async function attached(lab: Lab, fixture: string): Promise<{ foreign: ForeignPod; call: CniCall }> {
  await lab.addNetns('pod1');
  const foreign = new ForeignPod(lab, fixture);
  const { delegates: _, ...config } = lab.config;
  switch (fixture) {
    case CLUSTER:
      await lab.addUplink('uplink0');
      foreign.writeNodeFiles();
      lab.config = {
        ...config,
        clusterNetwork: join(lab.directory, 'netd/10-cluster.conflist'),
        defaultNetworks: [join(lab.directory, 'netd/extra')],
        confDir: join(lab.directory, 'confdir'),
      };
      break;
    case 'tke':
      foreign.writeConfigurations(join(lab.directory, 'confdir'));
      lab.config = {
        ...config,
        cniVersion: '0.4.0',
        defaultDelegates: 'tke-route,tke-bridge@eth0',
        confDir: join(lab.directory, 'confdir'),
      };
      break;
  }
  await foreign.attach();
  foreign.write();
  return { foreign, call: { container: CONTAINER, args: lab.podArgs('pod1') } };
}

/** How much of what Multus wrote there is when DEL comes. */
const REMAINS: { what: string; damage: (foreign: ForeignPod, lab: Lab) => void }[] = [
  { what: 'with all its files', damage: () => undefined },
  {
    // Multus removes its file although a delegate's DEL failed, and answers every later DEL with success.
    what: "after Multus's own DEL failed",
    damage: (_, lab) => rmSync(join(lab.stateDir, CONTAINER)),
  },
  {
    // Multus's weak point 21: a crash while the file was written makes every DEL a silent no-op.
    what: 'when its file was cut off',
    damage: (foreign, lab) =>
      writeFileSync(join(lab.stateDir, CONTAINER), JSON.stringify(foreign.entries).slice(0, 700)),
  },
  {
    what: 'when its file is an empty list',
    damage: (_, lab) => writeFileSync(join(lab.stateDir, CONTAINER), '[]'),
  },
  {
    what: 'without the results',
    damage: (_, lab) => rmSync(join(lab.stateDir, 'results'), { recursive: true }),
  },
  {
    // Multus's weak point 4: DEL gets neither the plugins' keys of a list nor the pod's requests.
    what: 'with nothing but reduced configurations',
    damage: (foreign, lab) => {
      for (const entry of foreign.entries) delete entry.CNINetworkConfigList;
      writeFileSync(join(lab.stateDir, CONTAINER), JSON.stringify(foreign.entries));
      rmSync(join(lab.stateDir, 'results'), { recursive: true });
    },
  },
];

/** Files that were set aside are meant to stay. */
const notAside = (left: string[]): string[] => left.filter((one) => !one.includes('.damaged-'));

for (const fixture of [STATIC, CLUSTER]) {
  for (const { what, damage } of REMAINS) {
    // Nodes could not be upgraded with running pods: their addresses and links would stay for ever.
    eachDoor(`DEL of ${fixture} ${what} leaves nothing, twice`, async (lab) => {
      const { foreign, call } = await attached(lab, fixture);
      damage(foreign, lab);
      assertSilent(await lab.cni('DEL', call));
      assert.equal(notAside(await lab.leftovers('pod1')), []);
      assertSilent(await lab.cni('DEL', call));
    });
  }
}

for (const { what, pods, change } of [
  { what: 'CNI_NETNS is empty', pods: ['pod1'], change: async () => ({ pod: '' }) },
  {
    what: 'its namespace is gone',
    pods: [],
    change: async (lab: Lab) => {
      await lab.deleteNetns('pod1');
      return {};
    },
  },
]) {
  // Pods whose sandbox is gone would keep their addresses.
  eachDoor(`DEL of ${CLUSTER} leaves nothing when ${what}`, async (lab) => {
    const { call } = await attached(lab, CLUSTER);
    assertSilent(await lab.cni('DEL', { ...call, ...(await change(lab)) }));
    const left = () => lab.leftovers(...pods);
    // Links go with their namespace, a moment after it.
    await until('the links are gone', async () => !(await left()).some((one) => one.startsWith('host link')));
    assert.equal(await left(), []);
  });
}

// A path that is used anew would cost another pod its network: libcni's cache has no identity of the namespace.
eachDoor('what Multus attached is never detached in the namespace of another pod', async (lab) => {
  const { call } = await attached(lab, STATIC);
  await lab.addNetns('pod2');
  await lab.exec('pod2', 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
  assertSilent(await lab.cni('DEL', { ...call, pod: 'pod2' }));
  assert.equal(await lab.leftovers('pod1', 'pod2'), ['link pod2/eth0'], 'its own is known by its links');
});

eachDoor('GC leaves a namespace alone that has the path of a dead pod of Multus', async (lab) => {
  await attached(lab, STATIC);
  await lab.deleteNetns('pod1');
  await lab.addNetns('pod1');
  await lab.exec('pod1', 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
  assertSilent(await collect(lab));
  assert.equal(await lab.leftovers('pod1'), ['link pod1/eth0']);
});

// DEL with the arguments of ADD: what a plugin did by its capability arguments it can undo only with them.
eachDoor("Multus's weak point 4: DEL gets the arguments, the result and the configuration of ADD", async (lab) => {
  const { foreign, call } = await attached(lab, CLUSTER);
  lab.plugin('macvlan', `#!/bin/sh\nenv > ${lab.directory}/seen.env\ncat > ${lab.directory}/seen.json\n`);
  lab.plugin('tuning', '#!/bin/sh\ncat > /dev/null\n');
  assertSilent(await lab.cni('DEL', call));
  const read = async (file: string): Promise<string> =>
    (await lab.exec('host', 'cat', join(lab.directory, file))).stdout;
  const env = (await read('seen.env')).split('\n');
  for (const line of [
    'CNI_COMMAND=DEL',
    'CNI_IFNAME=net3',
    `CNI_NETNS=${lab.netns('pod1')}`,
    'CNI_ARGS=IgnoreUnknown=true;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod1;K8S_POD_INFRA_CONTAINER_ID=;' +
      'K8S_POD_UID=uid-pod1;IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod1;K8S_POD_UID=uid-pod1;' +
      'MAC=02:00:00:00:12:05;IP=10.212.0.5/24',
  ]) {
    assert.ok(env.includes(line), `${line} is not in ${env.join('\n')}`);
  }
  assert.equal(JSON.parse(await read('seen.json')), {
    type: 'macvlan',
    master: 'uplink0',
    mode: 'bridge',
    capabilities: { ips: true },
    ipam: { type: 'static' },
    name: 'fast',
    cniVersion: '1.0.0',
    runtimeConfig: { ips: ['10.212.0.5/24'] },
    prevResult: foreign.cache.get('fast-c1-net3').result,
  });
});

// A delegate that is busy would leak what it holds, or the pod could never end.
eachDoor('DEL that fails in a delegate keeps the rest in our journal, and the next one ends it', async (lab) => {
  const { call } = await attached(lab, STATIC);
  lab.plugin('tuning', `#!/bin/sh\necho '{"code":11,"msg":"tuning is busy"}'; exit 1\n`);
  assertError(await lab.cni('DEL', call), 11, 'tuning is busy', '"lan"');
  assert.equal(lab.stateFiles(), ['state/c1'], 'one record of ours, and none of the other program’s files');
  rmSync(join(lab.binDir, 'tuning'));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus removes its results with a cache that is cleaned, the TKE fork keeps them elsewhere: nobody would try again.
eachDoor('DEL that fails in a delegate is told also where its result is not known', async (lab) => {
  const { call } = await attached(lab, 'tke');
  lab.plugin('bridge', `#!/bin/sh\necho '{"code":11,"msg":"bridge is busy"}'; exit 1\n`);
  assertError(await lab.cni('DEL', call), 11, 'bridge is busy');
  rmSync(join(lab.binDir, 'bridge'));
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// What is still known would be in a file that no program reads again.
eachDoor('a crash in the DEL of a file that is damaged in part loses nothing of the rest', async (lab) => {
  const { foreign, call } = await attached(lab, STATIC);
  rmSync(join(lab.stateDir, 'results'), { recursive: true });
  writeFileSync(join(lab.stateDir, CONTAINER), JSON.stringify([...foreign.entries, null]));
  lab.plugin('tuning', `#!/bin/sh\nkill -9 ${lab.daemonPid ?? ''} $PPID\n`);
  assert.is((await lab.cni('DEL', call)).code, null, 'it was killed');
  rmSync(join(lab.binDir, 'tuning'));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(notAside(await lab.leftovers('pod1')), []);
});

// The runtime would attach a second set of links, or tear down the running pod.
eachDoor('ADD of a container that Multus attached is refused and touches nothing', async (lab) => {
  const { call } = await attached(lab, STATIC);
  lab.manifest('pod1.yaml', lab.podManifest('pod1', ''));
  const before = [await lab.linkSummary('pod1'), lab.reservations(), lab.stateFiles()];
  assertError(await lab.cni('ADD', call), 104, 'c1', 'Multus attached it', 'DEL it first');
  assert.equal([await lab.linkSummary('pod1'), lab.reservations(), lab.stateFiles()], before);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

for (const { what, damage, facts } of [
  { what: 'of the default network', damage: ['addr', 'flush', 'dev', 'eth0'], facts: ['cluster'] },
  {
    what: 'that an annotation asked for',
    damage: ['link', 'set', 'net3', 'address', '02:00:00:00:12:99'],
    facts: ['default/fast'],
  },
]) {
  // Whoever runs CHECK would take a broken pod for a healthy one.
  eachDoor(
    `Multus's weak point 3: CHECK of a pod that Multus attached names the damage of an interface ${what}`,
    async (lab) => {
      const { call } = await attached(lab, CLUSTER);
      assertSilent(await lab.cni('CHECK', call));
      assert.is((await lab.exec('pod1', 'ip', ...damage)).code, 0);
      const checked = await lab.cni('CHECK', call);
      assertError(checked, checked.json?.code, ...facts);
      assertSilent(await lab.cni('DEL', call));
    },
  );
}

/** GC that names these containers as valid. */
const collect = (lab: Lab, ...valid: string[]) => collectIn(lab, [], ...valid);

const collectIn = (lab: Lab, wrapper: string[], ...valid: string[]) =>
  lab.cni('GC', {
    wrapper,
    config: JSON.stringify({
      ...lab.config,
      cniVersion: '1.1.0',
      'cni.dev/valid-attachments': valid.map((containerID) => ({ containerID, ifname: 'eth0' })),
    }),
  });

// Multus's weak point 2: GC does nothing, and the files of dead containers stay for ever.
eachDoor(
  "Multus's weak point 2: GC keeps what Multus attached and is valid, and collects it once it is not",
  async (lab) => {
    await attached(lab, CLUSTER);
    const before = [await lab.linkSummary('pod1'), lab.reservations(), lab.stateFiles()];
    assertSilent(await collect(lab, CONTAINER));
    assert.equal([await lab.linkSummary('pod1'), lab.reservations(), lab.stateFiles()], before);
    assertSilent(await collect(lab));
    await assertClean(lab, 'pod1');
  },
);

eachDoor("Multus's weak point 2: GC succeeds on a node that never had a pod", async (lab) => {
  lab.config['cniVersion'] = '1.1.0';
  assertSilent(await collect(lab));
  assert.equal(lab.stateFiles(), []);
});

// The operator would take the node for empty.
inLab('multus ps shows what Multus attached', async (lab) => {
  await attached(lab, CLUSTER);
  const { code, stdout, stderr } = await run(process.execPath, [
    join(DIST, 'multus-cli'),
    'ps',
    '--cni-dir',
    lab.stateDir,
  ]);
  assert.is(code, 0, stderr);
  const rows = stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 5).join(' | '));
  assert.equal(rows.slice(1, -1), [
    'c1 | default/pod1 | cluster | eth0 | attached (by Multus)',
    'c1 | default/pod1 | extra | net1 | attached (by Multus)',
    'c1 | default/pod1 | default/lan | net2 | attached (by Multus)',
    'c1 | default/pod1 | default/fast | net3 | attached (by Multus)',
    'c1 | default/pod1 | default/onnode | north0 | attached (by Multus)',
    'c1 | default/pod1 | default/listonnode | net5 | attached (by Multus)',
  ]);
});

// Every pod of the node would lose its network with the upgrade; or those that died before it would leak.
inLab('the reconciler leaves living pods of Multus alone, and detaches those whose namespace is gone', async (lab) => {
  await attached(lab, STATIC);
  await lab.startDaemon('--reconcile-interval', '1');
  await lab.addNetns('pod2');
  assertResult(await lab.cni('ADD', { container: 'c2', pod: 'pod2' }), '1.0.0');
  const before = await lab.linkSummary('pod1');
  await lab.deleteNetns('pod2');
  await until('the other pod is detached', () => !lab.stateFiles().includes('state/c2'));
  assert.equal(await lab.linkSummary('pod1'), before, 'c1 comes before c2');
  await lab.deleteNetns('pod1');
  await until('the pod is detached', () => lab.stateFiles().length === 0);
  assert.equal(lab.reservations(), []);
});

// Pods of the TKE fork could not be deleted once its state has another place.
eachDoor('DEL of tke leaves nothing, twice', async (lab) => {
  const { call } = await attached(lab, 'tke');
  assert.equal((await lab.links('pod1')).map(({ ifname }) => ifname).sort(), ['eth0', 'eth1']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
  assertSilent(await lab.cni('DEL', call));
});

/** Run the shim where /var/lib/cni is a folder of the lab. */
function withVarLibCni(lab: Lab): { folder: string; wrapper: string[] } {
  const folder = join(lab.directory, 'var-lib-cni');
  const script = `mount -t tmpfs none /var/lib && mkdir /var/lib/cni && mount --bind ${folder} /var/lib/cni && exec "$0"`;
  return { folder, wrapper: ['unshare', '--mount', 'sh', '-c', script] };
}

// The fork's default directory is also where host-local keeps the addresses of a network called "multus".
inLab("the TKE fork's own state directory is found, and a host-local network in it is left alone", async (lab) => {
  const { foreign, call } = await attached(lab, 'tke');
  rmSync(lab.stateDir, { recursive: true });
  const { cniDir: _, ...config } = lab.config;
  lab.config = config;
  const { folder, wrapper } = withVarLibCni(lab);
  const state = join(folder, 'networks/multus');
  foreign.write(state);
  rmSync(join(state, 'results'), { recursive: true });
  const reserved = ['10.9.0.2', 'last_reserved_ip.0', 'lock'];
  for (const name of reserved) writeFileSync(join(state, name), name === 'lock' ? '' : 'c9\r\neth0');
  mkdirSync(join(folder, 'results'));
  for (const name of ['tke-bridge-c1', 'multus-lab-c1-eth0']) {
    writeFileSync(join(folder, 'results', name), '{"cniVersion":"0.4.0"}');
  }
  assertSilent(await collectIn(lab, wrapper, CONTAINER));
  assert.ok(existsSync(join(state, CONTAINER)), 'GC keeps what is valid');
  assertSilent(await lab.cni('DEL', { ...call, wrapper }));
  assert.equal(await lab.leftovers('pod1'), []);
  assert.equal(readdirSync(state).sort(), reserved);
  assert.equal(readdirSync(join(folder, 'results')), ['multus-lab-c1-eth0'], "the runtime's own result stays");
});

test.run();
