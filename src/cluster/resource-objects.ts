/** Reads what Dynamic Resource Allocation says of devices out of Pod, ResourceClaim and ResourceSlice objects (v1). */
import { show } from '../cni/quote.ts';
import { field, listAt, mappingAt, textAt } from './object-fields.ts';
import type { AllocatedDevice, PodClaims, ResourceClaimRecord, ResourceSliceRecord } from './source.ts';

function required(object: unknown, key: string, path: string): string {
  const text = textAt(object, key, path);
  if (text === '') throw new TypeError(`${path} is missing`);
  return text;
}

/** status.extendedResourceClaimStatus */
function extendedClaim(status: unknown): PodClaims['extended'] {
  const extended = field(status, 'extendedResourceClaimStatus') ?? undefined;
  if (extended === undefined) return undefined;
  const path = 'status.extendedResourceClaimStatus';
  const mappings = listAt(extended, 'requestMappings', `${path}.requestMappings`);
  const resources = mappings.map((mapping, i): [string, string] => {
    const at = (key: string): string => required(mapping, key, `${path}.requestMappings[${i}].${key}`);
    return [at('requestName'), at('resourceName')];
  });
  return { name: required(extended, 'resourceClaimName', `${path}.resourceClaimName`), resources: new Map(resources) };
}

/**
 * The claims of a pod. Those that it names itself are in its spec only; those that Kubernetes makes from a template
 * are in its status, without a name where the template turned out to need none.
 * @throws TypeError naming the field
 */
export function podClaims(pod: unknown): PodClaims {
  const status = field(pod, 'status');
  const statuses = listAt(status, 'resourceClaimStatuses', 'status.resourceClaimStatuses');
  const made = new Map(
    statuses.map((one, i) => {
      const path = `status.resourceClaimStatuses[${i}]`;
      return [required(one, 'name', `${path}.name`), textAt(one, 'resourceClaimName', `${path}.resourceClaimName`)];
    }),
  );
  const names: string[] = [];
  const pending: string[] = [];
  for (const [i, claim] of listAt(field(pod, 'spec'), 'resourceClaims', 'spec.resourceClaims').entries()) {
    const path = `spec.resourceClaims[${i}]`;
    const inPod = required(claim, 'name', `${path}.name`);
    const name = textAt(claim, 'resourceClaimName', `${path}.resourceClaimName`) || made.get(inPod);
    if (name === undefined) pending.push(inPod);
    else names.push(name);
  }
  const all = new Set([...names, ...made.values()]);
  all.delete('');
  return { names: [...all], pending, extended: extendedClaim(status) };
}

function allocatedDevice(result: unknown, path: string): AllocatedDevice {
  const at = (key: string): string => required(result, key, `${path}.${key}`);
  return {
    request: at('request'),
    driver: at('driver'),
    pool: at('pool'),
    device: at('device'),
    adminAccess: field(result, 'adminAccess') === true,
  };
}

/** @param object a ResourceClaim of this namespace and name @throws TypeError naming the field */
export function resourceClaim(object: unknown, namespace: string, name: string): ResourceClaimRecord {
  const allocation = field(field(object, 'status'), 'allocation') ?? undefined;
  const path = 'status.allocation.devices.results';
  const results = listAt(field(allocation, 'devices'), 'results', path);
  const allocated = results.map((result, i) => allocatedDevice(result, `${path}[${i}]`));
  return { namespace, name, allocated: allocation === undefined ? undefined : allocated };
}

/** The attributes of a device that are strings: each is `{string: …}`, `{int: …}`, `{bool: …}` or `{version: …}`. */
function textAttributes(device: unknown, path: string): Record<string, string> {
  const attributes = Object.entries(mappingAt(device, 'attributes', `${path}.attributes`));
  const texts = attributes.map(([name, value]): [string, unknown] => [name, field(value, 'string')]);
  return Object.fromEntries(texts.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** @param object a ResourceSlice of this name @throws TypeError naming the field */
export function resourceSlice(object: unknown, name: string): ResourceSliceRecord {
  const spec = field(object, 'spec');
  const pool = field(spec, 'pool');
  const generation = field(pool, 'generation') ?? 0;
  if (typeof generation !== 'number')
    throw new TypeError(`spec.pool.generation must be a number, got ${show(generation)}`);
  const devices = listAt(spec, 'devices', 'spec.devices').map((device, i): [string, Record<string, string>] => {
    const path = `spec.devices[${i}]`;
    return [required(device, 'name', `${path}.name`), textAttributes(device, path)];
  });
  return {
    name,
    driver: required(spec, 'driver', 'spec.driver'),
    pool: required(pool, 'name', 'spec.pool.name'),
    generation,
    devices: new Map(devices),
  };
}
