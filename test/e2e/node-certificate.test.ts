// timeout: 240s
/** Certificates of the node's own, with a real API server; the test is the approver and the signer. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KubernetesSource } from '../../src/cluster/kubernetes/kubernetes-source.ts';
import { certificatePath } from '../../src/cluster/kubernetes/node-certificate.ts';
import { FakeLog } from '../fakes/fake-log.ts';
import { must, until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';

let api: ApiServer;
let folder: string;

test.before(async () => {
  api = await startApiServer();
  folder = mkdtempSync(join(tmpdir(), 'multus-certificate-'));
  mkdirSync(join(folder, 'signed'));
  const authority = dirname(api.caFile);
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(join(folder, 'serial'), '1000');
  writeFileSync(
    join(folder, 'ca.conf'),
    [
      ...['[ca]', 'default_ca = own', '[own]', `database = ${folder}/index.txt`, `serial = ${folder}/serial`],
      ...[`new_certs_dir = ${folder}/signed`, 'default_md = sha256', 'policy = names', 'x509_extensions = client'],
      ...[`certificate = ${authority}/ca.crt`, `private_key = ${authority}/ca.key`, 'unique_subject = no'],
      ...[
        '[names]',
        'commonName = supplied',
        'organizationName = supplied',
        '[client]',
        'extendedKeyUsage = clientAuth',
      ],
    ].join('\n'),
  );
});

test.after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await api.close();
});

const asn1 = (time: number): string => `${new Date(time).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;

/** What controllers of a cluster do. @param from milliseconds of Date.now(): what it is valid from */
// biome-ignore lint/suspicious/noExplicitAny: an object of the API
async function sign(request: any, from: number): Promise<void> {
  const path = `${REQUESTS}/${request.metadata.name}`;
  const [csr, crt] = [join(folder, 'one.csr'), join(folder, 'one.crt')];
  writeFileSync(csr, Buffer.from(request.spec.request, 'base64'));
  const times = ['-startdate', asn1(from), '-enddate', asn1(Date.now() + 3_600_000)];
  await must(
    'openssl',
    'ca',
    '-batch',
    '-notext',
    '-config',
    join(folder, 'ca.conf'),
    ...times,
    '-in',
    csr,
    '-out',
    crt,
  );
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Test', message: 'by the test' }];
  const approved = await api.request('PUT', `${path}/approval`, { ...request, status: { conditions } });
  assert.is(approved.status, 200, JSON.stringify(approved.body));
  const status = { ...approved.body.status, certificate: readFileSync(crt).toString('base64') };
  const signed = await api.request('PUT', `${path}/status`, { ...approved.body, status });
  assert.is(signed.status, 200, JSON.stringify(signed.body));
}

async function allow(name: string, subject: object): Promise<void> {
  const group = { apiGroup: 'rbac.authorization.k8s.io' };
  const rules = [
    { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'], verbs: ['create', 'get'] },
    ...(name === 'bootstrap'
      ? []
      : [{ apiGroups: ['', 'k8s.cni.cncf.io'], resources: ['*'], verbs: ['get', 'list', 'watch'] }]),
  ];
  await api.apply(
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { ...group, kind: 'ClusterRole', name },
      subjects: [{ ...group, ...subject }],
    },
  );
}

// One kubeconfig on all nodes that may read everything is what such a cluster does not want to have.
test('a daemon with a bootstrap kubeconfig follows the cluster with a certificate of its node, and renews it', async () => {
  await allow('bootstrap', { kind: 'User', name: 'bootstrap' });
  await allow('nodes', { kind: 'Group', name: 'system:multus' });
  const certDir = join(folder, 'certs');
  const path = certificatePath(certDir);
  const log = new FakeLog();
  const kubeconfig = api.kubeconfigOf(await api.authority.client('bootstrap'));
  const source = new KubernetesSource({
    origin: { kubeconfig, certificate: path },
    node: 'node1',
    cniDir: join(folder, 'state'),
    userAgent: 'certificate-test',
    log,
    certificate: { certDir, seconds: 3600 },
  });
  const ending = new AbortController();
  const running = source.run(ending.signal);
  const requests = async () =>
    (await api.get(REQUESTS)).items.sort((a: { metadata: { name: string } }, b: { metadata: { name: string } }) =>
      a.metadata.name < b.metadata.name ? -1 : 1,
    );
  try {
    await until('it asks for one', async () => (await requests()).length === 1, 30_000);
    const [first] = await requests();
    assert.is(first.spec.username, 'bootstrap');
    assert.equal([first.spec.signerName, first.spec.expirationSeconds], ['kubernetes.io/kube-apiserver-client', 3600]);
    assert.equal(first.spec.usages, ['digital signature', 'client auth']);
    assert.is(source.state.pods.isSynced, false, 'the bootstrap account may ask for certificates only');
    await sign(first, Date.now() - 1000 * 86_400_000); // of a long time, little is left
    await until('it follows', () => source.state.pods.isSynced && source.state.definitions.isSynced, 60_000);
    assert.is(statSync(path).mode & 0o777, 0o600);
    await until('it renews', async () => (await requests()).length === 2, 60_000);
    const second = (await requests()).find((one: typeof first) => one.metadata.name !== first.metadata.name);
    assert.is(second.spec.username, 'system:multus:node1', 'with the certificate, the bootstrap account may be gone');
    assert.ok(second.spec.groups.includes('system:multus'));
    const before = readFileSync(path, 'utf8');
    await sign(second, Date.now() - 60_000);
    await until('it is the new one', () => readFileSync(path, 'utf8') !== before, 30_000);
    const lookup = await source.definition('default', 'absent', AbortSignal.timeout(10_000));
    assert.is(lookup.outcome, 'absent', JSON.stringify(lookup));
    assert.is(log.of('the node has a certificate of its own').length, 2);
  } finally {
    ending.abort();
    await running;
  }
});

test.run();
