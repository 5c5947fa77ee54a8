import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { podClaims, resourceClaim, resourceSlice } from '../../../src/cluster/resource-objects.ts';

function problem(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.instance(error, TypeError);
    return (error as Error).message;
  }
  return assert.unreachable('must throw') as never;
}

// Multus looks into the status only: a claim that several pods name directly has no entry there.
test("finds a pod's claims, those that it names and those made from a template", () => {
  const spec = {
    resourceClaims: [
      { name: 'shared', resourceClaimName: 'nics' },
      { name: 'own', resourceClaimTemplateName: 'nic' },
      { name: 'none', resourceClaimTemplateName: 'maybe' },
      { name: 'late', resourceClaimTemplateName: 'nic' },
    ],
  };
  const resourceClaimStatuses = [{ name: 'own', resourceClaimName: 'web-own-x7' }, { name: 'none' }];
  assert.equal(podClaims({ spec, status: { resourceClaimStatuses } }), {
    names: ['nics', 'web-own-x7'],
    pending: ['late'],
    extended: undefined,
  });
});

test('a pod without claims has none, whatever else it lacks', () => {
  const none = { names: [], pending: [], extended: undefined };
  for (const pod of [undefined, {}, { spec: null, status: null }, { spec: { resourceClaims: null }, status: {} }]) {
    assert.equal(podClaims(pod), none);
  }
});

test('finds the claim for extended resources and what each request of it is for', () => {
  const requestMappings = [
    { containerName: 'app', resourceName: 'intel.com/sriov', requestName: 'container-0-request-0' },
    { containerName: 'app', resourceName: 'nvidia.com/gpu', requestName: 'container-0-request-1' },
  ];
  const { extended } = podClaims({
    status: { extendedResourceClaimStatus: { resourceClaimName: 'web-extended', requestMappings } },
  });
  assert.equal(extended, {
    name: 'web-extended',
    resources: new Map([
      ['container-0-request-0', 'intel.com/sriov'],
      ['container-0-request-1', 'nvidia.com/gpu'],
    ]),
  });
});

test('a claim without allocation is not a claim to no device', () => {
  assert.equal(resourceClaim({}, 'prod', 'nic'), { namespace: 'prod', name: 'nic', allocated: undefined });
  assert.equal(resourceClaim({ status: { allocation: null } }, 'prod', 'nic').allocated, undefined);
  assert.equal(resourceClaim({ status: { allocation: {} } }, 'prod', 'nic').allocated, []);
});

test('reads what is allocated', () => {
  const result = { request: 'r', driver: 'd', pool: 'p', device: 'vf-0' };
  const status = { allocation: { devices: { results: [result, { ...result, adminAccess: true, shareID: 'x' }] } } };
  assert.equal(resourceClaim({ status }, 'prod', 'nic').allocated, [
    { ...result, adminAccess: false },
    { ...result, adminAccess: true },
  ]);
});

test('reads the attributes of a slice that are strings', () => {
  const attributes = {
    a: { string: 'x' },
    b: { int: 1 },
    c: { bool: true },
    d: { version: '1.0.0' },
    e: { string: 5 },
  };
  const spec = {
    driver: 'd',
    pool: { name: 'p', generation: 3 },
    devices: [{ name: 'vf-0', attributes }, { name: 'vf-1' }],
  };
  assert.equal(resourceSlice({ spec }, 's'), {
    name: 's',
    driver: 'd',
    pool: 'p',
    generation: 3,
    devices: new Map<string, object>([
      ['vf-0', { a: 'x' }],
      ['vf-1', {}],
    ]),
  });
});

test('says which field is wrong', () => {
  const pod = (spec: unknown, status: unknown = {}) => problem(() => podClaims({ spec, status }));
  assert.is(pod({ resourceClaims: 5 }), 'spec.resourceClaims must be a list, got 5');
  assert.is(pod({ resourceClaims: [{}] }), 'spec.resourceClaims[0].name is missing');
  const wrongName = { resourceClaims: [{ name: 'a', resourceClaimName: 1 }] };
  assert.is(pod(wrongName), 'spec.resourceClaims[0].resourceClaimName must be a string, got 1; quote it');
  assert.is(pod({}, { resourceClaimStatuses: [1] }), 'status.resourceClaimStatuses[0].name is missing');
  const extended = (value: unknown) => pod({}, { extendedResourceClaimStatus: value });
  const path = 'status.extendedResourceClaimStatus';
  assert.is(extended({}), `${path}.resourceClaimName is missing`);
  assert.is(
    extended({ requestMappings: [{ requestName: 'r' }] }),
    `${path}.requestMappings[0].resourceName is missing`,
  );

  const claim = (results: unknown) =>
    problem(() => resourceClaim({ status: { allocation: { devices: { results } } } }, 'n', 'c'));
  assert.is(claim('x'), 'status.allocation.devices.results must be a list, got "x"');
  assert.is(
    claim([{ request: 'r', driver: 'd', pool: 'p' }]),
    'status.allocation.devices.results[0].device is missing',
  );

  const slice = (spec: object) =>
    problem(() => resourceSlice({ spec: { driver: 'd', pool: { name: 'p' }, ...spec } }, 's'));
  assert.is(slice({ pool: {} }), 'spec.pool.name is missing');
  assert.is(slice({ pool: { name: 'p', generation: '1' } }), 'spec.pool.generation must be a number, got "1"');
  assert.is(slice({ devices: [{}] }), 'spec.devices[0].name is missing');
  assert.is(
    slice({ devices: [{ name: 'a', attributes: [] }] }),
    'spec.devices[0].attributes must be a mapping, got an array',
  );
});

test('any object is read or refused by its field', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const values = { resourceClaims: a, devices: a, pool: b, driver: 'd', resourceClaimStatuses: b, allocation: b };
      for (const read of [
        podClaims,
        (one: unknown) => resourceClaim(one, 'n', 'c'),
        (one: unknown) => resourceSlice(one, 's'),
      ]) {
        for (const object of [a, { spec: values, status: values, extendedResourceClaimStatus: a }]) {
          try {
            read(object);
          } catch (error) {
            assert.instance(error, TypeError);
          }
        }
      }
    }),
  );
});

test.run();
