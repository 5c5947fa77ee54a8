// timeout: 300s
// What runtimes, node owners and pod authors get wrong. Each mistake must end with an error that its author can act on:
// the thing, its value, what it must be; and with nothing attached.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { Fakes } from '../lab/fakes.ts';
import type { CniCall, Lab } from '../lab/lab.ts';
import { assertError, assertResult, assertSilent } from '../lab/spec.ts';

interface Mistake {
  what: string;
  command?: string;
  call: CniCall;
  code: number;
  message: (string | RegExp)[];
}

/** Make every mistake of a table; the test fails with a line for each that is not answered as it should be. */
async function makeMistakes(lab: Lab, mistakes: readonly Mistake[]): Promise<void> {
  const wrong: string[] = [];
  for (const { what, command = 'ADD', call, code, message } of mistakes) {
    try {
      assertError(await lab.cni(command, call), code, ...message);
      assert.equal(await lab.leftovers('pod1'), []);
    } catch (error) {
      wrong.push(`${what}: ${(error as Error).message}`);
    }
  }
  assert.equal(wrong, []);
}

eachDoor('a malformed stdin is refused', async (lab) => {
  const text = (changes: Record<string, unknown>): string => JSON.stringify({ ...lab.config, ...changes });
  const delegate = lab.ptp('lab-default', '10.210.0.0/24');
  const bare = { cniVersion: '1.0.0', name: 'bare', type: 'multus' };
  const keys: [string, unknown, ...string[]][] = [
    ['name', 5, 'key "name" must be a string, got 5'],
    ['name', '../up', '"../up"'],
    ['cniVersion', 1, 'key "cniVersion" must be a string, got 1'],
    ['delegates', 'ptp', 'key "delegates" must be an array, got a string'],
    ['delegates', [], '"clusterNetwork"', '"delegates"'],
    ['delegates', [{ ...delegate, name: undefined }], 'delegates[0]', 'key "name" is missing'],
    ['delegates', [{ ...delegate, type: undefined }], 'delegates[0]', '"type"'],
    ['delegates', [{ ...delegate, type: 7 }], 'delegates[0]', 'key "type" must be a string, got 7'],
    ['delegates', [{ ...delegate, type: '../ptp' }], 'delegates[0]', '"../ptp"', '"/"'],
    ['delegates', [{ ...delegate, type: '..' }], 'delegates[0]', '".."'],
    ['delegates', [{ name: 'list', plugins: [{ type: 'a/b' }] }], 'delegates[0]', 'plugins[0].type', '"a/b"'],
    ['delegates', [{ name: 'list', plugins: [] }], 'delegates[0]', 'key "plugins" must not be empty'],
    ['binDir', 'bin', 'key "binDir" must be an absolute path, got "bin"'],
    ['cniDir', 12, 'key "cniDir" must be a string, got 12'],
    ['manifestsDir', './here', '"manifestsDir"', '"./here"'],
    ['delegateTimeout', 'soon', '"delegateTimeout"', '"soon"', '"30s"'],
    ['requestTimeout', -1, '"requestTimeout"', '-1'],
    ['runtimeConfig', 5, '"runtimeConfig"', '5'],
    ['runtimeConfig', { 'io.kubernetes.cri.pod-annotations': { a: 1 } }, 'pod-annotations"]["a"]', '1'],
    ['verify', 'maybe', '"verify"', '"maybe"'],
    ['verify', { speed: 'off' }, '"verify"', 'speed', 'mtu'],
    ['verify', { mac: 'perhaps' }, '"verify.mac"', '"perhaps"'],
    ['clusterNetwork', '/nonexistent/10-default.conflist', '/nonexistent/10-default.conflist'],
    ['clusterNetwork', 'nobody', '"nobody"'],
  ];
  const codes = new Map([['/nonexistent/10-default.conflist', 5]]);
  await lab.addNetns('pod1');
  await makeMistakes(lab, [
    { what: 'nothing', call: { config: '' }, code: 6, message: ['stdin is empty'] },
    { what: 'garbage', call: { config: 'hello' }, code: 6, message: ['CNI configuration on stdin', 'line 1'] },
    { what: 'half', call: { config: text({}).slice(0, -9) }, code: 6, message: ['CNI configuration on stdin'] },
    { what: 'array', call: { config: '[]' }, code: 6, message: ['must be a JSON object, got an array'] },
    { what: 'null', call: { config: 'null' }, code: 6, message: ['must be a JSON object'] },
    { what: 'two objects', call: { config: `${text({})}{}` }, code: 6, message: ['CNI configuration on stdin'] },
    {
      what: 'deep nesting',
      call: { config: text({}).replace('{', `{"deep":${'['.repeat(200_000)}${']'.repeat(200_000)},`) },
      code: 6,
      message: ['CNI configuration on stdin', 'deep'],
    },
    {
      what: 'not UTF-8',
      call: { config: Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]) },
      code: 6,
      message: ['CNI configuration on stdin', 'UTF-8'],
    },
    { what: '17 MB', call: { config: text({ more: 'x'.repeat(17 << 20) }) }, code: 6, message: ['16 MiB'] },
    {
      what: 'a delegate that is no object',
      call: { config: text({ delegates: [5] }) },
      code: 6,
      message: ['delegates[0]', 'must be a JSON object, got 5'],
    },
    { what: 'no name', call: { config: text({ name: undefined }) }, code: 7, message: ['key "name" is missing'] },
    { what: 'no network', call: { config: JSON.stringify(bare) }, code: 7, message: ['names no default network'] },
    {
      what: 'unknown version',
      call: { config: text({ cniVersion: '9.9.9' }) },
      code: 1,
      message: ['"9.9.9" is not supported', '1.1.0'],
    },
    {
      what: 'unknown version of a delegate',
      call: { config: text({ delegates: [{ ...delegate, cniVersion: '3.0.0' }] }) },
      code: 1,
      message: ['delegates[0]', '"3.0.0"'],
    },
    ...keys.map(([key, value, ...message]) => ({
      what: `${key}: ${JSON.stringify(value)}`,
      call: { config: text({ [key]: value }) },
      code: codes.get(String(value)) ?? 7,
      message,
    })),
  ]);
});

// Multus's weak point 18: any container ID becomes the name of a file, and "results" is the name of a folder.
eachDoor('a wrong environment is refused', async (lab) => {
  await lab.addNetns('pod1');
  const variable = (name: string, value: string | undefined, ...message: string[]): Mistake => ({
    what: `${name}=${value}`,
    call: { env: { [name]: value } },
    code: 4,
    message: [name, ...message],
  });
  await makeMistakes(lab, [
    variable('CNI_COMMAND', 'ATTACH', '"ATTACH"', 'CHECK'),
    variable('CNI_COMMAND', 'add', '"add"', 'ADD'),
    variable('CNI_COMMAND', 'constructor', '"constructor"'),
    ...['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'].flatMap((name) => [
      variable(name, undefined, 'not set'),
      variable(name, '', 'not set'),
    ]),
    { ...variable('CNI_CONTAINERID', undefined, 'not set'), command: 'DEL' },
    { ...variable('CNI_NETNS', '', 'not set'), command: 'CHECK' },
    variable('CNI_CONTAINERID', '../c1', '"../c1"'),
    variable('CNI_CONTAINERID', 'a/b', '"a/b"'),
    variable('CNI_CONTAINERID', '..', '".."'),
    variable('CNI_CONTAINERID', '.locks', '".locks"'),
    variable('CNI_CONTAINERID', 'results', '"results"'),
    { ...variable('CNI_CONTAINERID', 'results', '"results"'), command: 'DEL' },
    variable('CNI_CONTAINERID', 'c 1', '"c 1"'),
    variable('CNI_IFNAME', 'an-interface-name', '"an-interface-name"', '17 bytes', '15'),
    variable('CNI_IFNAME', 'a/b', '"a/b"'),
    variable('CNI_IFNAME', 'eth 0', '"eth 0"'),
    variable('CNI_IFNAME', 'lo', '"lo"'),
    variable('CNI_PATH', 'bin', '"bin"', 'absolute'),
    variable('CNI_ARGS', 'K8S_POD_NAME', '"K8S_POD_NAME"', '"="'),
    variable('CNI_NETNS', 'run/netns/x', '"run/netns/x"', 'absolute'),
  ]);
});

// Plugins would work on the node's own network, or fail half-way in a place that is none.
eachDoor('a CNI_NETNS that is no pod’s network namespace is refused', async (lab) => {
  await lab.addNetns('pod1');
  const file = join(lab.directory, 'a-file');
  writeFileSync(file, 'x');
  const netns = (path: string, ...message: string[]): Mistake => ({
    what: path,
    call: { env: { CNI_NETNS: path } },
    code: 8,
    message: [`CNI_NETNS "${path}"`, ...message],
  });
  await makeMistakes(lab, [
    netns(file, 'not a namespace'),
    netns(lab.directory, 'not a namespace'),
    netns('/dev/null', 'not a namespace'),
    netns('/proc/self/ns/mnt', 'mount namespace'),
    netns('/proc/self/ns/user', 'not a network namespace'),
    netns(lab.netns('host'), "the host's"),
    netns('/proc/1/ns/net'), // where it may not be read, for that
    netns(lab.netns('gone'), 'ENOENT'),
    netns(`${file}/below`, 'ENOTDIR'),
  ]);
});

eachDoor('a wrong annotation or definition is refused', async (lab) => {
  await lab.addNetns('pod1');
  lab.manifest(
    'definitions.yaml',
    lab.nadManifest('good', lab.bridge('good', '10.215.0.0/24')),
    lab.nadManifest('more', lab.bridge('more', '10.216.0.0/24')),
    lab.nadManifest('broken', '{"cniVersion":"1.0.0",'),
    lab.nadManifest('list', '[]'),
    lab.nadManifest('empty', ''),
    lab.nadManifest('typeless', { cniVersion: '1.0.0' }),
    lab.nadManifest('climbing', { cniVersion: '1.0.0', type: '../../bin/sh' }),
    lab.nadManifest('future', { cniVersion: '4.0.0', type: 'bridge' }),
  );
  lab.config['confDir'] = lab.directory;
  const asks = (networks: unknown, code: number, ...message: (string | RegExp)[]): Mistake => ({
    what: typeof networks === 'string' ? networks : JSON.stringify(networks),
    call: { args: lab.podArgs('pod1'), config: withNetworks(lab, networks) },
    code,
    message:
      code === 7 && message.length === 1
        ? ['annotation k8s.v1.cni.cncf.io/networks of pod default/pod1', ...message]
        : message,
  });
  await makeMistakes(lab, [
    asks('[{"name":', 6, 'annotation k8s.v1.cni.cncf.io/networks of pod default/pod1', 'line 1 column 10'),
    asks('{}', 7, 'must be a list of objects'),
    asks('"good"', 7, 'got "good"'),
    asks('[null]', 7, 'entry 1 must be an object with a "name", got null'),
    asks('[{}]', 7, 'field "name" of entry 1'),
    asks('[{"name":5}]', 7, 'field "name" of entry 1 must be a string, got 5'),
    asks('good,,more', 7, 'item 2'),
    asks('a/b/good', 7, 'item 1 ("a/b/good") has more than one "/"'),
    asks('good@a@b', 7, 'item 1 ("good@a@b") has more than one "@"'),
    asks('Good', 7, 'got "Good"'),
    asks('../good', 7, 'got ".."'),
    asks('good@an-interface-name', 7, '"an-interface-name": the name is 17 bytes, at most 15 are allowed'),
    asks('good@lo', 7, '"lo": the name is reserved'),
    asks([{ name: 'good', interface: 'a/b' }], 7, '"a/b": it must not contain "/"'),
    asks(
      [{ name: 'good', ips: ['10.0.0.300'] }],
      7,
      'field "ips" of entry 1 must be IP addresses or CIDRs, got "10.0.0.300"',
    ),
    asks([{ name: 'good', ips: '10.0.0.3' }], 7, 'field "ips" of entry 1 must be a list of strings'),
    asks([{ name: 'good', mac: '02:00' }], 7, 'field "mac" of entry 1'),
    asks([{ name: 'good', 'cni-args': [] }], 7, 'field "cni-args" of entry 1 must be an object'),
    asks([{ name: 'good', 'default-route': ['up'] }], 7, 'field "default-route" of entry 1'),
    asks([{ name: 'good', mac: '02:00:00:00:00:01' }], 7, '"default/good"', '{"mac": true}'),
    asks([{ name: 'good', ips: ['10.215.0.9/24'] }], 7, '"default/good"', '{"ips": true}'),
    asks(Array(65).fill('good').join(','), 7, 'asks for 65 networks, at most 64'),
    asks('good@x0,more@x0', 7, '"default/more" "x0"', '"default/good"'),
    asks('good@eth0', 7, '"default/good" "eth0"', '"lab-default"'),
    asks(
      'nobody',
      7,
      '"default/nobody"',
      `NetworkAttachmentDefinition default/nobody is not in the manifests in ${lab.manifestsDir}`,
    ),
    asks('other/good', 7, '"other/good"', 'NetworkAttachmentDefinition other/good is not in'),
    asks('broken', 6, 'network attachment definition default/broken'),
    asks('list', 6, 'network attachment definition default/list', 'must be a JSON object, got an array'),
    asks('empty', 7, '"empty"', lab.directory),
    asks('typeless', 7, 'network attachment definition default/typeless', '"type"'),
    asks('climbing', 7, 'network attachment definition default/climbing', '"../../bin/sh"'),
    asks('future', 1, 'network attachment definition default/future', '"4.0.0"'),
  ]);
});

/** The lab's configuration with the annotation as a runtime hands it over. */
function withNetworks(lab: Lab, networks: unknown): string {
  const text = typeof networks === 'string' ? networks : JSON.stringify(networks);
  const annotations = { 'k8s.v1.cni.cncf.io/networks': text };
  return JSON.stringify({ ...lab.config, runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations } });
}

// "Unknown" taken for "none" starts pods without their networks.
eachDoor('a pod whose networks cannot be told is to be tried again', async (lab) => {
  await lab.addNetns('pod1');
  lab.manifest('pod1.yaml', { kind: 'Pod', metadata: { name: 'pod1', uid: 'uid-of-its-predecessor' } });
  await makeMistakes(lab, [
    {
      what: 'unknown pod',
      call: { args: lab.podArgs('nobody') },
      code: 11,
      message: ['default/nobody', lab.manifestsDir],
    },
    {
      what: 'another pod of that name',
      call: { args: lab.podArgs('pod1') },
      code: 11,
      message: ['default/pod1', 'uid-pod1', 'uid-of-its-predecessor'],
    },
  ]);
  writeFileSync(join(lab.manifestsDir, 'half.yaml'), 'kind: Pod\nmetadata: {name: pod2');
  await makeMistakes(lab, [
    { what: 'a file that is not YAML', call: { args: lab.podArgs('pod2') }, code: 11, message: ['pod2', 'half.yaml'] },
    {
      what: 'a definition that may be in it',
      call: { args: lab.podArgs('pod1'), config: withNetworks(lab, 'pod2') },
      code: 11,
      message: ['"default/pod2"', 'half.yaml'],
    },
  ]);
  rmSync(lab.manifestsDir, { recursive: true });
  await makeMistakes(lab, [
    { what: 'no folder', call: { args: lab.podArgs('pod1') }, code: 11, message: [lab.manifestsDir, 'ENOENT'] },
  ]);
});

// Runtimes parse the error by its version.
eachDoor('an error has the version of the request, or one that we know', async (lab) => {
  await lab.addNetns('pod1');
  const versionOf = async (config: string): Promise<string> =>
    (await lab.cni('ADD', { config, ifName: 'a/b' })).json.cniVersion;
  assert.is(await versionOf(JSON.stringify({ ...lab.config, cniVersion: '0.3.1' })), '0.3.1');
  assert.is(await versionOf(JSON.stringify({ ...lab.config, cniVersion: '9.9.9' })), '1.0.0');
  assert.is(await versionOf('garbage'), '1.0.0');
});

const DAMAGES: { what: string; damage: (path: string) => void }[] = [
  { what: 'empty', damage: (path) => truncateSync(path) },
  { what: 'cut off', damage: (path) => truncateSync(path, 600) },
  { what: 'full of zeros', damage: (path) => writeFileSync(path, Buffer.alloc(4096)) },
  { what: 'changed', damage: (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('10.210', '10.211')) },
];
for (const { what, damage } of DAMAGES) {
  // After a crash of the node the pod could not be deleted for ever, or its address be lost.
  eachDoor(`a journal file that is ${what} stops ADD and CHECK, but not DEL`, async (lab) => {
    await lab.addNetns('pod1');
    assertResult(await lab.cni('ADD'), '1.0.0');
    const path = join(lab.stateDir, 'c1');
    damage(path);
    assertError(await lab.cni('ADD'), 105, path);
    assertError(await lab.cni('CHECK'), 105, path);
    assert.is(lab.reservations().length, 1);
    assertSilent(await lab.cni('DEL'));
    assert.equal(lab.reservations(), [], 'the default network is released');
    assert.not.ok(existsSync(path));
    assert.ok(
      readdirSync(lab.stateDir).some((name) => name.startsWith('.damaged-c1-')),
      'for the operator to look at',
    );
    assertSilent(await lab.cni('DEL'));
    await lab.deleteNetns('pod1');
    await lab.addNetns('pod1');
    assertResult(await lab.cni('ADD'), '1.0.0');
    assertSilent(await lab.cni('DEL'));
    assert.equal(
      (await lab.leftovers('pod1')).filter((one) => !one.includes('.damaged-c1-')),
      [],
    );
  });
}

// A node that goes back to an older version must not lose what the newer one knows.
eachDoor('a journal file of a later version, or a folder in its place, is refused and left alone', async (lab) => {
  await lab.addNetns('pod1');
  mkdirSync(lab.stateDir);
  const path = join(lab.stateDir, 'c1');
  writeFileSync(path, '[{"multusNative":{"schema":99}}]');
  for (const command of ['ADD', 'CHECK', 'DEL']) assertError(await lab.cni(command), 105, path, 'schema is 99');
  rmSync(path);
  mkdirSync(path);
  for (const command of ['ADD', 'CHECK', 'DEL']) assertError(await lab.cni(command), 105, path, 'EISDIR');
  rmSync(path, { recursive: true });
  assert.equal(await lab.leftovers('pod1'), []);
});

eachDoor('a state directory that cannot be used is refused before any plugin runs', async (lab) => {
  await lab.addNetns('pod1');
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('one')];
  writeFileSync(lab.stateDir, 'a file');
  for (const command of ['ADD', 'CHECK', 'DEL']) assertError(await lab.cni(command), 105, lab.stateDir);
  assert.equal(fakes.history(), []);
  rmSync(lab.stateDir);
  mkdirSync(join(lab.stateDir, '.c1.tmp'), { recursive: true }); // in the way of the journal's own file
  assertError(await lab.cni('ADD'), 105, join(lab.stateDir, 'c1'));
  assert.equal(fakes.history(), []);
  // Node's own way of making folders never returns for this one: the daemon would answer nobody any more.
  lab.config['cniDir'] = '/proc/no-such-folder';
  for (const command of ['ADD', 'DEL']) assertError(await lab.cni(command), 105, '/proc/no-such-folder');
  Object.assign(lab.config, { cniDir: join(lab.directory, 'other'), logFile: '/proc/no-such-folder/multus.log' });
  assertResult(await lab.cni('ADD'), '1.0.0');
  assertSilent(await lab.cni('DEL'));
});

test.run();
