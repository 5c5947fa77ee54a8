// timeout: 300s
/**
 * README, "Install on a cluster", command by command on a real API server and a node of the lab: what a newcomer copies
 * from it works, and what it promises is there. docker and the roll-out of pods are not: deploy-sandbox.test.ts runs them.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../lab/process.ts';
import { type ApiServer, startApiServer } from './lab/api-server.ts';
import { eventsOf, networkStatus } from './lab/cluster-pods.ts';
import { Kubectl } from './lab/kubectl.ts';
import { LabNode } from './lab/node.ts';
import { build, DEPLOY, only } from './lab/render.ts';

const README = readFileSync(join(DEPLOY, '..', 'README.md'), 'utf8');
const [, CHAPTER = ''] = /\n## Install on a cluster\n(.*?)\n## /s.exec(README) ?? [];
const BLOCKS = [...CHAPTER.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text = '']) => ({ language, text }));

/** Files by path, as the first line of their block names them. */
const FILES = new Map(
  BLOCKS.filter(({ language }) => language === 'yaml').map(({ text }) => [/^# (\S+)\n/.exec(text)?.[1] ?? '', text]),
);

/** Each command with what README shows as its output. */
const COMMANDS = BLOCKS.filter(({ language }) => language === '').flatMap(({ text }) =>
  [...text.matchAll(/^(?:\$ )?((?:kubectl|docker) .*)\n((?:(?!\$ |kubectl |docker ).*\n)*)/gm)].map(
    ([, command = '', output = '']) => ({ command, output: output.trimEnd() }),
  ),
);

const POD = '/api/v1/namespaces/default/pods/web';
const NADS = '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions';

let api: ApiServer;
let clone: string;

test.before(async () => {
  api = await startApiServer();
  clone = mkdtempSync(join(tmpdir(), 'multus-readme-'));
  symlinkSync(DEPLOY, join(clone, 'deploy'));
  for (const [path, text] of FILES) {
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    writeFileSync(join(clone, path), text);
  }
});

test.after(async () => {
  await api.close();
  rmSync(clone, { recursive: true });
});

/** Run README's next command, which must begin so. @returns README's output and the command's */
async function next(beginning: string): Promise<{ shown: string; printed: string }> {
  const found = COMMANDS.shift();
  assert.ok(found?.command.startsWith(beginning), `README has "${found?.command}" instead of "${beginning}"`);
  const { command = '', output = '' } = found ?? {};
  return { shown: output, printed: await new Kubectl(api, clone).run(command) };
}

const anyMac = (text: string): string => text.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'any');

/** Scheduler, kubelet and runtime: the pod comes to the node, and is run there. */
async function startPod(node: LabNode): Promise<string> {
  const target = { kind: 'Node', name: node.name };
  const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'web' }, target };
  assert.is((await api.request('POST', `${POD}/binding`, body)).status, 201);
  const { metadata } = await api.get(POD);
  const { name, uid, annotations } = metadata;
  return (await node.runtime.run({ name, uid, annotations })).id;
}

test('the chapter is there, with its files and commands', () => {
  assert.equal([...FILES.keys()], ['cluster/kustomization.yaml', 'web.yaml', 'uninstall/kustomization.yaml']);
  assert.match(
    COMMANDS.shift()?.command ?? '',
    /--file deploy\/Dockerfile --tag registry\.example\/multus-native:0\.1\.0 /,
  );
  assert.is(COMMANDS.length, 10);
});

test('installed as it says, a pod gets the networks, the status and the events that it shows', async () => {
  await next('kubectl apply -k deploy/crd');
  await next('kubectl apply -k cluster');
  await next('kubectl -n kube-system rollout status daemonset/multus-native');
  const objects = await build(join(clone, 'cluster'));
  const { containers, initContainers } = only(objects, 'DaemonSet').spec.template.spec;
  for (const { image } of [...containers, ...initContainers]) assert.is(image, 'registry.example/multus-native:0.1.0');
  // The node of the lab has its folder of configurations elsewhere.
  const { data } = only(objects, 'ConfigMap');
  const { multusAutoconfigDir, ...keys } = JSON.parse(data['daemon-config.json']);
  assert.is(multusAutoconfigDir, '/etc/cni/net.d');
  const kubeconfig = api.kubeconfigFor(await api.serviceAccountToken('kube-system', 'multus-native'));
  const node = await LabNode.start({ containerd: 2, mode: 'thick', api, kubeconfig, keys });
  try {
    await next('kubectl apply -f web.yaml');
    const id = await startPod(node);
    const links = (await node.runtime.links(id)).map(({ ifname }) => ifname);
    assert.equal(links.sort(), ['eth0', 'lo', 'net1']);
    await until('the pod has its status', async () => (await networkStatus(api, 'web')) !== undefined);
    const { uid } = (await api.get(POD)).metadata;
    await until('and its events', async () => (await eventsOf(api, uid)).length === 2);
    const status = await next('kubectl get pod web');
    assert.is(anyMac(status.printed), anyMac(status.shown));
    const events = await next('kubectl get events');
    assert.equal(events.printed.split('\n').sort(), events.shown.split('\n').sort());
    await node.runtime.stopSandbox(id);
    await node.runtime.remove(id);
  } catch (error) {
    console.error(node.daemonLog.slice(-4000));
    await node.close(true);
    throw error;
  }
  await node.close();
});

test('uninstalled as it says, nothing is left in the cluster but the definitions', async () => {
  await next('kubectl -n kube-system delete daemonset,');
  await next('kubectl apply -k uninstall');
  await next('kubectl -n kube-system rollout status daemonset/multus-native-uninstall');
  const path = '/apis/apps/v1/namespaces/kube-system/daemonsets';
  const [daemon, ...others] = (await api.get(path)).items;
  assert.equal(others, []);
  assert.is(daemon.spec.template.spec.containers[0].image, 'registry.example/multus-native:0.1.0');
  await next('kubectl delete -k uninstall');
  for (const [kind, collection] of [
    ['DaemonSet', path],
    ['ConfigMap', '/api/v1/namespaces/kube-system/configmaps'],
    ['ServiceAccount', '/api/v1/namespaces/kube-system/serviceaccounts'],
    ['ClusterRole', '/apis/rbac.authorization.k8s.io/v1/clusterroles'],
    ['ClusterRoleBinding', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'],
  ]) {
    const { items } = await api.get(collection ?? '');
    const names = items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
    assert.equal(
      names.filter((name: string) => name.includes('multus')),
      [],
      kind,
    );
  }
  assert.ok(await api.get(`${NADS}/lan`), 'networks are kept');
  assert.equal(COMMANDS, [], 'commands that nobody has tried');
});

test.run();
