import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addedInterface, attachFailed, detachStuck, removedInterface } from '../../../../src/attach/publish/events.ts';
import { NetworkNotFoundError } from '../../../../src/attach/resolve/network-not-found.ts';
import { CniCode, CniError } from '../../../../src/cni/errors.ts';
import { parseResult } from '../../../../src/cni/result.ts';

const POD = { namespace: 'prod', name: 'web', uid: 'u-1' };
const NET1 = { network: 'prod/data', ifName: 'net1' };

// Tools look for Multus's reasons and cut its texts.
test('an added interface is told in Multus’s words', () => {
  const ips = '[{"address":"10.1.1.2/24"},{"address":"fd00::2/64"}]';
  const result = parseResult(`{"cniVersion":"1.0.0","ips":${ips}}`, 'result', '1.0.0');
  const message = 'Add net1 [10.1.1.2/24 fd00::2/64] from prod/data';
  assert.equal(addedInterface(POD, NET1, result), { ...POD, type: 'Normal', reason: 'AddedInterface', message });
  const none = parseResult('{"cniVersion":"1.0.0","interfaces":[{"name":"net1"}]}', 'result', '1.0.0');
  assert.is(addedInterface(POD, NET1, none).message, 'Add net1 [] from prod/data');
});

test('a network that is not defined is told in Multus’s words', () => {
  const event = attachFailed(POD, new NetworkNotFoundError('prod', 'lan', 'no such definition'));
  const message = 'cannot find a network-attachment-definition (lan) in namespace (prod): no such definition';
  assert.equal(event, { ...POD, type: 'Warning', reason: 'NoNetworkFound', message });
});

test('a failure names network, interface, plugin and code, and not what the plugin printed besides', () => {
  const error = new CniError(11, 'plugin "macvlan" of network "prod/data": no master', { details: 'secret' });
  const message = 'Add net1 from prod/data: plugin "macvlan" of network "prod/data": no master (code 11)';
  assert.equal(attachFailed(POD, error, NET1), { ...POD, type: 'Warning', reason: 'AttachFailed', message });
  assert.is(attachFailed(POD, new CniError(7, 'no'))?.message, 'no (code 7)');
});

test('what was called off is no failure', () => {
  assert.is(attachFailed(POD, new CniError(CniCode.cancelled, 'a DEL arrived')), undefined);
});

test('what does not go is told with its count', () => {
  const { reason, message } = detachStuck(POD, { ...NET1, failures: 3, error: 'busy' });
  assert.equal(
    [reason, message],
    ['DetachStuck', 'Remove net1 from prod/data failed 3 times, it is tried again: busy'],
  );
  assert.is(removedInterface(POD, NET1).message, 'Remove net1 from prod/data');
});

// The API server refuses an event with a longer message: the user would see nothing.
test('a message has at most 1024 bytes, whole characters, and keeps its code', () => {
  for (const letter of ['x', 'ä', '€', '😀']) {
    const text = attachFailed(POD, new CniError(7, letter.repeat(2000)), NET1)?.message ?? '';
    assert.ok(Buffer.byteLength(text) <= 1024 && Buffer.byteLength(text) > 1015, letter);
    assert.match(text, /…\s\(code 7\)$/);
    assert.not.match(text, '\uFFFD');
  }
});

test.run();
