import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Options, type Surroundings, settingsOf } from '../../../src/daemon/settings.ts';
import { readDaemonConfig } from '../../../src/node-config/read-daemon-config.ts';
import { StartError } from '../../../src/node-config/start-error.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const settings = (
  file: Record<string, unknown> | undefined,
  options: Partial<Options> = {},
  around: Partial<Surroundings> = {},
) =>
  settingsOf(
    { reconcileInterval: 60, ...options },
    file === undefined ? undefined : readDaemonConfig(folder.write('d.json', JSON.stringify(file))),
    { hostname: 'Node-1', ...around },
  );

function startError(run: () => unknown): StartError {
  try {
    run();
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  }
  return assert.unreachable('must throw a StartError') as never;
}

// Multus's daemon ends so, and whoever watches it knows the code.
test('settingsOf() refuses a connection limit that lets nobody in, with exit code 3', () => {
  for (const connectionLimit of [0, -1]) {
    const { exitCode, message } = startError(() => settings({ connectionLimit }));
    assert.is(exitCode, 3);
    assert.ok(message.endsWith(`"connectionLimit" must be a whole number from 1, got ${connectionLimit}`), message);
  }
});

test('settingsOf() without a file and options is what it was before there was a file', () => {
  const { log, nodeKeys, ...rest } = settings(undefined);
  assert.is(nodeKeys.text, '{"cniDir":"/var/lib/cni/multus"}');
  assert.is(log.file, '');
  assert.equal(rest, {
    socketDir: '/run/multus',
    stateDirectories: ['/var/lib/cni/multus'],
    maxOperations: 32,
    logLevel: 'info',
    cluster: undefined,
    overlay: {},
    hotplug: false,
    notes: [],
  });
});

const FILE = { socketDir: '/s', cniDir: '/state', connectionLimit: 5, logLevel: 'Error', metricsPort: 9091 };

test('settingsOf() takes what the file says', () => {
  const { socketDir, stateDirectories, maxOperations, logLevel, overlay, notes } = settings(FILE);
  assert.equal([socketDir, maxOperations, logLevel], ['/s', 5, 'error']);
  assert.equal(overlay, { cniDir: '"/state"', logLevel: '"Error"' });
  assert.is(notes.length, 1);
  // Before the file was there, or before the daemon came, pods were attached by the other one.
  assert.equal(stateDirectories, ['/var/lib/cni/multus', '/state']);
});

test('settingsOf() lets the command line win over the file', () => {
  assert.is(settings({ hotplug: false }, { hotplug: true }).hotplug, true);
  assert.is(settings({ hotplug: true }).hotplug, true);
  const options = { socketDir: '/o', cniDir: '/other', maxOperations: 9, logLevel: 'debug' };
  const { socketDir, stateDirectories, maxOperations, logLevel } = settings(FILE, options);
  assert.equal([socketDir, maxOperations, logLevel], ['/o', 9, 'debug']);
  assert.equal(stateDirectories, ['/other', '/state']);
});

test('the API server is that of the command line, the file or the pod, in this order; without one there is no cluster', () => {
  const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
  const originOf = (...of: Parameters<typeof settings>) => settings(...of).cluster?.origin;
  assert.equal(originOf({ kubeconfig: '/file' }, { kubeconfig: '/option' }, pod), { kubeconfig: '/option' });
  assert.equal(originOf({ kubeconfig: '/file' }, {}, pod), { kubeconfig: '/file' });
  const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
  assert.equal(originOf({}, {}, pod), { server: 'https://10.96.0.1:443', folder });
  const six = { ...pod, KUBERNETES_SERVICE_HOST: 'fd00::1' };
  assert.equal(originOf(undefined, {}, six), { server: 'https://[fd00::1]:443', folder });
  assert.is(originOf(undefined), undefined);
});

test('a certificate of the node takes the place of other credentials; its bootstrap kubeconfig says where the server is', () => {
  const perNodeCertificate = { enabled: true, bootstrapKubeconfig: '/boot', certDir: '/certs', certDuration: '1h' };
  assert.equal(settings({ kubeconfig: '/k', perNodeCertificate }).cluster, {
    origin: { kubeconfig: '/boot', certificate: '/certs/multus-client-current.pem' },
    node: 'node-1',
    certificate: { certDir: '/certs', seconds: 3600 },
  });
});

// The kubelet registers a host named Node-1 as node-1: without the same name the daemon would see no pod of its own.
test('the node has the name that it has in the cluster', () => {
  const node = (...of: Parameters<typeof settings>) => settings(...of).cluster?.node;
  const file = { kubeconfig: '/k' };
  assert.is(node(file), 'node-1');
  assert.is(node(file, {}, { MULTUS_NODE_NAME: 'a' }), 'a');
  assert.is(node(file, { nodeName: 'b' }, { MULTUS_NODE_NAME: 'a' }), 'b');
});

test('with an API server, every request of the node knows that unknown is not none, whichever door it comes by', () => {
  assert.is(settings({ kubeconfig: '/k' }).overlay['kubernetes'], 'true');
  assert.is(settings({ kubeconfig: '/k', kubernetes: false }).overlay['kubernetes'], 'false', 'unless told otherwise');
  assert.is(settings({}).overlay['kubernetes'], undefined);
});

// Nobody would look for the reason before a pod waits for ever.
test('a node of a cluster whose daemon has no credentials is told so once, at the start', () => {
  const file = { kubernetes: true };
  const [note, ...more] = settings(file).notes;
  assert.match(note ?? '', /^"kubernetes" is set, but the daemon has no credentials .* set "kubeconfig"$/);
  assert.equal(more, []);
  const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
  assert.equal(settings(file, {}, pod).notes, []);
  assert.equal(settings({ ...file, kubeconfig: '/k' }).notes, []);
  assert.equal(settings({ ...file, manifestsDir: '/m' }).notes, []);
  assert.equal(settings({}).notes, []);
});

// The daemon would follow the pods of no node, and say nothing.
test('an empty --node-name is refused', () => {
  const { exitCode, message } = startError(() => settings({ kubeconfig: '/k' }, { nodeName: '' }));
  assert.is(exitCode, 1);
  assert.match(message, '--node-name must not be empty');
});

test.run();
