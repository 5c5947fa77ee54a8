import { mkdirSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Manifests, manifestsStamp, readManifests } from '../../../../src/cluster/manifests/manifest-files.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';

function read(...documents: string[]): Manifests {
  folder.write('a.yaml', documents.join('\n---\n'));
  return readManifests(folder.path);
}

/** The problems of one file, without its path. */
function problems(...documents: string[]): string[] {
  const { problems: found } = read(...documents);
  return found.map((one) => {
    assert.ok(one.startsWith(folder.at('a.yaml')), one);
    return one.slice(folder.at('a.yaml').length);
  });
}

const pod = (name: string, more = '') => `kind: Pod\nmetadata:\n  name: ${name}\n${more}`;
const nad = (name: string, config = '{}') =>
  `kind: NetworkAttachmentDefinition\nmetadata: {name: ${name}}\nspec: {config: '${config}'}`;

test('leaves a pod out whose annotation is no string: with the annotation dropped it would silently get no network', () => {
  const cases: [string, string][] = [
    ['5', '5'],
    ['[{name: a}]', 'an array'],
    ['{name: a}', 'an object'],
    ['true', 'true'],
  ];
  for (const [value, shown] of cases) {
    const { pods, problems: found } = read(pod('web', `  annotations: {${NETWORKS}: ${value}}`), pod('other'));
    assert.equal([...pods.keys()], ['default/other'], value);
    assert.equal(found, [
      `${folder.at('a.yaml')}: Pod default/web: annotation "${NETWORKS}" must be a string, got ${shown}; quote it`,
    ]);
  }
  for (const value of ['[a]', 'text']) {
    const { pods, problems: found } = read(pod('web', `  annotations: ${value}`));
    assert.is(pods.size, 0, value);
    assert.match(found[0] ?? '', ': Pod default/web: metadata.annotations must be a mapping, got ');
  }
});

test('says which field of an object is wrong', () => {
  const cases: [string, string][] = [
    ['kind: Pod', ': Pod: metadata.name is missing'],
    ['kind: Pod\nmetadata: {name: 5}', ': Pod: metadata.name must be a string, got 5; quote it'],
    ['kind: Pod\nmetadata: {name: a, namespace: 7}', ': Pod: metadata.namespace must be a string, got 7; quote it'],
    ['kind: Pod\nmetadata: {name: a, uid: 1}', ': Pod default/a: metadata.uid must be a string, got 1; quote it'],
    ['kind: Pod\nmetadata: [a]', ': Pod: metadata.name is missing'],
    [
      'kind: NetworkAttachmentDefinition\nmetadata: {name: a}\nspec: {config: {type: bridge}}',
      ': NetworkAttachmentDefinition default/a: spec.config must be a string, got an object; quote it',
    ],
    ['kind: List', ': List: items must be a list, got nothing'],
    ['kind: List\nitems: {kind: Pod}', ': List: items must be a list, got an object'],
    ['kind: List\nitems: [{kind: Pod}]', ', items[0]: Pod: metadata.name is missing'],
  ];
  for (const [text, expected] of cases) assert.equal(problems(text), [expected]);
});

test('says where YAML is wrong, and keeps the objects before it and the other files', () => {
  folder.write('b.yaml', pod('b'));
  folder.write('c.json', '{"kind": "Pod", "metadata": {"name": "c"}}');
  const { pods, problems: found } = read(pod('a'), 'a: [', pod('lost'));
  assert.equal([...pods.keys()], ['default/a', 'default/b', 'default/c']);
  assert.is(found.length, 1);
  assert.match(found[0] ?? '', /a\.yaml: .* at line \d+, column \d+/);
});

test('is not exhausted by aliases of aliases', () => {
  const level = (to: string, from: string) => `${to}: &${to} [${Array(9).fill(`*${from}`).join()}]`;
  const bomb = ['a: &a [1]', ...['b', 'c', 'd', 'e', 'f', 'g'].map((to, i) => level(to, 'abcdefg'[i] ?? ''))];
  assert.match(problems(bomb.join('\n'))[0] ?? '', /^: Excessive alias count/);
});

test('is not exhausted by a list that contains itself, nor by deep nesting', () => {
  assert.match(problems('&x\nkind: List\nitems:\n- *x')[0] ?? '', /^: Maximum call stack/);
  assert.is(problems(`kind: Pod\nmetadata: ${'['.repeat(20_000)}`).length, 1);
});

test('names a file that cannot be read, and reads the others', () => {
  mkdirSync(folder.at('folder.yaml'));
  symlinkSync(folder.at('nowhere'), folder.at('dangling.yaml'));
  const { pods, problems: found } = read(pod('a'));
  assert.is(pods.size, 1);
  assert.is(found.length, 2);
  assert.match(found[0] ?? '', /dangling\.yaml: ENOENT/);
  assert.match(found[1] ?? '', /folder\.yaml: EISDIR/);
});

test('takes the later one of two objects of a name, also when it cannot be used, and tells of both', () => {
  const twice = read(nad('a', 'first'), nad('a', 'second'));
  assert.is(twice.definitions.get('default/a')?.config, 'second');
  const said = `${folder.at('a.yaml')}: NetworkAttachmentDefinition default/a is defined twice; the later one counts`;
  assert.equal(twice.problems, [said]);
  const broken = read(pod('web'), pod('web', '  annotations: {a: 1}'));
  assert.is(broken.pods.size, 0);
  assert.is(broken.problems.length, 2);
});

test('goes through the files by name, so that "later" means the same every time', () => {
  folder.write('b.yml', nad('a', 'from b'));
  folder.write('a.yaml', nad('a', 'from a'));
  assert.is(readManifests(folder.path).definitions.get('default/a')?.config, 'from b');
});

test('reads pods and definitions out of everything that kubectl prints', () => {
  const list = `kind: List\nitems:\n- ${pod('x').replaceAll('\n', '\n  ')}\n- kind: List\n  items: [{kind: Pod, metadata: {name: y}}]`;
  const service = 'kind: Service\nmetadata: {name: [1]}';
  const {
    pods,
    definitions,
    problems: found,
  } = read(
    `apiVersion: v1\n${pod('web', `  namespace: prod\n  uid: u-1\n  annotations: {${NETWORKS}: 'a,b', empty: }`)}`,
    service,
    list,
    nad('a', '{"type":"bridge"}'),
    'kind: NetworkAttachmentDefinition\nmetadata: {name: by-file, namespace: prod}',
    '',
    '- 1',
    'text',
  );
  assert.equal(found, []);
  assert.equal(pods.get('prod/web'), {
    namespace: 'prod',
    name: 'web',
    uid: 'u-1',
    annotations: { [NETWORKS]: 'a,b', empty: '' },
    claims: { names: [], pending: [], extended: undefined },
  });
  assert.equal([...pods.keys()], ['prod/web', 'default/x', 'default/y']);
  assert.equal(
    [...definitions.values()],
    [
      { namespace: 'default', name: 'a', config: '{"type":"bridge"}', annotations: {} },
      { namespace: 'prod', name: 'by-file', config: '', annotations: {} },
    ],
  );
});

// kubectl get pod,resourceclaim,resourceslice -o yaml, on a machine without an API server.
test('reads what tells the devices of a pod, slices without a namespace', () => {
  const slice = (name: string) =>
    `kind: ResourceSlice\nmetadata: {name: ${name}}\nspec: {driver: d, pool: {name: p, generation: 2}}`;
  const found = read(
    pod('web', 'spec: {resourceClaims: [{name: nic, resourceClaimName: web-nic}]}'),
    'kind: ResourceClaim\nmetadata: {name: web-nic}',
    slice('s-1'),
    slice('s-1'),
    'kind: ResourceSlice\nmetadata: {name: broken}',
  );
  assert.equal(found.pods.get('default/web')?.claims, { names: ['web-nic'], pending: [], extended: undefined });
  const claim = { namespace: 'default', name: 'web-nic', allocated: undefined };
  assert.equal([...found.claims], [['default/web-nic', claim]]);
  const slices = [['s-1', { name: 's-1', driver: 'd', pool: 'p', generation: 2, devices: new Map() }]];
  assert.equal([...found.slices], slices);
  assert.equal(
    found.problems.map((one) => one.slice(folder.at('a.yaml').length)),
    [': ResourceSlice s-1 is defined twice; the later one counts', ': ResourceSlice broken: spec.driver is missing'],
  );
});

test("reads only manifests: no editor's copies, no hidden files, no sub-folders", () => {
  for (const name of ['.hidden.yaml', 'a.yaml~', 'a.yaml.bak', 'notes.txt', 'sub/a.yaml']) folder.write(name, pod('x'));
  const nothing = { pods: new Map(), definitions: new Map(), claims: new Map(), slices: new Map(), problems: [] };
  assert.equal(readManifests(folder.path), nothing);
});

test('the stamp changes with every change of a manifest, and with nothing else', () => {
  const path = folder.write('a.yaml', 'a: 1');
  const stamps = [manifestsStamp(folder.path)];
  folder.write('notes.txt', 'x');
  assert.is(manifestsStamp(folder.path), stamps[0]);
  folder.write('b.yaml', '');
  stamps.push(manifestsStamp(folder.path));
  folder.write('a.yaml', 'a: 12');
  stamps.push(manifestsStamp(folder.path));
  utimesSync(path, 1, 1);
  stamps.push(manifestsStamp(folder.path));
  rmSync(path);
  stamps.push(manifestsStamp(folder.path));
  assert.is(new Set(stamps).size, 5);
});

test.run();
