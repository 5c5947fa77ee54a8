import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FollowedDefinitions } from '../../../../src/cluster/kubernetes/followed-definitions.ts';
import { readSnapshot, writeSnapshot } from '../../../../src/cluster/snapshot/definitions-snapshot.ts';
import { drops, FakeApi, hangs, says, streams } from '../../../fakes/fake-api.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { until } from '../../../lab/process.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const TIMES = { firstMs: 1, longestMs: 20, silenceMs: 5000, pageMs: 300, watchSeconds: 60 };

const object = (name: string, version: number) => ({
  metadata: { namespace: 'ns', name, resourceVersion: String(version) },
  spec: { config: '{}' },
});
const event = (type: string, of: unknown) => `${JSON.stringify({ type, object: of })}\n`;
const endOfList = (version: string) =>
  event('BOOKMARK', { metadata: { resourceVersion: version, annotations: { 'k8s.io/initial-events-end': 'true' } } });
const list = (version: string, ...items: unknown[]) =>
  streams([...items.map((item) => event('ADDED', item)), endOfList(version)]);

/** Names of the definitions on disk. */
function onDisk(): string[] {
  const snapshot = readSnapshot(folder.path);
  return snapshot.outcome === 'found' ? [...snapshot.definitions.keys()].sort() : [];
}

/** Follow the definitions of a server as long as `body` runs. */
async function following(api: FakeApi, body: (log: FakeLog) => Promise<void>): Promise<void> {
  const log = new FakeLog();
  const definitions = new FollowedDefinitions(api.client(), { cniDir: folder.path, log, times: TIMES });
  const ending = new AbortController();
  const running = definitions.run(ending.signal);
  try {
    await body(log);
  } finally {
    ending.abort();
    await running;
  }
}

// A node that boots before its control plane would forget what its pods need to start.
test('what is on disk stays until the cluster was seen; that it cannot be seen is told once', async () => {
  await writeSnapshot(folder.path, [{ namespace: 'ns', name: 'earlier', config: '{}', annotations: {} }]);
  const api = await FakeApi.start();
  try {
    api.script([], says(503, {}));
    await following(api, async (log) => {
      await until('it has tried again and again', () => api.asked.length > 5);
      assert.equal(onDisk(), ['ns/earlier']);
      assert.is(log.of('cannot follow the cluster').length, 1);
    });
    assert.equal(onDisk(), ['ns/earlier'], 'also when it ends');
    api.script([list('5', object('a', 1)), hangs]);
    await following(api, () => until('the cluster is on disk', () => onDisk().join() === 'ns/a'));
  } finally {
    await api.close();
  }
});

// What was applied a moment before the program ends is what the next pods ask for.
test('a change is on disk at the latest when it ends, and stays while the server is away', async () => {
  const api = await FakeApi.start();
  try {
    const added = event('ADDED', object('b', 6));
    api.script([list('5', object('a', 1)), streams([added], true)], drops);
    await following(api, async (log) => {
      await until('the server is away', () => log.of('cannot follow the cluster').length > 0);
    });
    assert.equal(onDisk(), ['ns/a', 'ns/b']);
  } finally {
    await api.close();
  }
});

test.run();
