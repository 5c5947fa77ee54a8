import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../../src/cluster/kubernetes/api-error.ts';
import { Credentials } from '../../../../src/cluster/kubernetes/credentials.ts';
import { KubernetesSource } from '../../../../src/cluster/kubernetes/kubernetes-source.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { until } from '../../../lab/process.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

/** JSON is YAML. */
function kubeconfig(user: object, cluster: object = {}): string {
  return JSON.stringify({
    clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1/', 'insecure-skip-tls-verify': true, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

/** Written aside and renamed, as every careful writer does: no two contents have the same inode and time. */
function put(name: string, text: string): string {
  writeFileSync(folder.at(`${name}.new`), text);
  renameSync(folder.at(`${name}.new`), folder.at(name));
  return folder.at(name);
}

const bearer = async (credentials: Credentials) => (await credentials.access()).headers['Authorization'];

async function refusalOf(credentials: Credentials): Promise<ApiError> {
  const error = await credentials.access().catch((thrown: unknown) => thrown);
  assert.instance(error, ApiError);
  return error as ApiError;
}

test('a kubeconfig that was never usable is an error that names it, and is told once; it counts as soon as it is right', async () => {
  const log = new FakeLog();
  const credentials = new Credentials({ kubeconfig: folder.at('k') }, log);
  for (let i = 0; i < 3; i++)
    assert.match((await refusalOf(credentials)).message, `cannot use kubeconfig ${folder.at('k')}`);
  assert.is(log.of('no credentials for the API server').length, 1);
  for (const text of ['{', 'clusters: 5', '{"current-context":"nowhere"}']) {
    put('k', text);
    assert.is((await refusalOf(credentials)).status, 0, text);
  }
  put('k', kubeconfig({ token: 'one' }));
  assert.is(await bearer(credentials), 'Bearer one');
  assert.is(log.of('credentials in use again').length, 1);
});

// "ENOENT … token" and "names no cluster" do not say where to look.
test('what a kubeconfig names and is not there is told by its key, with what there is', async () => {
  const reasonOf = async (text: string) =>
    (await refusalOf(new Credentials({ kubeconfig: put('k', text) }, new FakeLog()))).message;
  const noFile = (key: string) => `its key "${key}" names ${folder.at('gone')}: there is no such file`;
  assert.match(await reasonOf(kubeconfig({ tokenFile: 'gone' })), noFile('tokenFile'));
  assert.match(await reasonOf(kubeconfig({ 'client-certificate': 'gone' })), noFile('client-certificate'));
  assert.match(await reasonOf(kubeconfig({ 'client-key': folder.at('gone') })), noFile('client-key'));
  assert.match(await reasonOf(kubeconfig({}, { 'certificate-authority': 'gone' })), noFile('certificate-authority'));
  const elsewhere = { ...JSON.parse(kubeconfig({})), 'current-context': 'zz' };
  assert.match(await reasonOf(JSON.stringify(elsewhere)), 'current-context "zz" is none of its contexts (x)');
  assert.match(await reasonOf('{"clusters":[]}'), 'current-context "" is none of its contexts (it has none)');
});

// An operator would read three faults where there is one.
test('credentials that cannot be used are told once, though pods and definitions are not followed for it', async () => {
  const log = new FakeLog();
  const source = new KubernetesSource({
    origin: { kubeconfig: folder.at('gone') },
    node: 'n',
    cniDir: folder.path,
    userAgent: 'test',
    log,
  });
  const ending = new AbortController();
  const running = source.run(ending.signal);
  await until('both have tried', () => source.state.pods.problem !== '' && source.state.definitions.problem !== '');
  ending.abort();
  await running;
  const told = log.entries.filter(({ fields }) => JSON.stringify(fields).includes('cannot use kubeconfig'));
  assert.equal(
    told.map(({ message }) => message),
    ['no credentials for the API server'],
  );
});

// The reason is in the log, and in the error of a pod's ADD, which the kubelet shows to everyone who may see the pod.
test('what cannot be read is told without what is in it: there are tokens in it', async () => {
  const users = (user: string) => `clusters: [{name: c, cluster: {server: "https://a"}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
users:
- name: u
  user:
    ${user}`;
  const exec = (script: string) =>
    users(`exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: ["-c", "${script}"]}`);
  for (const [text, reason] of [
    [users('token: "s3cr3t'), / at line 7, column \d+:?$/],
    [users('token: s3cr3t: x\n'), / at line 7, column \d+:?$/],
    [users('\ttoken: s3cr3t\n'), / at line 7, column \d+:?$/],
    [exec('echo s3cr3t'), /what its program printed is not JSON/],
    [exec('echo no login >&2; echo s3cr3t >&2; exit 1'), /: no login$/],
    ['', /it has no list "clusters", so it is no kubeconfig/],
    [users('token: s3cr3t').replace('https://', ''), /must begin with "https:\/\/", got "a"/],
  ] as const) {
    const log = new FakeLog();
    const { message } = await refusalOf(new Credentials({ kubeconfig: put('k', text) }, log));
    assert.match(message, reason);
    const told = `${message} ${JSON.stringify(log.entries)}`;
    assert.not.match(told, /s3cr3t/);
  }
});

test('a new content counts from the next request on; a broken one changes nothing and is told once', async () => {
  const log = new FakeLog();
  const path = put('k', kubeconfig({ token: 'one' }));
  const credentials = new Credentials({ kubeconfig: path }, log);
  const { agent, server } = await credentials.access();
  assert.is(server, 'http://127.0.0.1:1');
  put('k', kubeconfig({ token: 'two' }));
  assert.is(await bearer(credentials), 'Bearer two');
  assert.is((await credentials.access()).agent, agent, 'connections are kept: they do not depend on the token');
  put('k', kubeconfig({ token: 'three' }).slice(0, 40));
  for (let i = 0; i < 3; i++) assert.is(await bearer(credentials), 'Bearer two');
  rmSync(path);
  assert.is(await bearer(credentials), 'Bearer two');
  assert.is(log.of('going on with the last good credentials').length, 2, 'broken, gone');
  put('k', kubeconfig({ token: 'four' }));
  assert.is(await bearer(credentials), 'Bearer four');
});

// What the kubelet does each hour: ..data leads to another folder at once.
test('a projected token is read anew when the link that leads to it is swapped', async () => {
  const version = (name: string, token: string): void => {
    folder.write(`${name}/token`, `${token}\n`);
    folder.write(`${name}/ca.crt`, '');
    symlinkSync(name, folder.at('..data.new'));
    renameSync(folder.at('..data.new'), folder.at('..data'));
  };
  version('v1', 'one');
  symlinkSync('..data/token', folder.at('token'));
  const path = put('k', kubeconfig({ tokenFile: 'token' }));
  const credentials = new Credentials({ kubeconfig: path }, new FakeLog());
  assert.is(await bearer(credentials), 'Bearer one', 'without the newline that no header may have');
  version('v2', 'two');
  assert.is(await bearer(credentials), 'Bearer two');
});

test('after a 401 everything is read anew, and a program that makes tokens is asked anew', async () => {
  const counter = folder.at('count');
  const script = `echo x >> ${counter}; printf '{"status":{"token":"t%s"}}' $(wc -l < ${counter})`;
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] };
  const status = '"expirationTimestamp":"2999-01-01T00:00:00Z",';
  exec.args[1] = script.replace('{"status":{', `{"status":{${status}`);
  const credentials = new Credentials({ kubeconfig: put('k', kubeconfig({ exec })) }, new FakeLog());
  assert.is(await bearer(credentials), 'Bearer t1');
  assert.is(await bearer(credentials), 'Bearer t1', 'as long as it holds');
  credentials.refused();
  assert.is(await bearer(credentials), 'Bearer t2');
});

test('a pod’s own credentials are those that the kubelet puts in its folder; without them nothing is asked', async () => {
  const origin = { server: 'https://10.96.0.1:443', folder: folder.path };
  const credentials = new Credentials(origin, new FakeLog());
  const { message } = await refusalOf(credentials);
  assert.match(message, `cannot use credentials in ${folder.path}`);
  put('token', 't');
  put('ca.crt', 'half a certifi');
  assert.match((await refusalOf(credentials)).message, 'cannot use credentials');
});

test.run();
