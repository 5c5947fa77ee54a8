/** kubectl's `apply --server-side` to a lab's API server. */
import { until } from '../../lab/process.ts';
import type { ApiClient } from './api-client.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API
type ApiObject = any;

const MANAGER = 'multus-native-lab';

const groupPath = (apiVersion: string) => (apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`);

/** The collection that objects of this kind are in; undefined while the API server does not know the kind. */
async function collection(client: ApiClient, { apiVersion, kind, metadata }: ApiObject): Promise<string | undefined> {
  const path = groupPath(apiVersion);
  const { status, body } = await client.request('GET', path);
  if (status === 404) return undefined;
  const resources: ApiObject[] = body.resources ?? [];
  const resource = resources.find((one) => one.kind === kind && !one.name.includes('/'));
  if (resource === undefined) return undefined;
  const namespace = resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
  return `${path}${namespace}/${resource.name}`;
}

/** What the controller manager makes in every namespace; pods cannot name an account that is not there. */
const defaultAccount = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace },
});

const isServed = async (client: ApiClient, { spec }: ApiObject): Promise<boolean> => {
  const version = spec.versions.find((one: ApiObject) => one.served).name;
  const found = { apiVersion: `${spec.group}/${version}`, kind: spec.names.kind, metadata: {} };
  const path = await collection(client, found);
  return path !== undefined && (await client.request('GET', path)).status === 200;
};

async function applyObject(client: ApiClient, object: ApiObject): Promise<ApiObject> {
  const { apiVersion, kind, metadata } = object;
  const path = await collection(client, object);
  if (path === undefined) throw new Error(`apply ${metadata.name}: the API server has no ${kind} of ${apiVersion}`);
  const query = `?fieldManager=${MANAGER}&force=true&fieldValidation=Strict`;
  const applied = await client.must('PATCH', `${path}/${metadata.name}${query}`, object, {
    contentType: 'application/apply-patch+yaml',
  });
  if (kind === 'Namespace') await applyObject(client, defaultAccount(metadata.name));
  // Definitions are served a moment after they are accepted.
  if (kind === 'CustomResourceDefinition') await until(`${metadata.name} is served`, () => isServed(client, object));
  return applied;
}

/** Apply one after the other. @returns them as the API server has them @throws Error with the API server's message */
export async function applyObjects(client: ApiClient, objects: readonly ApiObject[]): Promise<ApiObject[]> {
  const applied = [];
  for (const object of objects) applied.push(await applyObject(client, object));
  return applied;
}
