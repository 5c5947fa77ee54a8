import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePodResources, encodeGetRequest } from '../../../../src/node/kubelet/pod-resources-messages.ts';
import { delimited, type FakeContainer, type FakePod, podResourcesAnswer } from '../../../fakes/fake-kubelet.ts';
import { onlyCniErrors } from '../../cni/refusal.ts';

const WEB = { namespace: 'prod', name: 'web', uid: '' };
const web = (...containers: FakeContainer[]): FakePod => ({ namespace: 'prod', name: 'web', containers });

function decode(answer: Buffer): [string, string[]][] | undefined {
  const devices = decodePodResources(answer, WEB, 'the answer');
  return devices && [...devices].map(([name, ids]) => [name, [...ids]]);
}

// The devices of another pod would be taken away from it.
test('takes the devices of the pod of that name and namespace, and of no other', () => {
  const of = (namespace: string, name: string, id: string): FakePod => ({
    namespace,
    name,
    containers: [{ devices: [['r', [id]]] }],
  });
  const others = [of('dev', 'web', '1'), of('prod', 'web2', '2'), of('', 'prod/web', '3')];
  assert.is(decode(podResourcesAnswer(...others)), undefined);
  assert.equal(decode(podResourcesAnswer(...others, of('prod', 'web', '4'), of('dev', 'web', '5'))), [['r', ['4']]]);
  assert.is(decode(Buffer.alloc(0)), undefined);
});

test('a pod without devices is not an unknown pod', () => {
  assert.equal(decode(podResourcesAnswer(web())), []);
  assert.equal(decode(podResourcesAnswer(web({}, {}))), []);
});

// The kubelet lists a resource once for each NUMA node, and an init container's devices again for its successor.
test('brings the devices of all containers together, each once', () => {
  const answer = podResourcesAnswer(
    web(
      {
        devices: [
          ['a', ['2', '1']],
          ['b', ['9']],
          ['a', ['3']],
        ],
      },
      { devices: [['a', ['1', '4']]] },
    ),
  );
  assert.equal(decode(answer), [
    ['a', ['2', '1', '3', '4']],
    ['b', ['9']],
  ]);
});

test("a claim's devices are what its CDI names have behind the equals sign", () => {
  const names = [['vendor.com/net=vf0'], ['vendor.com/net=vf1', 'no-cdi-name', 'vendor.com/net='], []];
  assert.equal(decode(podResourcesAnswer(web({ claims: [['nic', names]] }))), [['nic', ['vf0', 'vf1']]]);
});

test('reads the fields in any order: senders may write them so', () => {
  const devices = Buffer.concat([delimited(2, '1'), delimited(1, 'r')]);
  const pod = Buffer.concat([delimited(3, delimited(2, devices)), delimited(2, 'prod'), delimited(1, 'web')]);
  assert.equal(decode(delimited(1, pod)), [['r', ['1']]]);
});

test('asks for pods with long names, too', () => {
  const name = 'n'.repeat(253);
  const expected = Buffer.concat([delimited(1, name), delimited(2, 'prod')]);
  assert.equal(encodeGetRequest({ namespace: 'prod', name, uid: '' }), expected);
  assert.equal(encodeGetRequest({ namespace: '', name: '', uid: '' }), Buffer.from([0x0a, 0, 0x12, 0]));
});

const text = fc.string({ unit: 'grapheme', maxLength: 8 });
const container = fc.record({
  devices: fc.array(fc.tuple(text, fc.array(text)), { maxLength: 3 }),
  claims: fc.array(fc.tuple(text, fc.array(fc.array(text), { maxLength: 3 })), { maxLength: 2 }),
});

test('reads what was written, for any containers', () => {
  fc.assert(
    fc.property(fc.array(container, { maxLength: 3 }), (containers) => {
      const expected = new Map<string, Set<string>>();
      const add = (name: string, ids: string[]) => {
        expected.set(name, new Set([...(expected.get(name) ?? []), ...ids]));
      };
      for (const { devices, claims } of containers) {
        for (const [name, ids] of devices) add(name, ids);
        for (const [name, lists] of claims) {
          const ids = lists.flat().map((one) => (one.includes('=') ? one.slice(one.indexOf('=') + 1) : ''));
          add(
            name,
            ids.filter((id) => id !== ''),
          );
        }
      }
      assert.equal(decodePodResources(podResourcesAnswer(web(...containers)), WEB, 'it'), expected);
    }),
  );
});

test('a damaged answer is refused or read, and never anything else', () => {
  fc.assert(
    fc.property(
      fc.array(container, { maxLength: 3 }),
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.boolean(),
      (containers, at, byte, isCut) => {
        const answer = podResourcesAnswer(web(...containers));
        const place = at % answer.length;
        answer[place] = byte;
        onlyCniErrors(() => decode(isCut ? answer.subarray(0, place) : answer));
      },
    ),
    { numRuns: 2000 },
  );
});

test.run();
