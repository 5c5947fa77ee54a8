import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { del } from '../../../../src/attach/del.ts';
import { Journal } from '../../../../src/attach/journal.ts';
import { announceAdded, announceFailure } from '../../../../src/attach/publish/announce.ts';
import { type Announcer, SILENT } from '../../../../src/attach/publish/announcer.ts';
import type { PodEvent } from '../../../../src/cluster/source.ts';
import { CniCode, CniError } from '../../../../src/cni/errors.ts';
import { fakeOperation } from '../../../fakes/fake-operation.ts';
import { FakeRunner } from '../../../fakes/fake-runner.ts';
import { folderFor } from '../../folder.ts';
import { aDefaultAttachment, anAttachment, aRecord } from '../records.ts';

const folder = folderFor(test);

/** What is announced, as "reason: message". */
function listen(): { announcer: Announcer; heard: string[] } {
  const heard: string[] = [];
  const event = (_: unknown, { reason, message }: PodEvent): void => {
    heard.push(`${reason}: ${message}`);
  };
  return { announcer: { ...SILENT, event }, heard };
}

const operationOf = (command: 'ADD' | 'DEL', announcer: Announcer, runner = new FakeRunner(), env = {}) => ({
  ...fakeOperation({ command, cniDir: folder.path, runner, env }),
  announcer,
});

test('every network that was added is told in its order, but not what has no interface of its own', () => {
  const { announcer, heard } = listen();
  const result = '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/24"}]}';
  const chain = aDefaultAttachment({ network: 'chain', isDefault: false, auxiliary: true });
  const empty = anAttachment({ network: 'prod/none', result: '{"cniVersion":"1.0.0"}' });
  const record = aRecord({ attachments: [aDefaultAttachment({ result }), anAttachment(), chain, empty] });
  announceAdded(operationOf('ADD', announcer), record, record.attachments);
  assert.equal(heard, [
    'AddedInterface: Add eth0 [10.0.0.5/24] from node',
    'AddedInterface: Add net1 [] from prod/data',
  ]);
});

test('nobody is told of a container that belongs to no pod', () => {
  const { announcer, heard } = listen();
  const record = aRecord();
  announceAdded(operationOf('ADD', announcer, undefined, { CNI_ARGS: '' }), record, record.attachments);
  assert.equal(heard, []);
});

// A pod would be refused its networks because nobody can be told of them.
test('who cannot be told costs nobody anything but a line in the log', () => {
  const { announcer } = listen();
  announcer.event = () => {
    throw new Error('kubeconfig is not YAML');
  };
  const operation = operationOf('ADD', announcer);
  announceAdded(operation, aRecord(), aRecord().attachments);
  assert.equal(operation.log.of('cannot tell an event'), [{ error: 'kubeconfig is not YAML' }]);
});

// The user would have to find the node's log to see what is wrong with the annotation.
test('a failure is told with the network that failed, where it was one', () => {
  const { announcer, heard } = listen();
  const operation = operationOf('ADD', announcer);
  announceFailure(operation, new CniError(7, 'no such network'));
  announceFailure(operation, new CniError(11, 'busy'), anAttachment());
  announceFailure(operation, new CniError(CniCode.cancelled, 'the caller is gone'));
  assert.equal(heard, [
    'AttachFailed: no such network (code 7)',
    'AttachFailed: Add net1 from prod/data: busy (code 11)',
  ]);
});

// A plugin that never detaches would be known to nobody but the log.
test('a DEL that keeps failing is told from the third time on, for what does not go', async () => {
  const { announcer, heard } = listen();
  await new Journal(folder.path).write(aRecord());
  const runner = new FakeRunner({
    onFeed: ({ plugin }) =>
      plugin === 'macvlan' ? { exitCode: 1, stdout: Buffer.from('{"code":11,"msg":"busy"}') } : {},
  });
  for (let i = 0; i < 3; i++) {
    assert.equal(heard, [], `DEL ${i + 1}`);
    await del(operationOf('DEL', announcer, runner)).catch(() => undefined);
  }
  assert.is(heard.length, 1);
  assert.match(heard[0] ?? '', /^DetachStuck: Remove net1 from prod\/data failed 3 times, it is tried again: .*busy/);
});

test.run();
