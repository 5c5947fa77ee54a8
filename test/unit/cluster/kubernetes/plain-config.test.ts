import { readFileSync, rmSync } from 'node:fs';
import type { Agent as HttpsAgent } from 'node:https';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stringify } from 'yaml';
import type { CredentialsOrigin, LoadedCredentials } from '../../../../src/cluster/kubernetes/access.ts';
import { LoadedConfig } from '../../../../src/cluster/kubernetes/kube-config.ts';
import { PlainConfig } from '../../../../src/cluster/kubernetes/plain-config.ts';
import { type Authority, type Certificate, makeAuthority } from '../../../e2e/lab/certificates.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);
let authority: Authority;
let client: Certificate;
test.before.each(async () => {
  authority = await makeAuthority(folder.at('pki'));
  client = await authority.client('admin');
  folder.write('token', 'of a file\n');
});

const base64 = (path: string): string => readFileSync(path).toString('base64');

function configOf(user: unknown, cluster: object = {}, more: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'other', cluster: { server: 'https://other' } },
      { name: 'c', cluster: { server: 'https://127.0.0.1:6443/', ...cluster } },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'n' } }],
    'current-context': 'x',
    ...more,
  };
}

/** What requests and connections are made with. */
async function usedOf(loaded: LoadedCredentials): Promise<unknown> {
  const { server, headers, agent } = await loaded.access();
  const { ca, cert, key, servername, rejectUnauthorized, keepAlive } = (agent as HttpsAgent).options;
  const bytes = [ca, cert, key].map((one) => (one === undefined ? '' : String(one)));
  return { server, headers, bytes, servername, rejectUnauthorized, keepAlive, files: [...loaded.files].sort() };
}

function readPlain(origin: CredentialsOrigin): PlainConfig {
  const plain = PlainConfig.read(origin);
  assert.ok(plain, `not plain: ${JSON.stringify(origin)}`);
  return plain as PlainConfig;
}

const assertSame = async (origin: CredentialsOrigin): Promise<void> =>
  assert.equal(await usedOf(readPlain(origin)), await usedOf(new LoadedConfig(origin)));

// The client, which knows every kubeconfig, costs each ADD of a node without a daemon 50 ms.
test('plain credentials are used as the official client uses them', async () => {
  const ca = { 'certificate-authority': 'pki/ca.crt' };
  const caData = { 'certificate-authority-data': base64(authority.caFile) };
  const { certFile, keyFile } = client;
  const users = [
    { token: 'one' },
    { tokenFile: 'token' },
    { tokenFile: folder.at('token') },
    { 'client-certificate': certFile, 'client-key': keyFile },
    { 'client-certificate-data': base64(certFile), 'client-key-data': base64(keyFile) },
    { 'client-certificate-data': base64(certFile), 'client-key': keyFile, token: 'two' },
    {},
  ];
  const clusters = [
    ca,
    caData,
    { 'insecure-skip-tls-verify': true },
    { 'insecure-skip-tls-verify': false, 'tls-server-name': 'api', ...ca },
    { server: 'http://127.0.0.1:1/prefix/', 'insecure-skip-tls-verify': true },
  ];
  for (const user of users) {
    for (const cluster of clusters) {
      const config = configOf(user, cluster);
      for (const text of [JSON.stringify(config), stringify(config)]) {
        await assertSame({ kubeconfig: folder.write('kubeconfig', text) });
      }
    }
  }
});

test('so are those of a pod, and the certificate of a node while it holds', async () => {
  const account = folder.at('account');
  folder.write('account/token', 'of the pod');
  folder.write('account/ca.crt', readFileSync(authority.caFile));
  await assertSame({ server: 'https://10.96.0.1:443', folder: account });
  const certificate = folder.write(
    'node.pem',
    Buffer.concat([readFileSync(client.certFile), readFileSync(client.keyFile)]),
  );
  const kubeconfig = folder.write('kubeconfig', JSON.stringify(configOf({ token: 'bootstrap' })));
  await assertSame({ kubeconfig, certificate });
  rmSync(certificate);
  await assertSame({ kubeconfig, certificate });
});

test('what has more to it, and what is wrong, is left to the client', () => {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'gke' };
  const token = { token: 'one' };
  const configs: unknown[] = [
    configOf({ exec }),
    configOf({ token: 'one', as: 'somebody' }),
    configOf({ username: 'u', password: 'p' }),
    configOf({ token: 'one', tokenFile: 'token' }),
    configOf({ token: '' }),
    configOf({ token: 5 }),
    configOf({ tokenFile: 'gone' }),
    configOf({ 'client-certificate': client.certFile, 'client-certificate-data': 'AAAA' }),
    configOf(null),
    configOf(token, { 'proxy-url': 'socks5://127.0.0.1:1' }),
    configOf(token, { server: '127.0.0.1:6443' }),
    configOf(token, { server: 'http://127.0.0.1:1' }),
    configOf(token, { server: undefined }),
    configOf(token, { 'insecure-skip-tls-verify': 'true' }),
    configOf(token, {}, { 'current-context': 'gone' }),
    configOf(token, {}, { 'current-context': undefined }),
    configOf(token, {}, { contexts: 5 }),
    configOf(
      token,
      {},
      {
        users: [
          { name: 'u', user: token },
          { name: 'u', user: { token: 'two' } },
        ],
      },
    ),
    [],
    'text',
  ];
  for (const config of configs) {
    const text = stringify(config);
    assert.is(PlainConfig.read({ kubeconfig: folder.write('kubeconfig', text) }), undefined, text);
  }
  for (const text of ['', '{', '{"clusters"', 'a: [']) {
    assert.is(PlainConfig.read({ kubeconfig: folder.write('kubeconfig', text) }), undefined, text);
  }
  assert.is(PlainConfig.read({ kubeconfig: folder.at('gone') }), undefined);
  assert.is(PlainConfig.read({ server: 'https://10.96.0.1:443', folder: folder.at('gone') }), undefined);
});

test('connections are used on by what is read anew, as long as they are made with the same', async () => {
  const origin = (user: object, cluster: object = {}) => ({
    kubeconfig: folder.write('kubeconfig', JSON.stringify(configOf(user, cluster))),
  });
  const first = readPlain(origin({ token: 'one' }));
  const { agent } = await first.access();
  const second = readPlain(origin({ token: 'two' }));
  const access = await second.access(first);
  assert.is(access.agent, agent);
  assert.is(access.headers['Authorization'], 'Bearer two');
  const other = readPlain(origin({ token: 'two' }, { 'certificate-authority': 'pki/ca.crt' }));
  assert.is.not((await other.access(second)).agent, agent);
});

test.run();
