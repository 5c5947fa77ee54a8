import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceMap } from '../../../src/pod/device-map.ts';
import { refusal } from '../cni/refusal.ts';

const SRIOV = 'intel.com/sriov';

function mapOf(devices: Record<string, string[]>, doubts: string[] = [], leftOut: string[] = []): DeviceMap {
  return new DeviceMap('prod/web', { devices: new Map(Object.entries(devices)), doubts, leftOut });
}

// Multus attaches the network without a device, or gives the device of another network: both fail much later.
test('running out is an error that says who has the devices and what to do', () => {
  const map = mapOf({ [SRIOV]: ['b', 'a'] });
  assert.is(map.take(SRIOV, 'prod/one'), 'b');
  assert.is(map.tryTake(SRIOV, 'prod/two'), 'a');
  assert.is(map.tryTake(SRIOV, 'prod/three'), undefined, 'and gives it to nobody');
  assert.equal(
    refusal(() => map.take(SRIOV, 'prod/three')),
    {
      code: 7,
      message:
        'Cannot give network "prod/three" a device of resource "intel.com/sriov": pod prod/web has 2, taken by ' +
        '"prod/one", "prod/two"; request more in the pod\'s containers, or remove a network',
      details: '',
    },
  );
});

test('a resource that the pod does not have is an error that says what it has', () => {
  const remedy =
    "; request it in the pod's containers, or correct annotation k8s.v1.cni.cncf.io/resourceName of the network";
  const problem = (map: DeviceMap) => {
    const { code, message } = refusal(() => map.take('intel.com/srivo', 'prod/one'));
    assert.is(code, 7);
    return message.slice(message.indexOf('pod prod/web '));
  };
  assert.is(problem(mapOf({})), `pod prod/web has no devices${remedy}`);
  assert.is(problem(mapOf({ 'intel.com/srivo': [] })), `pod prod/web has no devices${remedy}`);
  const some = mapOf({ [SRIOV]: ['a', 'b'], gpu: ['0'], none: [] });
  assert.is(problem(some), `pod prod/web has none, only 2 of "intel.com/sriov", 1 of "gpu"${remedy}`);
});

// A claim that the API server cannot tell yet: an error for good would be wrong a second later.
test('what may still turn up is "try again later", with the reason; what is left out is in the details', () => {
  const map = mapOf({ [SRIOV]: ['a'] }, ['still reading', 'second'], ['gpu-0 is no network device']);
  assert.is(map.take(SRIOV, 'prod/one'), 'a');
  const { code, message, details } = refusal(() => map.take(SRIOV, 'prod/two'));
  assert.is(code, 11);
  assert.match(message, 'has 1, taken by "prod/one", as far as can be told: still reading');
  assert.is(details, 'still reading; second; gpu-0 is no network device');
  assert.match(
    refusal(() => map.take('x', 'y')).message,
    'has none, only 1 of "intel.com/sriov", as far as can be told: s',
  );
  assert.match(refusal(() => mapOf({}, ['so']).take('x', 'y')).message, 'has no devices, as far as can be told: so');
});

// Two plugins that move the same VF into the pod: the second fails, or takes it from the first.
test('a PCI device that is offered under two resources is given once', () => {
  const map = mapOf({ a: ['0000:3B:02.1', '0000:3b:02.2'], b: ['0000:3b:02.1', '0000:3b:02.3'] });
  assert.equal(
    ['b', 'a', 'b'].map((resource) => map.take(resource, `of ${resource}`)),
    ['0000:3b:02.1', '0000:3b:02.2', '0000:3b:02.3'],
  );
  const { message } = refusal(() => map.take('a', 'late'));
  assert.match(message, 'has 2, taken by "of b", "of a"');
  const numbered = mapOf({ a: ['0'], b: ['0'] });
  assert.equal(
    [numbered.take('a', 'x'), numbered.take('b', 'y')],
    ['0', '0'],
    'a number names a device of its resource',
  );
});

test('no device is ever given twice, and none is kept back', () => {
  const device = fc.integer({ min: 0, max: 20 }).map((n) => `0000:00:${n.toString(16).padStart(2, '0')}.0`);
  const resource = fc.constantFrom('a', 'b');
  const devices = fc.dictionary(resource, fc.uniqueArray(device));
  fc.assert(
    fc.property(devices, fc.array(resource), (content, requests) => {
      const map = mapOf(content);
      const given = new Set<string>();
      for (const name of requests) {
        const free = (content[name] ?? []).filter((id) => !given.has(id));
        if (free.length === 0) {
          assert.is(refusal(() => map.take(name, 'network')).code, 7);
          continue;
        }
        const id = map.take(name, 'network');
        assert.is(id, free[0]);
        given.add(id);
      }
    }),
  );
});

test.run();
