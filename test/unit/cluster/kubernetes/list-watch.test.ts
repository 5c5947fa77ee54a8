import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ListWatch } from '../../../../src/cluster/kubernetes/list-watch.ts';
import { type Answer, drops, FakeApi, hangs, says, streams } from '../../../fakes/fake-api.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { until } from '../../../lab/process.ts';

const TIMES = { firstMs: 1, longestMs: 20, silenceMs: 150, pageMs: 300, watchSeconds: 60 };

interface Copy {
  watch: ListWatch<string>;
  log: FakeLog;
  changes: string[];
  /** What it has: "name=text". */
  items: () => string[];
}

/** A copy of the things of a scripted server, as long as `body` runs. */
async function copying(
  answers: readonly Answer[],
  body: (copy: Copy, api: FakeApi) => Promise<void>,
  { otherwise = hangs, isLarge = false }: { otherwise?: Answer; isLarge?: boolean } = {},
): Promise<void> {
  const api = await FakeApi.start();
  api.script(answers, otherwise);
  const log = new FakeLog();
  const changes: string[] = [];
  const watch = new ListWatch<string>(
    api.client(),
    {
      what: 'things',
      path: '/apis/things',
      query: { fieldSelector: 'a=b' },
      isLarge,
      read: (object, _, name) => {
        const { text } = object as { text?: unknown };
        if (typeof text !== 'string') throw new TypeError('text must be a string');
        return `${name}=${text}`;
      },
      unknownKind: 'things are not installed',
    },
    { log, times: TIMES, onChange: (key, value) => changes.push(`${key}: ${value ?? 'gone'}`) },
  );
  const ending = new AbortController();
  const running = watch.run(ending.signal);
  try {
    await body({ watch, log, changes, items: () => [...watch.values()].sort() }, api);
  } finally {
    ending.abort();
    await running;
    await api.close();
  }
}

const thing = (name: string, version: number, text: unknown = String(version)) => ({
  metadata: { namespace: 'ns', name, resourceVersion: String(version) },
  text,
});
const list = (version: string, items: unknown[], next = '') =>
  says(200, { metadata: { resourceVersion: version, continue: next }, items });
const event = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;
const bookmark = (version: number): string =>
  event('BOOKMARK', { kind: 'Thing', metadata: { resourceVersion: String(version) } });
const status = (code: number, message = 'no') => ({ kind: 'Status', status: 'Failure', code, message });

test('lists page by page, then watches from the version of the list; what is asked for is right for etcd and cache', async () => {
  await copying(
    [list('5', [thing('a', 1)], 'more'), list('5', [thing('b', 2)]), streams([event('ADDED', thing('c', 6))])],
    async ({ items, changes }, api) => {
      await until('all are there', () => items().length === 3);
      assert.equal(items(), ['a=1', 'b=2', 'c=6']);
      assert.equal(changes, ['ns/a: a=1', 'ns/b: b=2', 'ns/c: c=6']);
      const [first, second, third] = api.asked.map(({ query }) => query);
      // Version 0: the server may answer from its cache. With "continue" a version is an error.
      assert.equal(first, { fieldSelector: 'a=b', limit: '500', resourceVersion: '0' });
      assert.equal(second, { fieldSelector: 'a=b', limit: '500', continue: 'more' });
      const { timeoutSeconds, ...rest } = third ?? {};
      assert.equal(rest, { fieldSelector: 'a=b', watch: '1', allowWatchBookmarks: 'true', resourceVersion: '5' });
      assert.ok(Number(timeoutSeconds) >= 60 && Number(timeoutSeconds) <= 120);
    },
  );
});

const endOfList = (version: number): string =>
  event('BOOKMARK', {
    metadata: { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } },
  });

// Ten thousand definitions as one text would not fit into the daemon's memory limit.
test('a large collection is listed as a stream, and counts once it is whole', async () => {
  const first = [event('ADDED', thing('a', 1)), event('ADDED', thing('b', 2)), bookmark(2), endOfList(3)];
  await copying(
    [streams(first), streams([event('ADDED', thing('c', 4))])],
    async ({ items, changes, watch }, api) => {
      await until('all are there', () => items().length === 3);
      assert.ok(watch.isSynced);
      assert.equal(changes, ['ns/a: a=1', 'ns/b: b=2', 'ns/c: c=4']);
      const [list, following] = api.asked.map(({ query }) => query);
      assert.equal(list, {
        ...{ fieldSelector: 'a=b', watch: '1', sendInitialEvents: 'true', allowWatchBookmarks: 'true' },
        ...{ resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' },
      });
      assert.is(following?.['resourceVersion'], '3');
    },
    { isLarge: true },
  );
});

test('half a streamed list is none: what it lacks may be there', async () => {
  await copying(
    [streams([event('ADDED', thing('a', 1))], true), streams([event('ADDED', thing('b', 2)), endOfList(3)])],
    async ({ items, changes }) => {
      await until('the second list counts', () => items().length > 0);
      assert.equal(items(), ['b=2']);
      assert.equal(changes, ['ns/b: b=2']);
    },
    { isLarge: true },
  );
});

test('a server that streams no lists is asked for pages', async () => {
  for (const code of [400, 422]) {
    await copying(
      [says(code, status(code, 'sendInitialEvents: Forbidden')), list('5', [thing('a', 1)])],
      async ({ items, watch }) => {
        await until('it is there', () => items().length === 1);
        assert.is(watch.problem, '');
      },
      { isLarge: true },
    );
  }
});

// A chunk of the network ends anywhere, also within a letter.
test('reads events whose bytes come in any pieces', async () => {
  const text = event('ADDED', thing('a', 2, 'Größe')) + event('MODIFIED', thing('a', 3, '€')) + bookmark(9);
  const bytes = Buffer.from(text);
  for (const pieces of [[...bytes].map((byte) => Buffer.from([byte])), [bytes]]) {
    await copying([list('1', []), streams(pieces)], async ({ items, changes }) => {
      await until('both are there', () => changes.length === 2);
      assert.equal(items(), ['a=€']);
    });
  }
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: bytes.length - 1 }), async (cut) => {
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
      await copying([list('1', []), streams(pieces)], async ({ changes }) => {
        await until('both are there', () => changes.length === 2);
        assert.equal(changes, ['ns/a: a=Größe', 'ns/a: a=€']);
      });
    }),
    { numRuns: 25 },
  );
});

test('goes on after an end of the watch from the last event or bookmark, and lists no second time', async () => {
  await copying(
    [
      list('1', [thing('a', 1)]),
      streams([event('DELETED', thing('a', 4)), bookmark(7)], true),
      streams([event('ADDED', thing('b', 8))], true),
      streams([]),
    ],
    async ({ items }, api) => {
      await until('the third watch', () => api.asked.length === 4);
      assert.equal(items(), ['b=8']);
      assert.equal(
        api.asked.slice(1).map(({ query }) => query['resourceVersion']),
        ['1', '7', '8'],
      );
    },
  );
});

test('drops half an event at the end of a connection: it comes again', async () => {
  const whole = event('ADDED', thing('a', 2));
  await copying(
    [list('1', []), streams([whole.slice(0, 20)], true), streams([whole])],
    async ({ items, changes }, api) => {
      await until('it is there', () => items().length === 1);
      assert.equal(changes, ['ns/a: a=2']);
      assert.is(api.asked[2]?.query['resourceVersion'], '1');
    },
  );
});

// etcd forgets after five minutes: who was away longer must list, and see what was deleted meanwhile.
test('lists anew when the server has forgotten where it was (410): in the stream, as an answer, within a list', async () => {
  const gone = event('ERROR', status(410, 'too old resource version'));
  for (const expired of [streams([gone]), says(410, status(410))]) {
    await copying(
      [list('1', [thing('a', 1), thing('b', 1)]), expired, list('9', [thing('b', 8)]), streams([])],
      async ({ items, changes, log }, api) => {
        await until('the second watch', () => api.asked.length === 4);
        assert.equal(items(), ['b=8']);
        assert.equal(changes.slice(2), ['ns/a: gone', 'ns/b: b=8']);
        assert.is(api.asked[2]?.query['resourceVersion'], undefined, 'as the server has it now');
        assert.equal(
          log.entries.filter(({ level }) => level === 'warn'),
          [],
          'it is nothing to be told of',
        );
      },
    );
  }
  await copying(
    [list('1', [thing('a', 1)], 'next'), says(410, status(410)), list('3', [thing('b', 2)]), streams([])],
    async ({ items }, api) => {
      await until('the watch', () => api.asked.length === 4);
      assert.equal(items(), ['b=2']);
    },
  );
});

test('a server that has not seen yet what another told us is asked for what it has', async () => {
  const tooNew = says(504, status(504, 'Too large resource version: 9, current: 3'));
  await copying([list('9', []), tooNew, list('3', [thing('a', 2)]), streams([])], async ({ items }, api) => {
    await until('the watch', () => api.asked.length === 4);
    assert.equal(items(), ['a=2']);
    assert.is(api.asked[2]?.query['resourceVersion'], undefined);
  });
});

// A load balancer that lost its server keeps the connection open for ever.
test('a connection on which nothing comes is given up; bookmarks keep it', async () => {
  await copying([list('1', []), streams([])], async ({ items, watch, log }, api) => {
    await until('it is given up', () => api.asked.length === 3);
    assert.match(JSON.stringify(log.of('cannot follow the cluster')), 'nothing came for 150 ms');
    assert.ok(watch.isSynced && items().length === 0);
  });
  const slowly: Answer = (response) => {
    response.writeHead(200);
    let version = 1;
    const timer = setInterval(() => response.write(bookmark(++version)), 40);
    response.on('close', () => clearInterval(timer));
  };
  await copying([list('1', []), slowly], async ({ watch }, api) => {
    await until('it is listed', () => watch.isSynced);
    const first = watch.seenAt;
    await until('longer than the silence', () => watch.seenAt > first + 2 * TIMES.silenceMs);
    assert.is(api.asked.length, 2);
  });
});

const REFUSALS: [string, Answer, RegExp][] = [
  [
    '401',
    says(401, status(401, 'Unauthorized')),
    /answers 401 .*\(credentials of the test\): it does not take our credentials/,
  ],
  [
    '403',
    says(403, status(403, 'u cannot list things')),
    /answers 403 .*role does not allow it: "u cannot list things"/,
  ],
  ['404', says(404, '404 page not found'), /things are not installed/],
  ['429', says(429, status(429)), /answers 429 .*too much to do/],
  ['500', says(500, 'internal error of a proxy'), /answers 500/],
  ['garbage', says(200, 'no JSON'), /is not JSON/],
  ['another JSON', says(200, {}), /has nothing as items/],
  ['no answer', drops, /cannot be asked .*socket hang up/],
  ['silence', hangs, /does not answer .* in time/],
];

test('a list that fails is tried again until it succeeds, and told once', async () => {
  for (const [name, refusal, reason] of REFUSALS) {
    await copying([refusal, refusal, list('1', [thing('a', 1)]), streams([])], async ({ items, watch, log }, api) => {
      await until(`${name}: it succeeds`, () => items().length === 1);
      await until(`${name}: all is told`, () => log.entries.length === 2);
      assert.equal(
        log.entries.map(({ message }) => message),
        ['cannot follow the cluster', 'following the cluster again'],
      );
      assert.match(JSON.parse(JSON.stringify(log.entries[0]?.fields)).reason, reason);
      assert.is(watch.problem, '');
      assert.is(api.refusals, name === '401' ? 2 : 0, 'credentials are read anew after a 401 only');
    });
  }
});

test('a watch that fails leaves the copy as it is, and goes on from where it was', async () => {
  const garbage = streams(['{"type":\n']);
  const unversioned = streams([event('ADDED', { metadata: { namespace: 'ns', name: 'x' }, text: 'x' })]);
  const failed = streams([event('ERROR', status(500, 'etcd'))]);
  const refusals = REFUSALS.filter(([name]) => !['garbage', 'another JSON', 'silence'].includes(name));
  for (const answer of [...refusals.map(([, one]) => one), garbage, unversioned, failed]) {
    const script = [list('1', [thing('a', 1)]), answer, streams([event('ADDED', thing('b', 2))])];
    await copying(script, async ({ items, log }, api) => {
      await until('the next watch', () => items().length === 2);
      assert.equal(items(), ['a=1', 'b=2']);
      assert.is(api.asked[2]?.query['resourceVersion'], '1');
      // A kept connection that the server closes when it is used again says nothing of the server.
      assert.is(log.of('cannot follow the cluster').length, answer === drops ? 0 : 1);
    });
  }
});

test('waits as long as the server asks (Retry-After)', async () => {
  await copying(
    [says(429, status(429), { 'Retry-After': '1' }), list('1', [thing('a', 1)]), streams([])],
    async ({ items }) => {
      const started = performance.now();
      await until('it succeeds', () => items().length === 1);
      assert.ok(performance.now() - started > 900);
    },
  );
});

// A node must not load the server of a cluster that is broken.
test('a watch that ends at once, again and again, is begun ever more seldom', async () => {
  for (const nothingNew of [streams([], true), streams([bookmark(1)], true)]) {
    await copying(
      [list('1', [])],
      async (_copy, api) => {
        await until('a few', () => api.asked.length > 8);
        const before = api.asked.length;
        const started = performance.now();
        await until('some more', () => api.asked.length >= before + 10);
        assert.ok(performance.now() - started > 10 * (TIMES.longestMs / 2), 'half of the longest pause at least');
      },
      { otherwise: nothingNew },
    );
  }
});

test('an object that cannot be used is left out and told of; the others are there', async () => {
  const events = [
    event('ADDED', thing('c', 2, 7)),
    event('MODIFIED', thing('b', 3, null)),
    event('ADDED', thing('d', 4)),
  ];
  await copying([list('1', [thing('a', 1, {}), thing('b', 1)]), streams(events)], async ({ items, log, changes }) => {
    await until('all are read', () => items().includes('d=4'));
    assert.equal(items(), ['d=4']);
    assert.equal(
      log.of('an object of the cluster cannot be used').map((fields) => (fields as { object: string }).object),
      ['ns/a', 'ns/c', 'ns/b'],
    );
    assert.ok(changes.includes('ns/b: gone'), 'who follows must not go on with what it was');
  });
});

test('ends at once when it is told to, whatever it waits for', async () => {
  for (const answers of [[hangs], [list('1', []), streams([])], [says(429, status(429), { 'Retry-After': '60' })]]) {
    await copying(answers, async (_, api) => {
      await until('it waits', () => api.asked.length === answers.length);
    });
  }
});

test.run();
