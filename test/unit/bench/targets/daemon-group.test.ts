import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCpu, parseMemory } from '../../../bench/targets/daemon-group.ts';

// A limit that is read as another one makes daemons look slow, or free.
test('parseCpu() and parseMemory() refuse what Kubernetes would read otherwise', () => {
  for (const text of ['', '0', '-1', '1e3', '100mi', '0.5m m']) assert.throws(() => parseCpu(text), text);
  for (const text of ['', '0', '64M', '64mi', '1.5Gi', 'Mi']) assert.throws(() => parseMemory(text), text);
});

test('parseCpu() and parseMemory() read limits as manifests have them', () => {
  assert.equal(['100m', '0.5', '2'].map(parseCpu), [0.1, 0.5, 2]);
  assert.equal(['1000', '1Ki', '64Mi', '1Gi'].map(parseMemory), [1000, 1024, 64 * 2 ** 20, 2 ** 30]);
});

test.run();
