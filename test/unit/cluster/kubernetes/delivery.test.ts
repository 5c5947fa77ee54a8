import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Delivery } from '../../../../src/cluster/kubernetes/delivery.ts';
import { DeliveryError, type PodRecord } from '../../../../src/cluster/source.ts';
import { type Answer, drops, FakeApi, hangs, says } from '../../../fakes/fake-api.ts';

const STATUS = { namespace: 'ns', name: 'web', uid: 'u', containerId: 'c', annotations: { a: '1' } };
const soon = (): AbortSignal => AbortSignal.timeout(2000);

async function delivering(answers: readonly Answer[], body: (delivery: Delivery, api: FakeApi) => Promise<void>) {
  const api = await FakeApi.start();
  api.script(answers);
  try {
    await body(new Delivery(api.client(), 'node1'), api);
  } finally {
    await api.close();
  }
}

/** What comes of publishing the status when the server answers this. */
async function failure(answers: readonly Answer[], signal = soon(), status = STATUS): Promise<DeliveryError> {
  let thrown: unknown;
  await delivering(answers, async (delivery) => {
    thrown = await delivery.publishStatus(status, undefined, signal).catch((error: unknown) => error);
  });
  assert.instance(thrown, DeliveryError);
  return thrown as DeliveryError;
}

test('a status is one merge patch of the pod’s status, with nothing but our annotations and the UID', async () => {
  await delivering([says(200, {})], async (delivery, api) => {
    await delivery.publishStatus(STATUS, undefined, soon());
    const { method, path, headers, body = '' } = api.asked[0] ?? {};
    assert.equal([method, path], ['PATCH', '/api/v1/namespaces/ns/pods/web/status']);
    assert.is(headers?.['content-type'], 'application/merge-patch+json');
    assert.equal(JSON.parse(body), { metadata: { uid: 'u', annotations: { a: '1' } } });
  });
});

// Trying for ever what is refused for good would fill the outbox; giving up on what is not would lose a status.
test('what is final is told from what may be better next time, and the wait that the server asks for is passed on', async () => {
  const refusal = (code: number, message = 'no') => says(code, { kind: 'Status', code, message });
  const precondition = 'Precondition failed: UID in precondition: u, UID in object meta: v';
  const other = says(200, { metadata: { name: 'web', uid: 'v', annotations: {} } });
  const final: Answer[][] = [
    [says(404, { kind: 'Status', details: { name: 'web' } })],
    [refusal(409, precondition), other],
    [refusal(422), other],
    [refusal(400), other],
    [refusal(403, 'unable to create: namespace ns is being terminated'), other],
  ];
  for (const answers of final) {
    const error = await failure(answers);
    assert.ok(error.isFinal, error.message);
    assert.match(error.message, 'cannot tell the network status of pod ns/web');
  }
  const passing = [refusal(401), refusal(403), refusal(409, 'the object has been modified'), refusal(500), drops];
  passing.push(says(404, 'default backend - 404'));
  for (const answer of passing) assert.not((await failure([answer, answer])).isFinal);
  const druid = { ...STATUS, name: 'druid-0' };
  const modified = [refusal(409, 'the object has been modified'), other];
  assert.not((await failure(modified, soon(), druid)).isFinal, 'not the UID');
  const slow = await failure([hangs], AbortSignal.timeout(50));
  assert.match(slow.message, 'does not answer');
  assert.not(slow.isFinal);
  const busy = await failure([says(429, {}, { 'Retry-After': '7' })]);
  assert.equal([busy.isFinal, busy.retryAfterMs], [false, 7000]);
});

test('the mirror of a static pod is told by its own UID, with no question where it is known', async () => {
  const annotations = { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.mirror': 'u' };
  const mirror: PodRecord = { namespace: 'ns', name: 'web', uid: 'm', annotations };
  await delivering([says(200, {})], async (delivery, api) => {
    await delivery.publishStatus(STATUS, mirror, soon());
    assert.equal(
      api.asked.map(({ body }) => JSON.parse(body).metadata.uid),
      ['m'],
    );
  });
});

test('an event that the server has forgotten is made anew', async () => {
  const event = { namespace: 'ns', name: 'web', uid: 'u', type: 'Warning' as const, reason: 'R', message: 'm' };
  const answers = [says(201, {}), says(404, { details: { name: 'x' } }), says(201, {}), says(200, {})];
  await delivering(answers, async (delivery, api) => {
    for (let i = 0; i < 3; i++) await delivery.recordEvent(event, undefined, soon());
    assert.equal(
      api.asked.map(({ method }) => method),
      ['POST', 'PATCH', 'POST', 'PATCH'],
    );
    assert.is(JSON.parse(api.asked[3]?.body ?? '').count, 2);
  });
});

test.run();
