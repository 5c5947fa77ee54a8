import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LiveQueries } from '../../../../src/cluster/kubernetes/live-queries.ts';
import { type Answer, drops, FakeApi, hangs, says } from '../../../fakes/fake-api.ts';
import { until } from '../../../lab/process.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

async function asking(answers: readonly Answer[], body: (queries: LiveQueries, api: FakeApi) => Promise<void>) {
  const api = await FakeApi.start();
  api.script(answers);
  try {
    await body(new LiveQueries(api.client()), api);
  } finally {
    await api.close();
  }
}

const pod = {
  metadata: { namespace: 'ns', name: 'web', uid: 'u', annotations: { 'k8s.v1.cni.cncf.io/networks': 'a' } },
};
const missing = (name?: string) => says(404, { kind: 'Status', code: 404, message: 'not found', details: { name } });

// A node that boots adds dozens of pods at once, and runtimes repeat themselves.
test('many who ask the same at the same time are one request; one who gives up does not end it for the others', async () => {
  let answer = (): void => undefined;
  const later: Answer = (response, request) => {
    answer = () => says(200, pod)(response, request);
  };
  await asking([later], async (queries, api) => {
    const impatient = await queries.pod('ns', 'web', AbortSignal.timeout(30));
    assert.equal(impatient, { outcome: 'unknown', reason: 'the API server does not answer in time' });
    const patient = Array.from({ length: 20 }, () => queries.pod('ns', 'web', soon()));
    await until('the request is there', () => api.asked.length === 1);
    answer();
    for (const lookup of await Promise.all(patient)) {
      assert.is(lookup.outcome === 'found' && lookup.pod.annotations['k8s.v1.cni.cncf.io/networks'], 'a');
    }
    assert.is(api.asked.length, 1);
    api.script([says(200, pod)]);
    await queries.pod('ns', 'web', soon());
    assert.is(api.asked.length, 2, 'who asks later is told what is so then');
  });
});

test('what is not there is absent; what cannot be told is unknown, with the reason', async () => {
  await asking([missing('lan')], async (queries) => {
    assert.equal(await queries.definition('ns', 'lan', soon()), {
      outcome: 'absent',
      reason: 'there is no NetworkAttachmentDefinition ns/lan in the cluster',
    });
  });
  await asking([says(404, '404 page not found')], async (queries) => {
    const lookup = await queries.definition('ns', 'lan', soon());
    assert.ok(lookup.outcome === 'absent' && lookup.reason.includes('CRD'), JSON.stringify(lookup));
  });
  const broken = says(200, { metadata: { name: 'lan', namespace: 'ns' }, spec: { config: {} } });
  for (const [answer, reason] of [
    [says(403, { message: 'u cannot get' }), /403 .*role does not allow it: "u cannot get"/],
    [says(500, ''), /answers 500/],
    [says(429, {}), /answers 429/],
    [says(200, 'x'), /is not JSON/],
    [drops, /cannot be asked/],
    [broken, /cannot be used: spec.config must be a string, got an object/],
  ] as const) {
    await asking([answer, answer], async (queries) => {
      const lookup = await queries.definition('ns', 'lan', soon());
      assert.ok(lookup.outcome === 'unknown', JSON.stringify(lookup));
      assert.match(lookup.reason, reason);
    });
  }
  await asking([missing('web')], async (queries) => {
    const lookup = await queries.pod('ns', 'web', soon());
    assert.is(lookup.outcome, 'unknown', 'a pod that is gone must never be a pod without networks');
  });
});

test('an ADD that was ended ends its look-up with its own reason', async () => {
  await asking([hangs], async (queries) => {
    const ended = new AbortController();
    const lookup = queries.pod('ns', 'web', ended.signal);
    ended.abort(new Error('a DEL arrived'));
    assert.equal(await lookup, { outcome: 'unknown', reason: 'a DEL arrived' });
  });
});

test('claims and all pages of slices are read; a cluster without them says what is needed', async () => {
  const result = { request: 'r', driver: 'd', pool: 'p', device: 'x' };
  const claim = { status: { allocation: { devices: { results: [result] } } } };
  await asking([says(200, claim), missing('none'), says(404, 'page')], async (queries) => {
    const found = await queries.resourceClaim('ns', 'c', soon());
    assert.equal(found.outcome === 'found' && found.claim.allocated, [{ ...result, adminAccess: false }]);
    assert.is((await queries.resourceClaim('ns', 'none', soon())).outcome, 'absent');
    const lacking = await queries.resourceClaim('ns', 'c', soon());
    assert.ok(lacking.outcome === 'unknown' && lacking.reason.includes('Kubernetes 1.34'), JSON.stringify(lacking));
  });
  const page = (name: string, next: string) =>
    says(200, {
      metadata: { continue: next },
      items: [{ metadata: { name }, spec: { driver: 'd', pool: { name: 'p' } } }],
    });
  await asking([page('one', 'more'), page('two', '')], async (queries, api) => {
    const slices = await queries.resourceSlices('d', soon());
    assert.equal(slices.outcome === 'found' && slices.slices.map(({ name }) => name), ['one', 'two']);
    assert.equal(
      api.asked.map(({ query }) => [query['fieldSelector'], query['continue']]),
      [
        ['spec.driver=d', undefined],
        ['spec.driver=d', 'more'],
      ],
    );
  });
});

test.run();
