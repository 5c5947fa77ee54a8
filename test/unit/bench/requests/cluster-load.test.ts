import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RequestCount } from '../../../bench/api/request-counts.ts';
import { clusterLoad } from '../../../bench/requests/cluster-load.ts';
import { type PhaseCount, perPod } from '../../../bench/requests/count-requests.ts';

const count = (more: Partial<RequestCount>): RequestCount => ({
  ...{ userAgent: 'a', verb: 'patch', resource: 'pods/status', requests: 1, received: 100, sent: 1000, events: 0 },
  lastAt: 1,
  ...more,
});

const phase = (more: Partial<PhaseCount>): PhaseCount => ({
  ...{ scenario: 'S1', target: 'thick', phase: 'ADD', verb: 'patch', resource: 'pods/status' },
  ...{ requests: 1, received: 100, sent: 1000, events: 0 },
  ...more,
});

test('perPod() takes together what several looks and programs have of a kind, and divides it', () => {
  const counts = [count({}), count({ userAgent: 'b', received: 300 }), count({ verb: 'get', requests: 6 })];
  assert.equal(perPod(counts, 2), [
    { verb: 'get', resource: 'pods/status', requests: 3, received: 50, sent: 500, events: 0 },
    { verb: 'patch', resource: 'pods/status', requests: 1, received: 200, sent: 1000, events: 0 },
  ]);
});

test('clusterLoad() has all of a pod’s life, times pods and nodes, and keeps watches and answers apart', () => {
  const counts = [
    phase({ phase: 'start', verb: 'list', requests: 5 }),
    phase({ verb: 'get', requests: 3, received: 0, sent: 6000 }),
    phase({}),
    phase({ phase: 'DEL', verb: 'create', requests: 2 }),
    phase({ phase: 'gone', verb: 'watch', requests: 0, received: 0, sent: 6000, events: 1.5 }),
    phase({ target: 'multus-thin', verb: 'get' }),
  ];
  const [thick, thin] = clusterLoad(counts, 100, 10);
  assert.equal(thick, {
    ...{ scenario: 'S1', target: 'thick', nodes: 100 },
    ...{ requests: 6000, writes: 3000, receivedBytes: 200_000, sentBytes: 8_000_000 },
    ...{ events: 1500, eventBytes: 6_000_000 },
  });
  assert.equal([thin?.target, thin?.requests, thin?.writes], ['multus-thin', 1000, 0]);
});

test.run();
