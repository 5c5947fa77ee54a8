/** The parts of a Pod that no node's daemon reads and every API server sends: about 6 KB of it. */

/** @param path where the fields lie, from the object's root */
export function managedFields(manager: string, path: readonly string[]): object {
  const names = ['f:containers', 'f:image', 'f:resources', 'f:volumeMounts', 'f:conditions', 'f:podIPs', 'f:phase'];
  const leaves = Object.fromEntries(
    names.map((name) => [name, { '.': {}, 'f:name': {}, 'f:type': {}, 'f:status': {} }]),
  );
  const fieldsV1 = path.reduceRight<object>((inner, name) => ({ [name]: inner }), leaves);
  const head = { apiVersion: 'v1', operation: 'Update', time: '2026-01-01T00:00:00Z', fieldsType: 'FieldsV1' };
  return { manager, ...head, fieldsV1 };
}

export function podContainer(i: number): object {
  return {
    ...{ name: 'app', image: `registry.example/team/app${i % 20}:1.42.0`, imagePullPolicy: 'IfNotPresent' },
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    env: Array.from({ length: 20 }, (_, n) => ({ name: `SETTING_${n}`, value: `value ${n} of the application's own` })),
    resources: { limits: { cpu: '500m', memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    volumeMounts: [{ name: 'token', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
    livenessProbe: {
      httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' },
      periodSeconds: 10,
      failureThreshold: 3,
    },
    readinessProbe: { httpGet: { path: '/readyz', port: 8080, scheme: 'HTTP' }, periodSeconds: 5, failureThreshold: 3 },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  };
}

export function podStatus(i: number): object {
  const types = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const started = {
    state: { running: { startedAt: lastTransitionTime } },
    lastState: {},
    restartCount: 0,
    ready: true,
  };
  return {
    phase: 'Running',
    conditions: types.map((type) => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime })),
    podIP: `10.0.0.${i % 250}`,
    podIPs: [{ ip: `10.0.0.${i % 250}` }],
    containerStatuses: [
      { name: 'app', ...started, image: 'app', imageID: `sha256:${'ab'.repeat(32)}`, containerID: `c${i}` },
    ],
    qosClass: 'Burstable',
  };
}
