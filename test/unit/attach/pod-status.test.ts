import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { del } from '../../../src/attach/del.ts';
import { Journal } from '../../../src/attach/journal.ts';
import { clearStatus, networkStatusOf, publishStatus } from '../../../src/attach/pod-status.ts';
import { type Announcer, SILENT } from '../../../src/attach/publish/announcer.ts';
import type { ClusterSource, PodStatus, StatusKey } from '../../../src/cluster/source.ts';
import { type SourceSettings, sourceSettings } from '../../../src/cluster/sources.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { FakeNetns, fakeLink, fakeRoute } from '../../fakes/fake-netns.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner } from '../../fakes/fake-runner.ts';
import { fakeSource } from '../../fakes/fake-source.ts';
import { folderFor } from '../folder.ts';
import { aDefaultAttachment, anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);

/** A source that keeps what it is told, or fails. */
class StatusSource {
  readonly published: PodStatus[] = [];
  readonly cleared: StatusKey[] = [];
  failure: Error | undefined;

  get asSource(): ClusterSource {
    return {
      ...fakeSource({}),
      publishStatus: async (status) => this.keep(this.published, status),
      clearStatus: async (key) => this.keep(this.cleared, key),
    };
  }

  private keep<T>(list: T[], one: T): void {
    if (this.failure !== undefined) throw this.failure;
    list.push(one);
  }
}

const POD = new FakeNetns({
  links: [fakeLink(2, 'eth0'), fakeLink(7, 'macv0', { mtu: 1400 })],
  routes: [fakeRoute('0.0.0.0/0', '10.0.0.1', { index: 2 })],
});

const operationWith = (source: StatusSource, config: Record<string, unknown> = {}) =>
  fakeOperation({
    command: 'ADD',
    cniDir: folder.path,
    runner: new FakeRunner(),
    source: source.asSource,
    config: { clusterNetwork: 'node', ...config },
  });

const errors = (log: FakeLog): object[] =>
  log.entries.filter(({ level }) => level === 'error').map(({ message, fields }) => ({ message, ...fields }));

// The pod would be refused its networks because nobody can be told of them.
test('a status that cannot be published is logged, and fails nothing', async () => {
  const source = new StatusSource();
  source.failure = new Error('EROFS');
  const operation = operationWith(source);
  await publishStatus(operation, aRecord(), POD.asNetns);
  assert.equal(errors(operation.log), [{ message: 'cannot publish the network status', error: 'EROFS' }]);
});

/** Promises that are made, and how long an ADD waits for them. */
class Promises {
  readonly made: unknown[] = [];
  wait: AbortSignal | undefined;
  readonly announcer: Announcer = {
    ...SILENT,
    oweStatus: async (cniDir, { containerId }, wait) => {
      this.made.push(['owe', cniDir, containerId]);
      this.wait = wait;
    },
    dropStatus: (cniDir, containerId) => {
      this.made.push(['drop', cniDir, containerId]);
    },
  };
}

// An API server that hangs would hold up every pod of the node.
test('ADD does not wait for a source that is remote: the status is owed', async () => {
  const source = new StatusSource();
  const { announcer, made, ...promises } = new Promises();
  const openSource = () => ({ ...source.asSource, isRemote: true });
  await publishStatus({ ...operationWith(source), openSource, announcer }, aRecord(), POD.asNetns);
  assert.equal([source.published, made, promises.wait], [[], [['owe', folder.path, 'c0ffee']], undefined]);
});

// Without its daemon a node would forget what its pods got.
test('a node of a cluster owes the status also while nobody on it can tell it', async () => {
  const { announcer, made } = new Promises();
  const record = aRecord({ source: { ...sourceSettings(undefined), kubernetes: true } });
  const operation = { ...operationWith(new StatusSource()), openSource: () => undefined, announcer };
  await publishStatus(operation, record, POD.asNetns);
  assert.is(made.length, 1);
});

test('statusUpdate "wait": ADD waits, but not longer than ten seconds nor than it has itself', async () => {
  for (const left of [60_000, 5000.5, 0]) {
    const openSource = () => ({ ...fakeSource({}), isRemote: true });
    const operation = operationWith(new StatusSource(), { statusUpdate: 'wait' });
    const deadline = performance.now() + left;
    const announcer: Announcer = {
      ...SILENT,
      oweStatus: async (_, __, wait) => {
        while (left === 0 && wait?.aborted === false) await new Promise((resolve) => setImmediate(resolve));
        assert.is(wait?.aborted, left === 0);
      },
    };
    await publishStatus({ ...operation, openSource, announcer, deadline }, aRecord(), POD.asNetns);
    assert.equal(errors(operation.log), []);
    const late = operation.log.of('the network status is not published in time; it is told later');
    assert.is(late.length, left === 0 ? 1 : 0);
  }
});

// The status of a container that is gone would be told as its pod's.
test('DEL takes the promise away before it runs a plugin', async () => {
  const { announcer, made } = new Promises();
  await new Journal(folder.path).write(aRecord());
  const runner = new FakeRunner({ onFeed: () => ({ exitCode: made.length === 1 ? 0 : 1 }) });
  await del({ ...fakeOperation({ command: 'DEL', cniDir: folder.path, runner }), announcer });
  assert.equal(made, [['drop', folder.path, 'c0ffee']]);
});

// A DEL that fails for it would keep the container for ever.
test('a status that cannot be cleared is logged, and DEL goes on', async () => {
  const source = new StatusSource();
  source.failure = new Error('EROFS');
  await new Journal(folder.path).write(aRecord());
  const runner = new FakeRunner();
  const operation = fakeOperation({ command: 'DEL', cniDir: folder.path, runner, source: source.asSource });
  await del(operation);
  assert.equal(runner.calls, ['DEL macvlan', 'DEL bridge']);
  assert.equal(new Journal(folder.path).list(), []);
  assert.equal(errors(operation.log), [{ message: 'cannot clear the network status', error: 'EROFS' }]);
});

test('each of the annotations has the status, with the pod and the container', async () => {
  const source = new StatusSource();
  const args = 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;K8S_POD_UID=u-1';
  const record = aRecord({ statusAnnotations: ['one', 'two'], attachments: [aDefaultAttachment({ args })] });
  await publishStatus(operationWith(source), record, POD.asNetns);
  const text = networkStatusOf(record, await POD.snapshot(), new FakeLog());
  const annotations = { one: text, two: text };
  const pod = { namespace: 'prod', name: 'web', uid: 'u-1', containerId: 'c0ffee', annotations };
  assert.equal(source.published, [pod]);
});

test('a container that belongs to no pod has no status', async () => {
  const source = new StatusSource();
  const record = aRecord({ pod: '', attachments: [aDefaultAttachment({ args: '' })] });
  await publishStatus(operationWith(source), record, POD.asNetns);
  assert.equal(source.published, []);
});

// Multus's weak point 10: it compares its systemNamespaces with the pod's name.
test('a pod has a status whatever its name and its namespace', async () => {
  const source = new StatusSource();
  const args = 'K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=kube-system';
  await publishStatus(operationWith(source), aRecord({ attachments: [aDefaultAttachment({ args })] }), POD.asNetns);
  assert.is(source.published.length, 1);
});

// After a change of the configuration the old status would stay for ever.
test("a status is cleared where it was published, not where the request's configuration points now", async () => {
  const source = new StatusSource();
  const opened: SourceSettings[] = [];
  const openSource = (settings: SourceSettings) => {
    opened.push(settings);
    return source.asSource;
  };
  const record = aRecord({ source: { ...sourceSettings(undefined), manifestsDir: '/then' } });
  await clearStatus(record, folder.path, { openSource, announcer: SILENT, log: new FakeLog() });
  assert.equal(
    [opened, source.cleared],
    [[record.source], [{ namespace: 'prod', name: 'web', containerId: 'c0ffee' }]],
  );
});

test('DEL clears the status also of a container whose record is gone or damaged', async () => {
  const source = new StatusSource();
  const runner = new FakeRunner();
  const again = () => del(fakeOperation({ command: 'DEL', cniDir: folder.path, runner, source: source.asSource }));
  await again();
  folder.write('c0ffee', 'damaged');
  await again();
  const key = { namespace: 'prod', name: 'web', containerId: 'c0ffee' };
  assert.equal(source.cleared, [key, key]);
});

test('tells names, MTUs and gateways of the kernel, and nothing of plugins without an interface of their own', async () => {
  const node = aDefaultAttachment({ result: '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/24"}]}' });
  const renamed = anAttachment({
    result: '{"cniVersion":"1.0.0","interfaces":[{"name":"first0","sandbox":"/x","mtu":9000}]}',
    link: { index: 7, mac: '02:00:00:00:00:07', delegateName: 'first0' },
  });
  const chain = aDefaultAttachment({ network: 'chain', isDefault: false, auxiliary: true });
  const text = networkStatusOf(aRecord({ attachments: [node, renamed, chain] }), await POD.snapshot(), new FakeLog());
  assert.equal(JSON.parse(text), [
    {
      name: 'node',
      interface: 'eth0',
      ips: ['10.0.0.5'],
      mac: '02:00:00:00:00:02',
      mtu: 1500,
      default: true,
      dns: {},
      gateway: ['10.0.0.1'],
    },
    { name: 'prod/data', interface: 'macv0', mac: '02:00:00:00:00:07', mtu: 1400, dns: {} },
  ]);
});

test.run();
