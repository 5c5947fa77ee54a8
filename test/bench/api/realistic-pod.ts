import type { PodOptions } from '../../e2e/lab/api-server.ts';

/** As many fields as a pod of a Deployment has whose chart sets most of what one can set, with their managers: 6 KB. */
export function realisticPod({ name, annotations = {}, nodeName = '' }: PodOptions): object {
  const time = '2026-11-22T00:00:00Z';
  const labels = { app: 'bench', 'app.kubernetes.io/name': 'bench', 'pod-template-hash': '7c5ddbdf54' };
  const env = Array.from({ length: 24 }, (_, i) => ({
    name: `SETTING_${i}`,
    valueFrom: { configMapKeyRef: { name: 'bench-settings', key: `setting-${i}` } },
  }));
  const resources = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } };
  const probe = { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, timeoutSeconds: 1, periodSeconds: 10 };
  const token = { name: 'kube-api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true };
  const container = {
    name: 'server',
    image: 'registry.example.org/team/server:1.2.3',
    env,
    resources,
    volumeMounts: [token],
    livenessProbe: probe,
    readinessProbe: probe,
    terminationMessagePath: '/dev/termination-log',
  };
  const managed = Object.fromEntries(env.map((one) => [`k:{"name":"${one.name}"}`, { '.': {}, 'f:valueFrom': {} }]));
  const fieldsV1 = { 'f:spec': { 'f:containers': { 'k:{"name":"server"}': { 'f:env': managed, 'f:image': {} } } } };
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: time,
  }));
  return {
    metadata: {
      name,
      namespace: 'default',
      labels,
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080', ...annotations },
      creationTimestamp: time,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'bench-7c5ddbdf54', uid: 'r', controller: true },
      ],
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          time,
          fieldsType: 'FieldsV1',
          fieldsV1,
        },
      ],
    },
    spec: {
      nodeName,
      containers: [container],
      serviceAccountName: 'default',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
      volumes: [
        {
          name: 'kube-api-access',
          projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: 'token' } }] },
        },
      ],
    },
    status: { phase: 'Pending', conditions, startTime: time, qosClass: 'Burstable' },
  };
}
