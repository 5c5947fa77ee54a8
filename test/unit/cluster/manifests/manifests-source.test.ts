import { rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ManifestsSource } from '../../../../src/cluster/manifests/manifests-source.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const NEVER = new AbortController().signal;
const pod = (annotation: string) => `kind: Pod\nmetadata: {name: web, annotations: {n: ${annotation}}}`;
const definition = 'kind: NetworkAttachmentDefinition\nmetadata: {name: a}\nspec: {config: x}';

test('a folder that is not there is "unknown", never "no networks"', async () => {
  const source = new ManifestsSource(folder.at('absent'));
  const reason = `Cannot read the manifests in ${folder.at('absent')}: ENOENT`;
  const web = await source.pod('default', 'web');
  const a = await source.definition('default', 'a');
  assert.ok(web.outcome === 'unknown' && web.reason.startsWith(reason), JSON.stringify(web));
  assert.ok(a.outcome === 'unknown' && a.reason.startsWith(reason), JSON.stringify(a));
});

test('a folder that vanishes is "unknown" too: what was read from it may no longer be so', async () => {
  folder.write('m/a.yaml', pod('a'));
  const source = new ManifestsSource(folder.at('m'));
  assert.is((await source.pod('default', 'web')).outcome, 'found');
  rmSync(folder.at('m'), { recursive: true });
  assert.is((await source.pod('default', 'web')).outcome, 'unknown');
  folder.write('m/a.yaml', pod('b'));
  assert.is((await source.pod('default', 'web')).outcome, 'found');
});

test('a pod that is missing is "unknown": its manifest may still be coming', async () => {
  folder.write('a.yaml', pod('a'));
  assert.equal(await new ManifestsSource(folder.path).pod('default', 'other'), {
    outcome: 'unknown',
    reason: `Pod default/other is not in the manifests in ${folder.path}`,
  });
});

test('a pod whose annotation cannot be used is "unknown", with the reason', async () => {
  folder.write('a.yaml', pod('[{name: a}]'));
  const lookup = await new ManifestsSource(folder.path).pod('default', 'web');
  assert.is(lookup.outcome, 'unknown');
  assert.match(lookup.outcome === 'unknown' ? lookup.reason : '', 'annotation "n" must be a string');
});

test('a definition is "absent" only when every file could be read', async () => {
  folder.write('a.yaml', definition);
  const source = new ManifestsSource(folder.path);
  const reason = `NetworkAttachmentDefinition default/b is not in the manifests in ${folder.path}`;
  assert.equal(await source.definition('default', 'b'), { outcome: 'absent', reason });
  folder.write('b.yaml', '[');
  const lookup = await source.definition('default', 'b');
  assert.is(lookup.outcome, 'unknown');
  assert.ok(lookup.outcome === 'unknown' && lookup.reason.startsWith(`${reason}; not usable there: `));
  assert.is((await source.definition('default', 'a')).outcome, 'found', 'what could be read still counts');
});

test('reads a file anew when it changed: the next pod gets the networks as they are now', async () => {
  const source = new ManifestsSource(folder.path);
  const annotation = async () => {
    const lookup = await source.pod('default', 'web');
    return lookup.outcome === 'found' ? lookup.pod.annotations['n'] : undefined;
  };
  folder.write('a.yaml', pod('one'));
  assert.is(await annotation(), 'one');
  folder.write('a.yaml', pod('three'));
  assert.is(await annotation(), 'three');
  folder.write('b.yaml', pod('four'));
  assert.is(await annotation(), 'four');
  rmSync(folder.at('b.yaml'));
  assert.is(await annotation(), 'three');
});

test('finds pods and definitions under their namespace', async () => {
  folder.write('a.yaml', `${definition}\n---\n${pod('x')}`);
  const source = new ManifestsSource(folder.path);
  assert.is((await source.pod('prod', 'web')).outcome, 'unknown');
  assert.is((await source.definition('prod', 'a')).outcome, 'absent');
  assert.equal(await source.definition('default', 'a'), {
    outcome: 'found',
    definition: { namespace: 'default', name: 'a', config: 'x', annotations: {} },
  });
});

test('tells the devices that a pod claims, and keeps "not there" apart from "may be there"', async () => {
  const slice = (name: string, driver: string) =>
    `kind: ResourceSlice\nmetadata: {name: ${name}}\nspec: {driver: ${driver}, pool: {name: p}}`;
  folder.write(
    'a.yaml',
    ['kind: ResourceClaim\nmetadata: {name: a}', slice('s', 'd'), slice('t', 'e')].join('\n---\n'),
  );
  const { resources } = new ManifestsSource(folder.path);
  const found = await resources.resourceClaim('default', 'a', NEVER);
  assert.equal(found, { outcome: 'found', claim: { namespace: 'default', name: 'a', allocated: undefined } });
  const slices = await resources.resourceSlices('d', NEVER);
  assert.equal(slices.outcome === 'found' && slices.slices.map(({ name }) => name), ['s']);
  assert.equal(await resources.resourceSlices('f', NEVER), { outcome: 'found', slices: [] });
  const reason = `ResourceClaim prod/a is not in the manifests in ${folder.path}`;
  assert.equal(await resources.resourceClaim('prod', 'a', NEVER), { outcome: 'absent', reason });
  folder.write('b.yaml', '[');
  assert.is((await resources.resourceClaim('prod', 'a', NEVER)).outcome, 'unknown');
  const gone = new ManifestsSource(folder.at('gone')).resources;
  assert.is((await gone.resourceClaim('prod', 'a', NEVER)).outcome, 'unknown');
  assert.is((await gone.resourceSlices('d', NEVER)).outcome, 'unknown');
});

test.run();
