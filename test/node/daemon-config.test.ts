/** The daemon's own file: what it changes for every request of the node, and what the daemon never does. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DOORS, inLab } from '../lab/doors.ts';
import { Fakes } from '../lab/fakes.ts';
import { DIST, type Lab } from '../lab/lab.ts';
import { type Finished, must, run } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

function writeConfig(lab: Lab, config: unknown): string {
  const path = join(lab.directory, 'daemon-config.json');
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config));
  return path;
}

/** A node whose daemon had this file; without the daemon at the standalone door. */
async function startNode(lab: Lab, door: (typeof DOORS)[number], config: unknown): Promise<void> {
  await lab.startDaemon('--config', writeConfig(lab, config));
  if (door === 'standalone') await lab.endDaemon();
}

/** multusd that must end by itself. */
function startToFail(lab: Lab, ...options: string[]): Promise<Finished> {
  const words = [join(DIST, 'multusd.cjs'), '--socket-dir', lab.socketDir, '--cni-dir', lab.stateDir, ...options];
  return run(process.execPath, words);
}

const nodeFiles = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).filter((name) => !name.startsWith('.')) : [];

for (const door of DOORS) {
  // The journal would be in one place for the daemon and in another one without it: DEL would find nothing to undo.
  inLab(`keys of the daemon's file hold for every request (${door})`, async (lab) => {
    await lab.addNetns('pod1');
    const nodeState = join(lab.directory, 'node-state');
    const nodeBin = join(lab.directory, 'node-bin');
    const fakes = new Fakes(lab);
    const config = { ...lab.config, delegates: [fakes.plugin('fake')] };
    mkdirSync(nodeBin);
    await must('mv', join(lab.binDir, 'fake'), join(nodeBin, 'fake'));
    await startNode(lab, door, { CNIDIR: nodeState, binDir: nodeBin });

    assertResult(await lab.cni('ADD', { config: JSON.stringify(config) }), '1.0.0');
    assert.equal(nodeFiles(nodeState), ['c1']);
    assert.equal(nodeFiles(lab.stateDir), []);

    if (door === 'daemon') await lab.endDaemon();
    else await lab.startDaemon('--config', join(lab.directory, 'daemon-config.json'));
    assertSilent(await lab.cni('DEL', { config: JSON.stringify(config) }));
    assert.equal(fakes.history(), ['ADD fake', 'DEL fake']);
    assert.equal(nodeFiles(nodeState), []);
  });

  // Multus's weak point 14: its daemon's keys end up in plugins' configurations.
  inLab(`no key of the daemon's file reaches a plugin (${door})`, async (lab) => {
    await lab.addNetns('pod1');
    const fakes = new Fakes(lab);
    const one = { ...fakes.plugin('one'), cniVersion: '0.4.0', capabilities: { mac: true, 'nothing-set': true } };
    const two = fakes.plugin('two');
    lab.manifest('m.yaml', lab.podManifest('web', 'two'), lab.nadManifest('two', two));
    const config = JSON.stringify({ ...lab.config, delegates: [one] });
    await startNode(lab, door, {
      cniVersion: '0.3.1',
      name: 'daemon-wide',
      type: 'multus-shim',
      logLevel: 'debug',
      confDir: '/daemon-wide',
      runtimeConfig: { mac: '02:00:00:00:00:99', 'nothing-set': 'daemon-wide' },
      prevResult: { cniVersion: '1.0.0', dns: { domain: 'daemon-wide' } },
      unknown: 'daemon-wide',
    });
    const args = lab.podArgs('web');
    assertResult(await lab.cni('ADD', { config, args }), '1.0.0');
    assertSilent(await lab.cni('DEL', { config, args }));
    const adds = fakes.executions().filter(({ command }) => command === 'ADD');
    assert.equal(
      adds.map(({ stdin }) => JSON.parse(stdin)),
      [one, two],
    );
    for (const { stdin, env } of fakes.executions()) {
      assert.not.match(stdin + JSON.stringify(env), /daemon-wide|00:00:99/);
    }
  });

  // The runtime would not understand the answer.
  inLab(`the answer has the request's version and name, whatever the daemon's file says (${door})`, async (lab) => {
    await lab.addNetns('pod1');
    await startNode(lab, door, { cniVersion: '0.3.1', name: 'other', type: 'other' });
    assertResult(await lab.cni('ADD'), '1.0.0');
    const other = JSON.stringify({ ...lab.config, name: 'other' });
    assertSilent(await lab.cni('DEL', { config: other }));
    assert.is((await lab.links('pod1')).length, 1, 'the DEL of another network must not touch it');
    assertSilent(await lab.cni('DEL'));
    await assertClean(lab, 'pod1');
  });
}

// A pod must not keep a node busy for ever because of a file.
inLab('a damaged overlay.json keeps no pod from being deleted, and none is attached by half of it', async (lab) => {
  await lab.addNetns('pod1');
  assertResult(await lab.cni('ADD'), '1.0.0');
  const path = join(lab.socketDir, 'overlay.json');
  mkdirSync(lab.socketDir);
  writeFileSync(path, '{"cniDir": "/node-st');
  assertError(await lab.cni('ADD', { container: 'c2' }), 6, path);
  assertError(await lab.cni('STATUS', { config: JSON.stringify({ ...lab.config, cniVersion: '1.1.0' }) }), 6, path);
  assert.is((await lab.cni('VERSION')).code, 0);
  const reply = await lab.cni('DEL');
  assertSilent(reply);
  assert.match(reply.stderr, 'going on without the keys of the daemon');
  await assertClean(lab, 'pod1');
  rmSync(path);
  mkdirSync(path);
  assertError(await lab.cni('ADD', { container: 'c2' }), 5, path);
  rmSync(path, { recursive: true });
  writeFileSync(path, 'half');
  await lab.startDaemon(); // it writes its own
  assertResult(await lab.cni('ADD'), '1.0.0');
  assertSilent(await lab.cni('DEL'));
});

inLab('a daemon without a file takes back what one with a file has left', async (lab) => {
  await lab.addNetns('pod1');
  await startNode(lab, 'standalone', { cniDir: join(lab.directory, 'node-state') });
  assert.ok(existsSync(join(lab.socketDir, 'overlay.json')));
  await lab.startDaemon('--config', writeConfig(lab, {}));
  assert.equal(existsSync(join(lab.socketDir, 'overlay.json')), false);
});

// Who looks for a way to ask whether the daemon answers finds it nowhere else: the shim has it, not the program behind it.
test('multus --help names every command, probe among them', async () => {
  const { stdout } = await run(join(DIST, 'multus'), ['--help']);
  for (const name of ['ps', 'forget', 'explain', 'install', 'uninstall', 'multus probe']) assert.match(stdout, name);
});

inLab('multus explain takes the keys of the daemon’s file into account', async (lab) => {
  const conf = join(lab.directory, 'multus.conf');
  const { manifestsDir, ...rest } = lab.config;
  writeFileSync(conf, JSON.stringify({ ...rest, manifestsDir: join(lab.directory, 'absent') }));
  lab.manifest('m.yaml', lab.podManifest('web', 'lan'), lab.nadManifest('lan', lab.bridge('lan', '10.211.0.0/24')));
  const words = ['explain', 'web', '--conf', conf, '--daemon-config', writeConfig(lab, { manifestsDir })];
  const { code, stdout, stderr } = await run(lab.shim, words);
  assert.is(code, 0, stderr);
  assert.match(stdout, 'default/lan');
});

// Multus's weak point 18: its daemon removes the whole socketDir when it starts, whatever is in it.
inLab('the daemon removes nothing from its socketDir but the socket of one that was killed', async (lab) => {
  mkdirSync(join(lab.socketDir, 'folder'), { recursive: true });
  for (const name of ['notes.txt', '.hidden', join('folder', 'deep')]) writeFileSync(join(lab.socketDir, name), name);
  const foreign = createServer();
  await new Promise<void>((resolve) => foreign.listen(join(lab.socketDir, 'other.sock'), resolve));
  await lab.startDaemon();
  await lab.endDaemon('SIGKILL');
  assert.ok(lstatSync(lab.socketPath).isSocket(), 'the killed daemon leaves its socket');
  await lab.startDaemon();
  foreign.close();
  for (const name of ['notes.txt', '.hidden', join('folder', 'deep')]) {
    assert.is(readFileSync(join(lab.socketDir, name), 'utf8'), name);
  }
});

// What somebody has put there would be lost.
inLab('the daemon does not start over a file that is no socket', async (lab) => {
  mkdirSync(lab.socketDir);
  writeFileSync(lab.socketPath, 'mine');
  const ended = await startToFail(lab);
  assert.is(ended.code, 3, ended.stderr);
  assert.match(ended.stderr, `Cannot listen on ${lab.socketPath}: something else than a socket is there`);
  assert.is(readFileSync(lab.socketPath, 'utf8'), 'mine');
});

// Multus's weak point 19: metrics and profiles for everybody who reaches the node.
inLab('with metricsPort and enablePprof nothing listens on a port, and the daemon says so', async (lab) => {
  await lab.startDaemon('--config', writeConfig(lab, { metricsPort: 9091, enablePprof: true }));
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6']) {
    const { stdout } = await lab.exec('host', 'cat', `/proc/net/${table}`);
    assert.is(stdout.trim().split('\n').length, 1, stdout);
  }
  for (const key of ['metricsPort', 'enablePprof']) assert.match(lab.daemonLog, `"${key}\\" has no effect`);
});

/** A request of a caller that does not execute for the daemon: plugins run as the daemon's children. */
function postRequest(lab: Lab, env: Record<string, string>, config: unknown): Promise<number | undefined> {
  const body = JSON.stringify({ env, config: Buffer.from(JSON.stringify(config)).toString('base64') });
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: lab.socketPath, path: '/cni', method: 'POST' }, (reply) => {
      reply.resume().once('end', () => resolve(reply.statusCode));
    });
    asked.once('error', reject).end(body);
  });
}

// Multus's weak point 19: service account variables and whatever else the daemon has go to every plugin.
inLab("a plugin's environment has nothing of the daemon's, and of the shim's what the runtime gave", async (lab) => {
  await lab.addNetns('pod1');
  const fakes = new Fakes(lab);
  const config = { ...lab.config, delegates: [fakes.plugin('fake')] };
  const daemonOnly = { KUBERNETES_SERVICE_HOST: '10.0.0.1', MULTUS_NODE_NAME: 'node', CNI_DAEMON_SECRET: 'secret' };
  Object.assign(process.env, daemonOnly);
  await lab.startDaemon();
  for (const name of Object.keys(daemonOnly)) delete process.env[name];

  const env = { RUNTIME_VARIABLE: 'kept', MULTUS_LOG_LEVEL: 'error', CNI_UNKNOWN: 'for us' };
  assertResult(await lab.cni('ADD', { config: JSON.stringify(config), env }), '1.0.0');
  const PATH = process.env['PATH'] ?? '';
  const cni = { CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_PATH: lab.binDir, CNI_NETNS: lab.netns('pod1') };
  assert.is(await postRequest(lab, { ...cni, CNI_COMMAND: 'DEL', CNI_ARGS: '' }, config), 200);

  const [add, del] = fakes.executions().map((execution) => {
    const { CNI_PATH, PWD: _, ...rest } = execution.env;
    assert.ok(CNI_PATH?.startsWith(lab.binDir), CNI_PATH);
    return rest;
  });
  const { CNI_PATH: __, ...asked } = cni;
  assert.equal(add, { ...asked, CNI_COMMAND: 'ADD', PATH, RUNTIME_VARIABLE: 'kept' });
  assert.equal(del, { ...asked, CNI_COMMAND: 'DEL', PATH });
});

// Multus's weak point 11: a daemon that ends with 0 looks as if it had done its work.
inLab('a daemon that cannot start ends with an exit code and says which key is wrong', async (lab) => {
  const cases: [string[], number, string][] = [
    [['--config', join(lab.directory, 'absent.json')], 1, 'absent.json: there is no such file'],
    [['--config', writeConfig(lab, '{"logLevel": ')], 1, 'daemon-config.json: unexpected end of text'],
  ];
  for (const [options, code, part] of cases) {
    const ended = await startToFail(lab, ...options);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, part);
  }
  const files: [unknown, number, string][] = [
    [{ metricsPort: 'many' }, 1, 'key "metricsPort" must be a whole number from 0, got "many"'],
    [{ cniDir: 5 }, 1, 'key "cniDir" must be a string, got 5'],
    [{ connectionLimit: 0 }, 3, '"connectionLimit" must be a whole number from 1, got 0'],
    [{ connectionLimit: -3 }, 3, '"connectionLimit" must be a whole number from 1, got -3'],
  ];
  for (const [file, code, part] of files) {
    const ended = await startToFail(lab, '--config', writeConfig(lab, file));
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, part);
  }
  const blocked = await startToFail(lab, '--socket-dir', join(lab.directory, 'daemon-config.json', 'below'));
  assert.is(blocked.code, 1, blocked.stderr);
});

// Multus's weak point 11: its daemon copies the file and ends; every pod of the node then fails.
inLab('a multusConfigFile that is a path does not end the daemon', async (lab) => {
  await lab.addNetns('pod1');
  const path = join(lab.directory, 'prepared', '00-multus.conf');
  const cniConfigDir = join(lab.directory, 'net.d');
  mkdirSync(cniConfigDir);
  mkdirSync(join(lab.directory, 'prepared'));
  writeFileSync(path, JSON.stringify(lab.config));
  await lab.startDaemon('--config', writeConfig(lab, { multusConfigFile: path, cniConfigDir }));
  assertResult(await lab.cni('ADD'), '1.0.0');
  assertSilent(await lab.cni('DEL'));
  assert.match(
    lab.daemonLog,
    /"cmd":"DEL".*DEL succeeded/,
    'the daemon must have answered, not the standalone program',
  );
});

test.run();
