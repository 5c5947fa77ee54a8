/**
 * `00-multus.conf` as the daemon generates it, handed to the real shim as a runtime would. What happens after a minute
 * without a primary is in test/unit/node-config/node-config-file.test.ts, with a clock of its own.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inLab } from '../lab/doors.ts';
import type { Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';

const netDir = (lab: Lab): string => join(lab.directory, 'net.d');
const generated = (lab: Lab): string => join(netDir(lab), '00-multus.conf');
const primaryPath = (lab: Lab): string => join(netDir(lab), '10-ptp.conf');

/** Write a file as a careful installer does. */
function put(path: string, content: unknown): void {
  const draft = `${path}.new`;
  writeFileSync(draft, typeof content === 'string' ? content : JSON.stringify(content));
  renameSync(draft, path);
}

function primary(lab: Lab, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...lab.ptp('node', '10.210.0.0/24'), ...extra };
}

/** Start the daemon with the keys that Multus's daemon-config.json has for this. */
async function startGenerating(lab: Lab, keys: Record<string, unknown> = {}): Promise<void> {
  mkdirSync(netDir(lab), { recursive: true });
  const path = join(lab.directory, 'daemon-config.json');
  const folders = { cniConfigDir: netDir(lab), multusAutoconfigDir: netDir(lab) };
  const own = { binDir: lab.binDir, cniDir: lab.stateDir, daemonSocketDir: lab.socketDir };
  put(path, { socketDir: lab.socketDir, multusConfigFile: 'auto', ...folders, ...own, ...keys });
  await lab.startDaemon('--config', path);
}

const read = (lab: Lab): string => readFileSync(generated(lab), 'utf8');
const capabilities = (lab: Lab): string[] => Object.keys(JSON.parse(read(lab)).capabilities);
const inPlace = (lab: Lab): Promise<void> => until('00-multus.conf is there', () => existsSync(generated(lab)));
const logged = (lab: Lab, message: string, times = 1): Promise<void> =>
  until(`the daemon says "${message}"`, () => lab.daemonLog.split(message).length > times);

/** ADD with the generated file, as the runtime would by now. */
const add = (lab: Lab) => lab.cni('ADD', { config: read(lab) });

/** A pod can be attached by the primary network and detached again. */
async function attachAndDetach(lab: Lab): Promise<void> {
  const { code, json, stdout } = await add(lab);
  assert.is(code, 0, stdout);
  assert.match(json.ips[0].address, /^10\.210\.0\./);
  assert.equal(
    (await lab.links('pod1')).map(({ ifname }) => ifname),
    ['eth0'],
  );
  assert.is((await lab.cni('DEL', { config: read(lab) })).code, 0);
  assert.equal(await lab.leftovers('pod1'), []);
}

// The runtime reads the file as soon as it is there: what it finds must work at once, and also when the daemon is gone.
inLab('the generated file attaches pods by the primary network, with the daemon and without it', async (lab) => {
  await lab.addNetns('pod1');
  mkdirSync(netDir(lab));
  put(primaryPath(lab), primary(lab));
  await startGenerating(lab);
  await inPlace(lab);
  assert.is(JSON.parse(read(lab)).clusterNetwork, primaryPath(lab));
  await attachAndDetach(lab);
  await lab.endDaemon('SIGKILL');
  await attachAndDetach(lab);
});

// Multus ends after two minutes without a primary; the node then waits for somebody to restart its pod.
inLab('a daemon without a primary waits for it and says so', async (lab) => {
  await lab.addNetns('pod1');
  await startGenerating(lab);
  await logged(lab, 'no node configuration yet');
  assert.not.ok(existsSync(generated(lab)));
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  await attachAndDetach(lab);
});

// Multus's weak point 11: a capability that the primary gave up is asked of the runtime for ever.
inLab('capabilities follow the primary, also when it has fewer', async (lab) => {
  await startGenerating(lab);
  for (const names of [['bandwidth', 'portMappings'], ['portMappings'], []]) {
    put(primaryPath(lab), primary(lab, { capabilities: Object.fromEntries(names.map((name) => [name, true])) }));
    const expected = [...names, 'io.kubernetes.cri.pod-annotations'].sort();
    await until(`the capabilities are ${expected}`, () => {
      return existsSync(generated(lab)) && capabilities(lab).join() === expected.join();
    });
  }
});

// Multus's weak point 11: the file becomes empty, the runtime cannot read it, and the node is not ready.
inLab('a primary that becomes unusable leaves the last good file, and the next good one is followed', async (lab) => {
  await lab.addNetns('pod1');
  await startGenerating(lab);
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  const good = read(lab);
  writeFileSync(primaryPath(lab), '{"cniVersion": "1.0.0", "name":');
  await logged(lab, 'node configuration left as it is');
  assert.match(lab.daemonLog, `Cannot parse CNI configuration file ${primaryPath(lab)}`);
  assert.is(read(lab), good);
  put(primaryPath(lab), primary(lab, { capabilities: { ips: true } }));
  await until('the next good one counts', () => capabilities(lab).includes('ips'));
  await attachAndDetach(lab);
});

// Multus's weak point 11: nobody notices that the primary is gone. Here pods are told, the running ones can be deleted,
// and a network whose agent restarts does not make the node flap.
inLab('while the primary is away, ADD says what is missing, DEL works, and its return is enough', async (lab) => {
  await lab.addNetns('pod1');
  await startGenerating(lab);
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  assert.is((await add(lab)).code, 0);
  rmSync(primaryPath(lab));
  await logged(lab, 'node configuration kept for a while');
  assert.is((await lab.cni('DEL', { config: read(lab) })).code, 0);
  const { code, json } = await add(lab);
  assert.is(code, 1);
  assert.match(json.msg, `${primaryPath(lab)}: no such file or directory`);
  assert.equal(await lab.leftovers('pod1'), []);
  put(primaryPath(lab), primary(lab));
  await attachAndDetach(lab);
});

// Multus deletes the file whenever its daemon stops: pods that start during an upgrade silently have eth0 only.
inLab('the file outlives the daemon, however it ends, and the next one finds it as it is', async (lab) => {
  await lab.addNetns('pod1');
  await startGenerating(lab);
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  const before = [read(lab), statSync(generated(lab)).ino];
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const said = lab.daemonLog.split('node configuration in place').length;
    await lab.endDaemon(signal);
    await attachAndDetach(lab);
    await startGenerating(lab);
    await logged(lab, 'node configuration in place', said);
    assert.equal([read(lab), statSync(generated(lab)).ino], before);
  }
});

// A boot empties /run, and with it what the daemon told the standalone program: pods would silently lack a network.
inLab('after a boot, pods get all networks of the node before the daemon is up', async (lab) => {
  await lab.addNetns('pod1');
  const storage = join(lab.directory, 'storage.conf');
  put(storage, lab.bridge('storage', '10.211.0.0/24'));
  await startGenerating(lab, { defaultNetworks: [storage] });
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  await lab.endDaemon('SIGKILL');
  rmSync(lab.socketDir, { recursive: true });
  const { code, stdout } = await add(lab);
  assert.is(code, 0, stdout);
  assert.equal(
    (await lab.links('pod1')).map(({ ifname }) => ifname),
    ['eth0', 'net1'],
  );
  assert.is((await lab.cni('DEL', { config: read(lab) })).code, 0);
});

// Field notes J3: Cilium's agent renames every configuration that is not its own, whenever one comes.
inLab('a file that Cilium puts away comes back, and the log says what to set', async (lab) => {
  await lab.addNetns('pod1');
  await startGenerating(lab);
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  renameSync(generated(lab), `${generated(lab)}.cilium_bak`);
  await inPlace(lab);
  await logged(lab, 'set cni.exclusive=false');
  await attachAndDetach(lab);
});

// podman's file, or one of ours under another name, would be what the node's pods get.
inLab("other programs' files are passed over, also when they are first or alone", async (lab) => {
  await lab.addNetns('pod1');
  const others = { '01-copy.conf': lab.config, '87-podman.conflist': { ...primary(lab), name: 'podman' } };
  mkdirSync(netDir(lab));
  for (const [name, config] of Object.entries(others)) put(join(netDir(lab), name), config);
  await startGenerating(lab);
  await logged(lab, '01-copy.conf: it is one of us under another name; 87-podman.conflist: it is podman');
  assert.not.ok(existsSync(generated(lab)));
  put(primaryPath(lab), primary(lab));
  await inPlace(lab);
  assert.is(JSON.parse(read(lab)).clusterNetwork, primaryPath(lab));
  await attachAndDetach(lab);
});

// Multus's exit code for it: whoever deploys sees at once that no file will come.
inLab('settings that contradict each other end the start with code 2', async (lab) => {
  const message = await startGenerating(lab, { forceCNIVersion: true }).then(
    () => 'it started',
    (error: Error) => error.message,
  );
  assert.match(message, 'multusd ended with 2: multusd: Cannot start: "forceCNIVersion" needs "cniVersion"');
});

// Multus's weak point 11: with a file of one's own the daemon copies it and exits, and no pod can be attached.
inLab("a file of one's own is copied, and the daemon keeps answering", async (lab) => {
  await lab.addNetns('pod1');
  const own = join(lab.directory, '70-own.conf');
  put(own, lab.config);
  await startGenerating(lab, { multusConfigFile: own });
  const copy = join(netDir(lab), '70-own.conf');
  await until('the copy is there', () => existsSync(copy));
  const add = async (): Promise<number | null> => (await lab.cni('ADD', { config: readFileSync(copy) })).code;
  assert.is(await add(), 0);
  await logged(lab, 'ADD succeeded'); // by the daemon, not by the standalone program
  assert.is((await lab.cni('DEL', { config: readFileSync(copy) })).code, 0);
  put(own, { ...lab.config, capabilities: { ips: true } });
  await until('the change is copied', () => 'capabilities' in JSON.parse(readFileSync(copy, 'utf8')));
  assert.is(await add(), 0);
  assert.is((await lab.cni('DEL', { config: readFileSync(copy) })).code, 0);
});

// Two daemons that correct each other would give pods now this configuration, now that one.
inLab('the daemon that takes over is the only one to write the file', async (lab) => {
  mkdirSync(netDir(lab));
  put(primaryPath(lab), primary(lab));
  await startGenerating(lab);
  await inPlace(lab);
  const old = lab.daemonPid;
  await startGenerating(lab, { overrideNetworkName: true });
  const next = lab.daemonPid;
  const isRenamed = (): boolean => JSON.parse(read(lab)).name === 'node';
  await until('the new one has written it', isRenamed);
  put(generated(lab), '{}');
  await until('it is put back', () =>
    lab.daemonMessages(next).includes('somebody changed or removed the node configuration'),
  );
  await until('by the new one', isRenamed);
  await lab.endPredecessors();
  assert.ok(isRenamed());
  assert.not.ok(lab.daemonMessages(old).includes('somebody changed or removed the node configuration'));
});

test.run();
