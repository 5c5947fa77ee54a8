import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isPodOf } from '../../../src/cluster/pod-uid.ts';

const SOURCE = 'kubernetes.io/config.source';
const HASH = 'kubernetes.io/config.hash';
const MIRROR = 'kubernetes.io/config.mirror';
const pod = (uid: string, annotations: Record<string, string> = {}) => ({ uid, annotations });

test('a pod is meant by its UID, or by its name where one of the two has no UID', () => {
  assert.ok(isPodOf(pod('a'), 'a'));
  assert.ok(isPodOf(pod('a'), '') && isPodOf(pod(''), 'a'));
  assert.not(isPodOf(pod('a'), 'b'), 'the pod that had the name before');
});

test('a mirror is meant by the UID that it names, and by no other: the file of the pod was edited', () => {
  assert.ok(isPodOf(pod('a', { [SOURCE]: 'file', [HASH]: 'h', [MIRROR]: 'h' }), 'h'));
  assert.ok(isPodOf(pod('a', { [SOURCE]: 'http', [HASH]: 'h' }), 'h'));
  assert.not(isPodOf(pod('a', { [SOURCE]: 'file', [MIRROR]: 'h' }), 'g'));
  assert.ok(isPodOf(pod('a', { [SOURCE]: 'file' }), 'h'), 'one that names none is believed');
});

// Who may annotate a pod could otherwise take the networks' status of another.
test('annotations of a mirror on a pod of the API server say nothing', () => {
  assert.not(isPodOf(pod('a', { [SOURCE]: 'api', [HASH]: 'h', [MIRROR]: 'h' }), 'h'));
  assert.not(isPodOf(pod('a', { [HASH]: 'h', [MIRROR]: 'h' }), 'h'));
});

test.run();
