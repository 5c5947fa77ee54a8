/** The API stand-in as the bench has it: a process of its own, and what nodes want of an API server. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiClient, LAB_AGENT } from '../../e2e/lab/api-client.ts';
import type { PodOptions } from '../../e2e/lab/api-server.ts';
import { makeAuthority } from '../../e2e/lab/certificates.ts';
import type { Machine } from '../../e2e/lab/machine.ts';
import { freePort, ServerProcess } from '../../e2e/lab/server-process.ts';
import type { BenchApi } from './bench-api.ts';
import { realisticPod } from './realistic-pod.ts';
import type { RequestCount } from './request-counts.ts';

const PROGRAM = fileURLToPath(new URL('stand-in-server.ts', import.meta.url));
const TOKEN = 'of-the-bench';

function writeKubeconfig(folder: string, server: string, caFile: string): string {
  const file = join(folder, 'kubeconfig');
  const cluster = { server, 'certificate-authority-data': readFileSync(caFile).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bench', cluster }],
    users: [{ name: 'bench', user: { token: TOKEN } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

export async function startStandIn(): Promise<BenchApi> {
  const folder = mkdtempSync(join(tmpdir(), 'multus-bench-api-'));
  const authority = await makeAuthority(folder);
  const [serving, admin] = await Promise.all([authority.server('api'), authority.client('bench')]);
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const words = ['--import', 'tsx', PROGRAM, serving.certFile, serving.keyFile, String(port)];
  const server = new ServerProcess(process.execPath, words, join(folder, 'log'));
  const client = new ApiClient(url, authority.caFile, admin);
  const answers = () => client.request('GET', '/readyz').then(({ status }) => status === 200);
  await server.ready(() => answers().catch(() => false));
  const post = (path: string, body: object) => client.must('POST', path, body);
  return {
    name: 'stand-in',
    token: TOKEN,
    url,
    caFile: authority.caFile,
    adminKubeconfig: writeKubeconfig(folder, url, authority.caFile),
    pids: [server.pid],
    async apply(...definitions: object[]) {
      await post('/bench/definitions', definitions);
    },
    async createPod(pod: PodOptions) {
      const created = await post('/api/v1/namespaces/default/pods', realisticPod(pod));
      return { uid: created.metadata.uid };
    },
    async delete(path: string) {
      await client.must('DELETE', path);
    },
    async toldPods() {
      return new Set<string>(await post('/bench/told', {}));
    },
    async takeCounts() {
      const counts: RequestCount[] = await post('/bench/requests', {});
      return counts.filter(({ userAgent }) => userAgent !== LAB_AGENT);
    },
    async delay(ms: number) {
      await post('/bench/latency', { ms });
    },
    async reach({ netns }: Machine) {
      await post('/bench/listen', { netns });
      return { close: () => undefined };
    },
    async close() {
      client.close();
      await server.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
