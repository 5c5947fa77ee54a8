/** The real one, over relays that can be slow. */
import { startApiServer } from '../../e2e/lab/api-server.ts';
import type { Machine } from '../../e2e/lab/machine.ts';
import { multusAccount } from '../../e2e/lab/multus-node.ts';
import { Relay } from '../../e2e/lab/relay.ts';
import type { BenchApi } from './bench-api.ts';

const STATUS = 'k8s.v1.cni.cncf.io/network-status';

export async function startKubeApiserver(): Promise<BenchApi> {
  const server = await startApiServer();
  const relays = new Set<Relay>();
  return {
    name: 'kube-apiserver with etcd; their CPU counts as foreign',
    token: await multusAccount(server),
    url: server.url,
    caFile: server.caFile,
    adminKubeconfig: server.adminKubeconfig,
    pids: [],
    apply: (...objects) => (objects.length === 0 ? Promise.resolve() : server.apply(...objects)),
    createPod: (pod) => server.createPod(pod),
    delete: (path) => server.delete(path),
    async toldPods() {
      const { items } = await server.get('/api/v1/namespaces/default/pods');
      const told = items.filter(({ metadata }: { metadata: { annotations?: object } }) =>
        Object.hasOwn(metadata.annotations ?? {}, STATUS),
      );
      return new Set(told.map(({ metadata }: { metadata: { name: string } }) => metadata.name));
    },
    async delay(ms) {
      for (const relay of relays) relay.delayMs = ms;
    },
    async reach(machine: Machine) {
      const relay = await Relay.open(machine, Number(new URL(server.url).port));
      relays.add(relay);
      return {
        close() {
          relays.delete(relay);
          relay.close();
        },
      };
    },
    close: () => server.close(),
  };
}
