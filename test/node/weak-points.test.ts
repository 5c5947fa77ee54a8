// timeout: 300s
// Where Multus is known to fail, by the numbers of docs/compatibility.md; what other files prove names the number there.
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor, inLab } from '../lab/doors.ts';
import { Fakes } from '../lab/fakes.ts';
import { DIST, type Lab, referencePlugins } from '../lab/lab.ts';
import { post } from '../lab/post.ts';
import { must, run } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** The default network is a list in a file of the node. */
function clusterNetwork(lab: Lab, ...plugins: object[]): string {
  const path = join(lab.directory, '10-cluster.conflist');
  writeFileSync(path, JSON.stringify({ cniVersion: '1.0.0', name: 'cluster', plugins }));
  const { delegates: _, ...config } = lab.config;
  lab.config = { ...config, clusterNetwork: path };
  return path;
}

// Multus's weak point 3: CHECK runs nothing where the default network is a clusterNetwork, and never sees definitions.
eachDoor('CHECK of a pod covers its clusterNetwork and its definitions', async (lab) => {
  const { name: _, cniVersion: __, ...ptp } = lab.ptp('x', '10.210.0.0/24');
  clusterNetwork(lab, ptp);
  await lab.addNetns('pod1');
  lab.manifest('pod1.yaml', lab.nadManifest('lan', lab.bridge('lan', '10.211.0.0/24')), lab.podManifest('pod1', 'lan'));
  const call = { args: lab.podArgs('pod1') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertSilent(await lab.cni('CHECK', call));
  for (const [link, network] of [
    ['net1', 'default/lan'],
    ['eth0', 'cluster'],
  ] as const) {
    assert.is((await lab.exec('pod1', 'ip', 'addr', 'flush', 'dev', link)).code, 0);
    const checked = await lab.cni('CHECK', call);
    assertError(checked, checked.json?.code, `"${network}"`); // eth0 comes first
  }
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 4: a list from a file has lost its keys on DEL, and what the file says by then counts.
eachDoor('DEL gives plugins of a clusterNetwork the keys of ADD, whatever has become of its file', async (lab) => {
  const fakes = new Fakes(lab);
  fakes.plugin('one');
  fakes.plugin('two');
  const path = clusterNetwork(lab, { type: 'one', key: { deep: [1, '2'] } }, { type: 'two', other: 1.5 });
  await lab.addNetns('pod1');
  assert.is((await lab.cni('ADD')).code, 0);
  rmSync(path);
  assertSilent(await lab.cni('DEL'));
  const [addOne, addTwo, delTwo, delOne] = fakes.executions().map(({ stdin }) => JSON.parse(stdin));
  const prevResult = { cniVersion: '1.0.0' };
  assert.equal(delOne, { ...addOne, prevResult });
  assert.equal(delTwo, { ...addTwo, prevResult });
  assert.equal([addOne.key, addTwo.other], [{ deep: [1, '2'] }, 1.5]);
  await assertClean(lab, 'pod1');
});

// Multus's weak point 12: a plugin that is being replaced is taken for one that succeeded and printed nothing.
eachDoor('a plugin that stays busy fails CHECK, STATUS and DEL, and DEL is complete once it is not', async (lab) => {
  const path = join(lab.binDir, 'ptp');
  copyFileSync(join(referencePlugins(), 'ptp'), path);
  const delegate = { ...lab.ptp('lab-default', '10.210.0.0/24'), cniVersion: '1.1.0' };
  Object.assign(lab.config, { cniVersion: '1.1.0', delegates: [{ ...delegate, cniVersion: '1.0.0' }] });
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD'), '1.1.0');
  const writer = openSync(path, 'r+');
  try {
    for (const command of ['CHECK', 'DEL']) {
      assertError(await lab.cni(command), 100, 'Cannot start plugin "ptp" of network "lab-default"', 'ETXTBSY');
    }
    lab.config['delegates'] = [delegate];
    assertError(await lab.cni('STATUS'), 100, 'Cannot start plugin "ptp" of network "lab-default"', 'ETXTBSY');
  } finally {
    closeSync(writer);
  }
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 18: its daemon takes any container ID for the name of a file, and one has the name of a folder.
inLab('the daemon refuses a container ID that is a path or the name of its own folder', async (lab) => {
  await lab.startDaemon();
  await lab.addNetns('pod1');
  mkdirSync(join(lab.stateDir, 'results'), { recursive: true });
  const victim = join(lab.directory, 'victim');
  writeFileSync(victim, '[]');
  for (const container of ['../victim', victim, 'results', 'results/x', '..', '.lock', 'a\nb', '']) {
    for (const command of ['ADD', 'DEL', 'CHECK']) {
      const { status, body } = await post(lab, {
        CNI_COMMAND: command,
        CNI_CONTAINERID: container,
        CNI_NETNS: lab.netns('pod1'),
        CNI_IFNAME: 'eth0',
        CNI_PATH: referencePlugins(),
        CNI_ARGS: '',
      });
      assert.ok(status >= 400, `${command} of ${JSON.stringify(container)}: ${status} ${body}`);
      assert.match(body, /CNI_CONTAINERID/);
    }
  }
  assert.is(readFileSync(victim, 'utf8'), '[]');
  assert.ok(existsSync(join(lab.stateDir, 'results')));
  assert.equal(await lab.leftovers('pod1'), []);
});

// Multus's weak point 18: its daemon empties the folder of its socket, whatever that is.
inLab('the daemon leaves what else lies in the folder of its socket', async (lab) => {
  const kept = ['a-file', 'folder/another'].map((name) => join(lab.socketDir, name));
  mkdirSync(join(lab.socketDir, 'folder'), { recursive: true });
  for (const path of kept) writeFileSync(path, 'x');
  for (let i = 0; i < 2; i++) {
    await lab.startDaemon();
    await lab.endDaemon('SIGKILL'); // it leaves its socket, which the next one replaces
  }
  await lab.startDaemon();
  await lab.endDaemon();
  for (const path of kept) assert.is(readFileSync(path, 'utf8'), 'x');
});

// What was attached without a record would stay behind for ever; a record in part would keep the pod from being deleted.
eachDoor('a pod is not attached while the disk of the journal is full, and is once there is room', async (lab) => {
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('one')];
  const stateDir = join(lab.directory, 'small');
  mkdirSync(stateDir);
  await must('mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', stateDir);
  try {
    lab.config['cniDir'] = stateDir;
    await lab.addNetns('pod1');
    const filler = join(stateDir, '.filler');
    writeFileSync(filler, 'x'.repeat(64 * 1024));
    assertError(await lab.cni('ADD'), 105, 'ENOSPC');
    assert.equal(fakes.history(), [], 'no plugin ran');
    assertSilent(await lab.cni('DEL'));
    rmSync(filler);
    assertResult(await lab.cni('ADD'), '1.0.0');
    assertSilent(await lab.cni('DEL'));
    assert.equal(fakes.history(), ['ADD one', 'DEL one']);
    await lab.endDaemon();
  } finally {
    await must('umount', stateDir);
  }
});

// Multus's weak point 21: a crash while the state is written makes every DEL of the pod a silent no-op.
eachDoor('a crash in mid-ADD leaves a record that is whole and says what may be there', async (lab) => {
  const fakes = new Fakes(lab);
  const crash = fakes.plugin('crash', { ADD: `kill -9 ${lab.daemonPid ?? ''} $PPID` });
  lab.config['delegates'] = [lab.ptp('lab-default', '10.210.0.0/24'), crash];
  await lab.addNetns('pod1');
  assert.is((await lab.cni('ADD')).code, null, 'it was killed');
  assert.not(statSync(join(lab.stateDir, 'c1')).size === 0);
  const ps = await run(process.execPath, [join(DIST, 'multus-cli'), 'ps', '--json', '--cni-dir', lab.stateDir]);
  assert.is(ps.code, 0, ps.stderr);
  const { containers, unreadable } = JSON.parse(ps.stdout);
  assert.equal(unreadable, []);
  assert.is(containers[0].complete, false);
  assert.equal(
    containers[0].attachments.map(({ network }: { network: string }) => network),
    ['lab-default', 'crash'],
  );
  assertSilent(await lab.cni('DEL'));
  assert.equal(fakes.history(), ['ADD crash', 'DEL crash']);
  await assertClean(lab, 'pod1');
});

// Multus's weak point 21, for a disk that loses what was written: DEL says so and releases what it can.
eachDoor('a record that was damaged is set aside, and the default network is released', async (lab) => {
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD'), '1.0.0');
  const path = join(lab.stateDir, 'c1');
  writeFileSync(path, readFileSync(path).subarray(0, 500));
  assertSilent(await lab.cni('DEL'));
  assert.equal(lab.reservations(), []);
  assert.equal(
    lab.stateFiles().map((name) => name.replace(/\d+$/, '')),
    ['state/.damaged-c1-'],
  );
  assertSilent(await lab.cni('DEL'));
});

test.run();
