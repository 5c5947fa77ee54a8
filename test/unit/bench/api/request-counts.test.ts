import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RequestCounts, verbOf } from '../../../bench/api/request-counts.ts';

const PODS = { userAgent: 'daemon', verb: 'watch', resource: 'pods' } as const;

test('verbOf() tells a list, a streamed list and a watch by their query, and an object by its name', () => {
  const verb = (method: string, query: string, isCollection = true) =>
    verbOf(method, new URLSearchParams(query), isCollection);
  assert.equal([verb('GET', ''), verb('GET', 'watch=false'), verb('GET', '', false)], ['list', 'list', 'get']);
  assert.equal([verb('GET', 'watch=1'), verb('GET', 'watch=true&sendInitialEvents=true')], ['watch', 'stream']);
  assert.equal([verb('POST', ''), verb('PUT', '', false), verb('PATCH', '', false)], ['create', 'update', 'patch']);
});

// A watch lasts longer than what is measured: its events belong to the time in which they came.
test('RequestCounts.take() has what came since the last time, also of requests that began before', () => {
  const counts = new RequestCounts();
  counts.begun(PODS, 0, 7);
  counts.begun({ ...PODS, verb: 'patch' }, 100, 8);
  counts.sent({ ...PODS, verb: 'patch' }, 10);
  counts.begun({ ...PODS, verb: 'patch' }, 200, 6);
  counts.sent(PODS, 30, 1);
  assert.equal(counts.take(), [
    { ...PODS, requests: 1, received: 0, sent: 30, events: 1, lastAt: 7 },
    { ...PODS, verb: 'patch', requests: 2, received: 300, sent: 10, events: 0, lastAt: 8 },
  ]);
  counts.sent(PODS, 40, 1);
  assert.equal(counts.take(), [{ ...PODS, requests: 0, received: 0, sent: 40, events: 1, lastAt: 0 }]);
  assert.equal(counts.take(), []);
});

test.run();
