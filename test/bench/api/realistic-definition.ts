/** No plugin of it does anything, but it is as long as those that do, and as what kubectl applied: 1.6 KB. */
import { definition } from '../../e2e/lab/networks.ts';

/** @param i makes it one of many: "lan7" */
export function realisticDefinition(i: number): object {
  const name = `lan${i}`;
  const made = definition(name, {
    plugins: [
      {
        ...{ type: 'noop', master: 'bond0', mode: 'bridge', mtu: 9000 },
        ipam: { type: 'whereabouts', range: `10.${i % 256}.0.0/16`, exclude: [`10.${i % 256}.0.0/28`] },
      },
      { type: 'noop', sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' }, capabilities: { mac: true } },
    ],
  });
  const time = '2026-01-01T00:00:00Z';
  const head = { apiVersion: 'k8s.cni.cncf.io/v1', operation: 'Update', time, fieldsType: 'FieldsV1' };
  const fieldsV1 = {
    'f:metadata': { 'f:annotations': { '.': {}, 'f:kubectl.kubernetes.io/last-applied-configuration': {} } },
    'f:spec': { '.': {}, 'f:config': {} },
  };
  return {
    ...made,
    metadata: {
      ...{ name, namespace: 'default', generation: 1, creationTimestamp: time },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(made) },
      managedFields: [{ manager: 'kubectl-client-side-apply', ...head, fieldsV1 }],
    },
  };
}
