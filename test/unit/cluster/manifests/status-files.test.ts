import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ManifestsSource } from '../../../../src/cluster/manifests/manifests-source.ts';
import { removeStatus, writeStatus } from '../../../../src/cluster/manifests/status-files.ts';
import type { PodStatus } from '../../../../src/cluster/source.ts';
import { refusal } from '../../cni/refusal.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const aStatus = (more: Partial<PodStatus> = {}): PodStatus => ({
  namespace: 'prod',
  name: 'web',
  uid: 'u-1',
  containerId: 'c1',
  annotations: { a: '[{}]' },
  ...more,
});

const files = (): string[] => readdirSync(folder.at('status'));
const annotations = () => JSON.parse(readFileSync(folder.at('status', 'prod_web.json'), 'utf8')).metadata.annotations;

test('a pod whose name is no file name is refused: CNI_ARGS could otherwise write anywhere on the node', () => {
  for (const [more, what] of [
    [{ name: '../../etc/x' }, 'pod "../../etc/x"'],
    [{ namespace: '..' }, 'namespace ".."'],
    [{ name: '' }, 'pod ""'],
    [{ name: 'a\0b' }, 'pod "a\\u0000b"'],
  ] as const) {
    for (const act of [writeStatus, removeStatus]) {
      const { code, message } = refusal(() => act(folder.path, aStatus(more)));
      assert.is(code, 4);
      assert.ok(message.startsWith(`Cannot use ${what} in a file name: `), message);
    }
  }
  assert.equal(readdirSync(folder.path), []);
});

// Readers of a folder that is not there know that they know nothing; an empty one would say "no networks".
test('a folder of manifests that is missing is not made', () => {
  const { code, message } = refusal(() => writeStatus(folder.at('absent'), aStatus()));
  assert.is(code, 5);
  assert.match(message, `Cannot write status file ${folder.at('absent/status/prod_web.json')}: ENOENT`);
  assert.equal(readdirSync(folder.path), []);
  removeStatus(folder.at('absent'), aStatus());
});

test('a status that cannot be written leaves no half of it', () => {
  mkdirSync(folder.at('status', 'prod_web.json'), { recursive: true });
  assert.is(refusal(() => writeStatus(folder.path, aStatus())).code, 5);
  assert.equal(files(), ['prod_web.json']);
  folder.write('other/status', 'a file');
  assert.match(refusal(() => writeStatus(folder.at('other'), aStatus())).message, 'prod_web.json: ENOTDIR');
});

test('a file that is not one of ours is told, and stays', () => {
  folder.write('status/prod_web.json', 'mine');
  const { code, message } = refusal(() => removeStatus(folder.path, aStatus()));
  assert.is(code, 5);
  assert.match(message, `Cannot remove status file ${folder.at('status/prod_web.json')}: `);
  assert.is(readFileSync(folder.at('status/prod_web.json'), 'utf8'), 'mine');
});

// A pod that was restarted on the node would lose its status to the DEL of its first sandbox.
test('a late DEL of an earlier container leaves the newer status, also when that comes this very moment', () => {
  writeStatus(folder.path, aStatus());
  writeStatus(folder.path, aStatus({ containerId: 'c2', annotations: { a: 'newer' } }));
  removeStatus(folder.path, aStatus());
  assert.is(annotations().a, 'newer');

  const { parse } = JSON;
  JSON.parse = (text: string) => {
    JSON.parse = parse; // another program writes once the old status has been read
    writeStatus(folder.path, aStatus({ containerId: 'c3', annotations: { a: 'newest' } }));
    return parse(text);
  };
  removeStatus(folder.path, aStatus({ containerId: 'c2' }));
  assert.is(annotations().a, 'newest');
  assert.equal(files(), ['prod_web.json']);
});

test('is a Pod that holds the annotations, replaced by the next one and removed once', () => {
  writeStatus(folder.path, aStatus({ annotations: { a: 'older' } }));
  writeStatus(folder.path, aStatus());
  assert.is(
    readFileSync(folder.at('status', 'prod_web.json'), 'utf8'),
    `{
  "apiVersion": "v1",
  "kind": "Pod",
  "metadata": {
    "namespace": "prod",
    "name": "web",
    "uid": "u-1",
    "annotations": {
      "a": "[{}]",
      "multus-native/container-id": "c1"
    }
  }
}
`,
  );
  removeStatus(folder.path, aStatus());
  removeStatus(folder.path, aStatus());
  assert.equal(files(), []);
});

// Kubernetes allows 253 characters for a pod and 63 for its namespace: such a pod would have no status.
test('a pod whose name is too long for a file has one of its own, which ends in a hash', () => {
  const namespace = 'n'.repeat(63);
  const name = (last: string) => `web-${'x'.repeat(248)}${last}`;
  const pods = ['a', 'b'].map((last) => aStatus({ namespace, name: name(last), containerId: `c${last}` }));
  for (const pod of pods) writeStatus(folder.path, pod);
  assert.is(files().length, 2, 'none is taken for the other');
  for (const file of files()) {
    assert.is(file.length, 255);
    assert.match(file, /^n{63}_web-x{100,}_[0-9a-f]{32}\.json$/);
  }
  removeStatus(folder.path, aStatus({ namespace, name: name('a'), containerId: 'ca' }));
  const [left = ''] = files();
  assert.is(JSON.parse(readFileSync(folder.at('status', left), 'utf8')).metadata.name, name('b'));
  removeStatus(folder.path, aStatus({ namespace, name: name('b'), containerId: 'cb' }));
  assert.equal(files(), []);
});

// What fits stays as it is documented: programs that read it build the name themselves.
test('a name that just fits is not shortened, nor is a long container id a reason to write nothing', () => {
  const status = aStatus({ name: 'x'.repeat(255 - 'prod_.json'.length), containerId: 'c'.repeat(255) });
  writeStatus(folder.path, status);
  assert.equal(files(), [`prod_${status.name}.json`]);
  removeStatus(folder.path, status);
  assert.equal(files(), []);
});

// What we wrote ourselves would stand in for the pod's manifest, which names its networks.
test('is not read as a manifest', async () => {
  folder.write('pod.yaml', 'kind: Pod\nmetadata: {name: web, namespace: prod, annotations: {n: a}}');
  const source = new ManifestsSource(folder.path);
  await source.publishStatus(aStatus());
  const lookup = await source.pod('prod', 'web');
  assert.equal(lookup.outcome === 'found' && lookup.pod.annotations, { n: 'a' });
  assert.is((await source.definition('prod', 'x')).outcome, 'absent', 'it is no problem of the folder either');
  await source.clearStatus(aStatus());
  assert.equal(files(), []);
});

test.run();
