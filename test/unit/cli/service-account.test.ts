import { readFileSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { followServiceAccount, kubeconfigOf, writeKubeconfig } from '../../../src/cli/service-account.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { until } from '../../lab/process.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);
const account = (host = '10.96.0.1', port = '443') => ({ folder: folder.at('account'), host, port });

function writeAccount(token: string): void {
  folder.write('account/token', token);
  folder.write('account/ca.crt', 'certificate');
}

/** On a node where `multus install` has put the programs. */
function follow(path: string, log: FakeLog, signal: AbortSignal): Promise<void> {
  folder.write('state/.install.json', '{"version":"1","files":[]}');
  return followServiceAccount({ path, account: account(), cniDir: folder.at('state'), log, signal });
}

const tokenIn = (path: string): string => JSON.parse(readFileSync(path, 'utf8')).users[0].user.token;

test('says what is missing: a kubeconfig without a token would be refused by the API server, pod by pod', () => {
  writeAccount('t\n');
  assert.throws(() => kubeconfigOf(account('')), /KUBERNETES_SERVICE_HOST is not set/);
  writeAccount('\n');
  assert.throws(() => kubeconfigOf(account()), /token is empty/);
  folder.remove('account/token');
  assert.throws(() => kubeconfigOf(account()), /token: there is no such file; run it in a pod with a service account$/);
});

test('has the API server, the authority and the token of the pod, IPv6 in brackets', () => {
  writeAccount('secret\n');
  const { clusters, users } = JSON.parse(kubeconfigOf(account('fd00::1', '')));
  assert.is(clusters[0].cluster.server, 'https://[fd00::1]:443');
  assert.is(Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64').toString(), 'certificate');
  assert.is(users[0].user.token, 'secret');
});

test('is for root only, and not written when nothing has changed', async () => {
  writeAccount('secret');
  const path = folder.at('multus.d/multus.kubeconfig');
  await writeKubeconfig(path, account());
  const { ino, mode } = statSync(path);
  assert.is(mode & 0o777, 0o600);
  await writeKubeconfig(path, account());
  assert.is(statSync(path).ino, ino);
});

// Field notes B1, the outage that is reported most often: the token of the first hour is in the file for ever.
test('follows the token that the kubelet replaces, through its links', async () => {
  folder.write('account/v1/token', 'first');
  folder.write('account/v2/token', 'second');
  folder.write('account/ca.crt', 'certificate');
  symlinkSync('v1', folder.at('account/..data'));
  symlinkSync('..data/token', folder.at('account/token'));
  const path = folder.at('multus.kubeconfig');
  const ending = new AbortController();
  const following = follow(path, new FakeLog(), ending.signal);
  await until('the first is there', () => statSync(path, { throwIfNoEntry: false }) !== undefined);
  assert.is(tokenIn(path), 'first');
  symlinkSync('v2', folder.at('account/..new'));
  renameSync(folder.at('account/..new'), folder.at('account/..data'));
  await until('the second is there', () => tokenIn(path) === 'second');
  ending.abort();
  await following;
});

test('a service account that is away for a moment leaves the file, and is said once', async () => {
  writeAccount('secret');
  const path = folder.at('multus.kubeconfig');
  await writeKubeconfig(path, account());
  folder.remove('account/token');
  const log = new FakeLog();
  const ending = new AbortController();
  const following = follow(path, log, ending.signal);
  await until('it is said', () => log.of('kubeconfig left as it is').length > 0);
  folder.write('account/other', '');
  folder.write('account/token', 'next');
  await until('it is back', () => tokenIn(path) === 'next');
  assert.is(log.of('kubeconfig left as it is').length, 1);
  ending.abort();
  await following;
});

// Credentials would lie on a node that was given back.
test('writes nothing where "multus uninstall" has removed the programs', async () => {
  writeAccount('secret');
  const path = folder.at('multus.kubeconfig');
  const ending = new AbortController();
  const log = new FakeLog();
  const following = followServiceAccount({
    path,
    account: account(),
    cniDir: folder.at('state'),
    log,
    signal: ending.signal,
  });
  ending.abort();
  await following;
  assert.is(statSync(path, { throwIfNoEntry: false }), undefined);
});

test.run();
