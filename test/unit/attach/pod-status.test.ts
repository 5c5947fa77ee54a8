import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { del } from '../../../src/attach/del.ts';
import { Journal } from '../../../src/attach/journal.ts';
import { clearStatus, networkStatusOf, publishStatus } from '../../../src/attach/pod-status.ts';
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

const operationWith = (source: StatusSource, env: Record<string, string> = {}) =>
  fakeOperation({ command: 'ADD', cniDir: folder.path, runner: new FakeRunner(), source: source.asSource, env });

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
  const env = { CNI_ARGS: 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;K8S_POD_UID=u-1' };
  const record = aRecord({ statusAnnotations: ['one', 'two'] });
  await publishStatus(operationWith(source, env), record, POD.asNetns);
  const text = networkStatusOf(record, await POD.snapshot(), new FakeLog());
  const annotations = { one: text, two: text };
  const pod = { namespace: 'prod', name: 'web', uid: 'u-1', containerId: 'c0ffee', annotations };
  assert.equal(source.published, [pod]);
});

test('a container that belongs to no pod has no status', async () => {
  const source = new StatusSource();
  await publishStatus(operationWith(source, { CNI_ARGS: '' }), aRecord(), POD.asNetns);
  assert.equal(source.published, []);
});

// Multus's weak point 10: it compares its systemNamespaces with the pod's name.
test('a pod has a status whatever its name and its namespace', async () => {
  const source = new StatusSource();
  const env = { CNI_ARGS: 'K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=kube-system' };
  await publishStatus(operationWith(source, env), aRecord(), POD.asNetns);
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
  await clearStatus(record, { openSource, log: new FakeLog() });
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
