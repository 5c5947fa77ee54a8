import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createSources, sourceSettings } from '../../../src/cluster/sources.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { fakeSource } from '../../fakes/fake-source.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const NOTHING = sourceSettings(undefined);
const NEVER = new AbortController().signal;
const opener = (more: object = {}) => createSources({ log: new FakeLog(), userAgent: 'test', ...more });

test('opens a folder once, prefers it to a kubeconfig, and opens nothing where nothing is named', () => {
  const open = opener();
  const first = open({ ...NOTHING, manifestsDir: folder.path, kubeconfig: '/k' });
  assert.is(first?.description, `manifests in ${folder.path}`);
  assert.is(open({ ...NOTHING, manifestsDir: folder.path }), first);
  assert.is(open(NOTHING), undefined);
});

test("the daemon's own credentials count before a request's kubeconfig, and not before a folder of manifests", () => {
  const cluster = fakeSource({});
  const open = opener({ cluster });
  assert.is(open({ ...NOTHING, kubeconfig: '/k' }), cluster);
  assert.is(open(NOTHING), cluster);
  assert.is(open({ ...NOTHING, manifestsDir: folder.path })?.description, `manifests in ${folder.path}`);
});

// The daemon that could ask is away: a pod of that moment must wait for it, not start without its networks.
test('on a node of a cluster, a program that can ask nobody knows no pod, and says what to do', async () => {
  const source = opener()({ ...NOTHING, kubernetes: true, cniDir: folder.path });
  const lookup = await source?.pod('a', 'b', { uid: '', signal: NEVER });
  assert.ok(lookup?.outcome === 'unknown');
  assert.match(lookup.reason, /daemon that asks the API server does not answer/);
  assert.is((await source?.definition('a', 'b', NEVER))?.outcome, 'unknown', 'no snapshot: it may be there');
});

test('a kubeconfig that cannot be read makes things unknown, and is named', async () => {
  const source = opener()({ ...NOTHING, kubeconfig: folder.at('absent'), cniDir: folder.path });
  const lookup = await source?.pod('a', 'b', { uid: '', signal: NEVER });
  assert.ok(lookup?.outcome === 'unknown');
  assert.match(lookup.reason, `cannot use kubeconfig ${folder.at('absent')}: ENOENT`);
  assert.is((await source?.definition('a', 'b', NEVER))?.outcome, 'unknown');
});

test.run();
