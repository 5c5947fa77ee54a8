import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NodeCertificate } from '../../../../src/cluster/kubernetes/node-certificate.ts';
import { type Answer, FakeApi, says } from '../../../fakes/fake-api.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { until } from '../../../lab/process.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

// Hundreds a day of each node would stay in etcd until somebody looks.
test('a request that nobody approves is made once; a new one when the cluster has given it up or denied it', async () => {
  const api = await FakeApi.start();
  const asked = (method: string) => api.asked.filter((one) => one.method === method);
  let status: Answer = says(200, {});
  api.script([], (response, request) => {
    if (request.method === 'POST')
      says(201, { metadata: { name: `multus-${asked('POST').length}` } })(response, request);
    else status(response, request);
  });
  const log = new FakeLog();
  const settings = { certDir: folder.at('certs'), seconds: 3600, node: 'node1', log };
  const times = { pollMs: 1, approvalMs: 500, firstMs: 1, longestMs: 4 };
  const ending = new AbortController();
  const running = new NodeCertificate(api.client(), settings, times).run(ending.signal);
  try {
    await until('it was told', () => log.of('cannot get a certificate of the node').length > 0);
    const rounds = performance.now() + 2 * times.approvalMs;
    await until('two rounds more', () => performance.now() > rounds);
    assert.equal([asked('POST').length, new Set(asked('GET').map(({ path }) => path)).size], [1, 1]);
    const gone = says(404, { details: { name: 'multus-1' } });
    const denied = says(200, { status: { conditions: [{ type: 'Denied', message: 'by the test' }] } });
    for (const [answer, count] of [
      [gone, 2],
      [denied, 4],
    ] as const) {
      status = answer;
      await until('it asks anew', () => asked('POST').length >= count);
      status = says(200, {});
    }
  } finally {
    ending.abort();
    await running;
    await api.close();
  }
});

test.run();
