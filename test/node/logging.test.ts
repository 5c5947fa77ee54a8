// timeout: 300s
/** Where lines go, by the keys of the configuration; and what never gets into one. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor, inLab } from '../lab/doors.ts';
import { Fakes, fail } from '../lab/fakes.ts';
import type { CniCall, Lab } from '../lab/lab.ts';
import { must, run } from '../lab/process.ts';
import { assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** The lines of a log, by their messages. */
function messages(path: string): string[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line).msg);
}

/** A request whose configuration has these keys. */
const withKeys = (lab: Lab, keys: Record<string, unknown>): CniCall => ({
  config: JSON.stringify({ ...lab.config, ...keys }),
});

eachDoor('logFile gets the lines of its requests at logLevel, and the folder is made', async (lab, door) => {
  await lab.addNetns('pod1');
  const logFile = join(lab.directory, 'var', 'log', 'multus.log');
  const call = withKeys(lab, { logFile, logLevel: 'VERBOSE', logToStderr: false });
  const reply = await lab.cni('ADD', call);
  assertResult(reply, '1.0.0');
  assert.is(reply.stderr, '');
  assert.equal(messages(logFile), ['attached', 'ADD succeeded']);
  assert.is(statSync(logFile).mode & 0o777, 0o600);
  assertSilent(await lab.cni('DEL', withKeys(lab, { logFile, logLevel: 'error' })));
  assert.equal(messages(logFile), ['attached', 'ADD succeeded'], 'a success is no error');
  if (door === 'daemon') assert.not.match(lab.daemonLog, '"cmd"', 'its own log has nothing of them');
});

// Multus tells this by events of the pod; without them, an operator has nothing else to see what a pod got, and when.
eachDoor('each network that was attached or detached is a line with its name and interface', async (lab) => {
  const fakes = new Fakes(lab);
  await lab.addNetns('pod1');
  lab.manifest('m.yaml', lab.podManifest('web', 'lan@lan0'), lab.nadManifest('lan', fakes.plugin('lan')));
  const logFile = join(lab.directory, 'multus.log');
  const call = { ...withKeys(lab, { logFile, logLevel: 'verbose' }), args: lab.podArgs('web') };
  assertResult(await lab.cni('ADD', call), '1.0.0');
  assertSilent(await lab.cni('DEL', call));
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  const told = lines.map((line) => JSON.parse(line)).filter(({ network }) => network !== undefined);
  assert.equal(
    told.map(({ cmd, container, pod, network, ifName, msg }) => [cmd, container, pod, network, ifName, msg]),
    [
      ['ADD', 'c1', 'default/web', 'lab-default', 'eth0', 'attached'],
      ['ADD', 'c1', 'default/web', 'default/lan', 'lan0', 'attached'],
      ['DEL', 'c1', 'default/web', 'default/lan', 'lan0', 'detached'],
      ['DEL', 'c1', 'default/web', 'lab-default', 'eth0', 'detached'],
    ],
  );
});

eachDoor('a network that is not there is a line with code and error', async (lab) => {
  await lab.addNetns('pod1');
  lab.manifest('m.yaml', lab.podManifest('web', 'nobody'));
  const logFile = join(lab.directory, 'multus.log');
  assertError(await lab.cni('ADD', { ...withKeys(lab, { logFile }), args: lab.podArgs('web') }), 7, 'default/nobody');
  const { level, code, error, msg } = JSON.parse(readFileSync(logFile, 'utf8').trim().split('\n').at(-1) ?? '');
  assert.equal([level, code, msg], [50, 7, 'ADD failed']);
  assert.match(error, 'Cannot find network "default/nobody"');
});

eachDoor('without keys an error is told, on stderr', async (lab, door) => {
  const told = async (call: CniCall): Promise<string> => {
    const { stderr } = await lab.cni('ADD', { ...call, pod: 'absent' });
    return door === 'daemon' ? lab.daemonLog : stderr;
  };
  assert.match(await told({}), '"msg":"ADD failed"');
  if (door === 'standalone') assert.is(await told(withKeys(lab, { logToStderr: false })), '');
});

inLab(
  'MULTUS_LOG_LEVEL wins over the configuration without a daemon, and a word that is none counts for nothing',
  async (lab) => {
    const stderrAt = async (level: string): Promise<string> => {
      const reply = await lab.cni('DEL', { ...withKeys(lab, { logLevel: 'error' }), env: { MULTUS_LOG_LEVEL: level } });
      assertSilent(reply);
      return reply.stderr;
    };
    assert.match(await stderrAt('Verbose'), '"msg":"DEL succeeded"');
    for (const level of ['loud', '', 'panic']) assert.is(await stderrAt(level), '', level);
  },
);

// Multus rewrites level and file of the whole process with each request (weak point 28).
inLab('requests at a time log where each says, and the daemon goes on where it was', async (lab) => {
  await lab.addNetns('pod1');
  await lab.addNetns('pod2');
  await lab.startDaemon();
  const [one, two] = [join(lab.directory, 'one.log'), join(lab.directory, 'two.log')];
  const calls = [
    { ...withKeys(lab, { logFile: one, logLevel: 'debug', logToStderr: false }), container: 'c1', pod: 'pod1' },
    { ...withKeys(lab, { logFile: two, logLevel: 'panic', logToStderr: false }), container: 'c2', pod: 'pod2' },
  ];
  await Promise.all(calls.map((call) => lab.cni('ADD', call)));
  await Promise.all(calls.map((call) => lab.cni('DEL', call)));
  const expected = ['ADD received', 'attached', 'ADD succeeded', 'DEL received', 'detached', 'DEL succeeded'];
  assert.equal(messages(one), expected);
  assert.equal(messages(two), []);
  assertSilent(await lab.cni('DEL'));
  assert.match(lab.daemonLog, '"msg":"DEL received"');
});

inLab('the daemon logs to the logFile of its own file, and requests with it', async (lab) => {
  await lab.addNetns('pod1');
  const logFile = join(lab.directory, 'multusd-file.log');
  const config = join(lab.directory, 'daemon-config.json');
  writeFileSync(config, JSON.stringify({ logFile, logToStderr: false }));
  await lab.startDaemon('--config', config);
  assertResult(await lab.cni('ADD', withKeys(lab, { logFile: join(lab.directory, 'other.log') })), '1.0.0');
  assertSilent(await lab.cni('DEL'));
  assert.equal(messages(logFile).slice(0, 2), ['listening', 'ADD received']);
  assert.is(lab.daemonLog, '');
  assert.is(existsSync(join(lab.directory, 'other.log')), false, 'the key of the whole node counts');
});

// A pod must not go without network for its log.
eachDoor('a log that cannot be opened fails nothing, and is told once', async (lab, door) => {
  await lab.addNetns('pod1');
  writeFileSync(join(lab.directory, 'file'), '');
  for (const logFile of [join(lab.directory, 'file', 'multus.log'), lab.directory]) {
    const call = withKeys(lab, { logFile, logLevel: 'debug', logToStderr: false });
    const before = lab.daemonLog.length;
    const added = await lab.cni('ADD', call);
    assertResult(added, '1.0.0');
    assertSilent(await lab.cni('DEL', call));
    const told = door === 'daemon' ? lab.daemonLog.slice(before) : added.stderr;
    assert.is(told.split('cannot write to the log file').length, 2, told);
    assert.ok(told.includes(`"file":"${logFile}"`), told);
  }
});

/** Every line of a log and its backups. */
function allLines(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const bytes = readFileSync(join(directory, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n').filter(Boolean);
  });
}

// A line of which the disk took a part would be told to nobody, and break the next one.
inLab('a disk that is full in mid-line fails nothing and is told', async (lab) => {
  const directory = join(lab.directory, 'log');
  mkdirSync(directory);
  await must('mount', '-t', 'tmpfs', '-o', 'size=8k', 'none', directory);
  try {
    const logFile = join(directory, 'multus.log');
    writeFileSync(logFile, 'x'.repeat(8192 - 10)); // page after page is given, to the last byte
    const keys = { logFile, logLevel: 'verbose', logToStderr: false }; // one line
    const { code, stderr } = await lab.cni('DEL', { ...withKeys(lab, keys), pod: 'absent' });
    assert.is(code, 0);
    assert.match(stderr, 'ENOSPC');
  } finally {
    await must('umount', directory);
  }
});

// Multus's weak point 11: logOptions are dead in its program that answers one request; the node's disk fills.
inLab('logOptions rotate the log of programs that answer one request each', async (lab) => {
  const directory = join(lab.directory, 'log');
  const logFile = join(directory, 'multus.log');
  const logOptions = { maxSize: 1, maxBackups: 2, maxAge: 1, compress: true };
  const call = { ...withKeys(lab, { logFile, logLevel: 'debug', logToStderr: false, logOptions }), pod: 'absent' };
  mkdirSync(directory);
  writeFileSync(join(directory, 'multus-2020-01-01T00-00-00.000.log'), 'too old\n');
  for (let round = 0; round < 4; round++) {
    writeFileSync(logFile, `${'x'.repeat(1024 * 1024)}\n`);
    assert.is((await lab.cni('DEL', call)).code, 0);
    assert.equal(messages(logFile).at(-1), 'DEL succeeded');
  }
  const backups = readdirSync(directory).filter((name) => name !== 'multus.log');
  assert.is(backups.length, 2, String(backups));
  for (const name of backups) {
    assert.match(name, /^multus-2[0-9T.-]+\.log\.gz$/);
    assert.is(gunzipSync(readFileSync(join(directory, name))).length, 1024 * 1024 + 1);
  }
});

/** Writes numbered lines into a log, as one of several programs. */
const WRITER = `
import { RotatingFile } from '${new URL('../../src/log/rotating-file.ts', import.meta.url).href}';
const [path, name] = process.argv.slice(2);
const rotation = { maxSize: 1, maxBackups: 0, maxAge: 0, compress: true };
const file = new RotatingFile(path, rotation, (error) => { console.error(error); process.exitCode = 1; });
for (let i = 0; i < 4000; i++) {
  file.write(name + i + ' ' + 'x'.repeat(500) + '\\n');
  if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await file.settled();
`;

// The daemon and standalone programs write to one file when both are given it.
inLab('several processes rotate one log without losing, repeating or breaking a line', async (lab) => {
  const directory = join(lab.directory, 'log');
  const script = join(lab.directory, 'writer.mts');
  writeFileSync(script, WRITER);
  const names = ['a', 'b', 'c'];
  const words = ['--import', 'tsx', script, join(directory, 'multus.log')];
  const ended = await Promise.all(names.map((name) => run(process.execPath, [...words, name])));
  for (const { code, stderr } of ended) assert.is(code, 0, stderr);
  const written = names.flatMap((name) => Array.from({ length: 4000 }, (_, i) => `${name}${i} ${'x'.repeat(500)}`));
  assert.equal(allLines(directory).sort().join('\n'), written.sort().join('\n'));
  assert.ok(readdirSync(directory).length >= 5, 'it was rotated');
});

const SECRET = 'S3cr3tMarker';

/** A pod whose configuration is full of secrets, and a request for it with every one of them. */
function secretPod(lab: Lab, fakes: Fakes): CniCall {
  const secrets = { token: SECRET, nested: { deep: [SECRET] } };
  const good = { ...fakes.plugin('good', { STATUS: 'exit 0' }), cniVersion: '1.1.0', ...secrets };
  const echo = `cat ${join(lab.directory, 'executions')}/$$.stdin >&2`;
  const bad = {
    ...fakes.plugin('bad', { ADD: `${echo}; exit 3`, DEL: fail(7, 'no'), CHECK: fail(7, 'no') }),
    ...secrets,
  };
  lab.manifest(
    'm.yaml',
    lab.podManifest('web', [{ name: 'good', 'cni-args': secrets }]),
    lab.podManifest('bad', [{ name: 'bad', 'cni-args': secrets }]),
    lab.podManifest('wrong', [{ name: 'good', 'cni-args': SECRET }]),
    lab.podManifest('form', { name: 'good', 'cni-args': secrets }),
    lab.podManifest('cut', `[{"name":"good","cni-args":{"a":"${SECRET}`),
    lab.nadManifest('good', { ...good, name: 'extra' }),
    lab.nadManifest('bad', bad),
    lab.nadManifest('broken', `{"name":"broken","type":"good","token":"${SECRET}`),
    { kind: 'Pod', metadata: { name: 'odd', annotations: { 'k8s.v1.cni.cncf.io/networks': [secrets] } } },
    { kind: 'NetworkAttachmentDefinition', metadata: { name: 'odd' }, spec: { config: secrets } },
    lab.podManifest('broken', 'broken'),
    lab.podManifest('oddnet', 'odd'),
  );
  const config = { ...lab.config, ...secrets, cniVersion: '1.1.0', delegates: [good], logLevel: 'debug' };
  return { config: JSON.stringify(config), args: lab.podArgs('web') };
}

// Multus's weak point 20: whole configurations are in its debug log, and in its shim's errors.
eachDoor('no secret of a configuration is in a log or an error, at any level, whatever goes wrong', async (lab) => {
  await lab.addNetns('pod1');
  const fakes = new Fakes(lab);
  const call = secretPod(lab, fakes);
  const said: string[] = [];
  const cni = async (command: string, more: CniCall = {}) => {
    const reply = await lab.cni(command, { ...call, ...more });
    // The result of an ADD is the plugin's, and the runtime's alone.
    said.push(`${command} ${more.args ?? ''}: ${reply.stdout}${reply.stderr}`);
    return reply;
  };
  const config = JSON.parse(String(call.config));
  const changed = (keys: Record<string, unknown>) => ({ config: JSON.stringify({ ...config, ...keys }) });

  assertResult(await cni('ADD'), '1.1.0');
  assertError(await cni('ADD'), 104);
  assertSilent(await cni('CHECK'));
  assertSilent(await cni('STATUS'));
  const valid = [{ containerID: 'c1', ifname: 'eth0', token: SECRET }];
  assertSilent(await cni('GC', changed({ 'cni.dev/valid-attachments': valid })));
  const journal = join(lab.stateDir, 'c1');
  const record = readFileSync(journal, 'utf8');
  assert.match(record, SECRET, 'the plugin gets its secret at DEL again');
  writeFileSync(journal, record.slice(0, record.indexOf(SECRET) + 5));
  assert.not.equal((await cni('CHECK')).code, 0);
  assertSilent(await cni('DEL'));

  for (const pod of ['bad', 'wrong', 'form', 'cut', 'odd', 'broken', 'oddnet']) {
    assert.is((await cni('ADD', { args: lab.podArgs(pod) })).code, 1, pod);
    await cni('DEL', { args: lab.podArgs(pod) });
  }
  const wrong: Record<string, unknown>[] = [
    { runtimeConfig: [SECRET] },
    { runtimeConfig: SECRET },
    { runtimeConfig: { 'io.kubernetes.cri.pod-annotations': SECRET } },
    { runtimeConfig: { 'io.kubernetes.cri.pod-annotations': { x: { token: SECRET } } } },
    { delegates: { token: SECRET } },
    { delegates: [{ name: 'x', plugins: { token: SECRET } }] },
    { delegates: [[SECRET]] },
    { delegates: [SECRET] },
    { delegates: SECRET },
    { delegates: [{ name: 'x', plugins: SECRET }] },
    { delegates: [{ name: 'x', plugins: [SECRET] }] },
    { delegates: [{ name: 'x', type: 'good', capabilities: SECRET }] },
    { kubeconfig: { users: [{ user: { token: SECRET } }] } },
  ];
  for (const keys of wrong) assert.is((await cni('ADD', changed(keys))).code, 1, Object.keys(keys).join());
  const text = String(call.config);
  for (const cut of [text.slice(0, text.indexOf(SECRET) + 4), `${text.slice(0, -1)},"x":${SECRET}}`]) {
    for (const command of ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION']) await cni(command, { config: cut });
  }

  assert.ok(fakes.executions().some(({ stdin }) => stdin.includes(SECRET)));
  for (const one of [...said, ...lab.daemonLog.split('\n')]) assert.not.match(one, SECRET);
});

test.run();
