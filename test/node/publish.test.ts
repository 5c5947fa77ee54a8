// What an API server that cannot be told anything costs: no pod its networks, and nobody much time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Door } from '../../src/attach/locks.ts';
import { inLab } from '../lab/doors.ts';
import type { Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../lab/spec.ts';

/** A cluster whose API server is at this port of the lab's host. @returns the kubeconfig's path */
function clusterAt(lab: Lab, port: number): string {
  const path = join(lab.directory, 'kubeconfig');
  const cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  const config = {
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token: 'none' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
  const { manifestsDir: _, ...keys } = lab.config;
  const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': {} }; // nobody has to be asked
  lab.config = { ...keys, kubernetes: true, kubeconfig: path, runtimeConfig };
  return path;
}

/** Something in the lab's host namespace accepts connections, and never says a word. */
async function withSilentServer(lab: Lab, body: (port: number) => Promise<void>): Promise<void> {
  await lab.exec('host', 'ip', 'link', 'set', 'lo', 'up');
  const script = `const s = require('node:net').createServer(() => {}); s.listen(0, '127.0.0.1', () => console.log(s.address().port));`;
  const child = spawn('nsenter', [`--net=${lab.netns('host')}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = await once(child.stdout, 'data');
    await body(Number(String(port)));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

function owed(lab: Lab): string[] {
  const folder = join(lab.stateDir, '.outbox');
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** A pod's namespace, and the daemon if that is the way into the program. */
async function start(lab: Lab, door: Door, kubeconfig: string): Promise<void> {
  await lab.addNetns('pod1');
  if (door === 'daemon') await lab.startDaemon('--kubeconfig', kubeconfig, '--node-name', 'node1');
}

/** ADD and DEL of a pod. @returns milliseconds of the ADD */
async function addAndDelete(lab: Lab, more: object = {}): Promise<number> {
  const args = lab.podArgs('pod1');
  const config = JSON.stringify({ ...lab.config, ...more });
  const started = performance.now();
  assertResult(await lab.cni('ADD', { args, config }), '1.0.0');
  const ms = performance.now() - started;
  assert.equal(owed(lab), ['c1'], 'the pod is owed its status');
  assertSilent(await lab.cni('DEL', { args, config }));
  assert.equal(owed(lab), [], 'nobody is owed anything');
  return ms;
}

for (const door of ['daemon', 'standalone'] as const) {
  inLab(`an API server that refuses connections costs no pod its networks (${door})`, async (lab) => {
    await start(lab, door, clusterAt(lab, 1));
    await addAndDelete(lab);
    if (door === 'daemon') {
      await until('it is told', () => lab.daemonMessages().includes('cannot publish the network status yet'));
    }
    await assertClean(lab, 'pod1');
  });

  // The kubelet would take the node's pods for stuck, one after the other.
  inLab(`an API server that hangs costs an ADD two seconds at most (${door})`, async (lab) => {
    await withSilentServer(lab, async (port) => {
      await start(lab, door, clusterAt(lab, port));
      const ms = await addAndDelete(lab);
      // A request to the API server itself would wait for ten seconds.
      assert.ok(ms < (door === 'daemon' ? 5000 : 8000), `${Math.round(ms)} ms`);
    });
    await assertClean(lab, 'pod1');
  });

  inLab(`statusUpdate "wait": ADD is answered, whatever hangs, before its time is up (${door})`, async (lab) => {
    await withSilentServer(lab, async (port) => {
      await start(lab, door, clusterAt(lab, port));
      await addAndDelete(lab, { statusUpdate: 'wait', requestTimeout: '4s' });
    });
    await assertClean(lab, 'pod1');
  });
}

// The daemon's end would be that of what its pods are owed.
inLab('a daemon that ends leaves what is owed to the next one, and does not wait for it', async (lab) => {
  await withSilentServer(lab, async (port) => {
    await start(lab, 'daemon', clusterAt(lab, port));
    assertResult(await lab.cni('ADD', { args: lab.podArgs('pod1') }), '1.0.0');
    const started = performance.now();
    await lab.endDaemon('SIGTERM');
    assert.ok(performance.now() - started < 5000, 'it does not wait for the API server');
    assert.equal(owed(lab), ['c1']);
    assert.ok(lab.daemonMessages().includes('stopped'));
  });
});

test.run();
