// A file that names a dead namespace must not keep a VF for a pod that is gone, nor must a living pod lose its VF to a guess.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { locateClaims } from '../../../src/sriov/locate-claims.ts';
import type { VfClaim } from '../../../src/sriov/model.ts';
import { fakeClaim, fakeInventory, HOST, POD } from '../../fakes/fake-inventory.ts';

const NODE = fakeInventory([]);
const HERE = { dev: '4', ino: '99' };

function locate(claim: VfClaim, find: (path: string) => typeof HERE | undefined, problems: string[] = []) {
  return locateClaims([claim], NODE, problems, find)[0]?.netns;
}

test('a namespace that is known to live is not asked for again', () => {
  const never = (): never => {
    throw new Error('asked');
  };
  assert.equal(locate(fakeClaim(0), never), POD);
});

test('a path leads to the namespace, unless that is another one than was written down, or none', () => {
  const file = fakeClaim(0, { netns: undefined });
  assert.equal(
    locate(file, () => HERE),
    HERE,
  );
  assert.is(
    locate(file, () => undefined),
    undefined,
  );
  const recorded = { dev: '4', ino: '5' };
  assert.is(
    locate(fakeClaim(0, { netns: recorded }), () => HERE),
    undefined,
  );
  assert.equal(
    locate(fakeClaim(0, { netns: recorded }), () => recorded),
    recorded,
  );
});

// dockershim's namespaces were /proc/PID/ns/net: the VF would be in a pod for ever, whatever is left on it.
test('a path that leads to the host is of a container that is gone', () => {
  const { dev, ino } = HOST;
  assert.is(
    locate(fakeClaim(0, { netns: undefined, netnsPath: '/proc/4711/ns/net' }), () => ({ dev, ino })),
    undefined,
  );
});

test('without a path, an identity of no living namespace is of a dead one', () => {
  assert.is(
    locate(fakeClaim(0, { netnsPath: '', netns: HERE }), () => HERE),
    undefined,
  );
});

test('a path that may not be looked at is told, and its pod counts as alive', () => {
  const problems: string[] = [];
  const refuse = (): never => {
    throw new Error('EACCES: permission denied');
  };
  assert.ok(locate(fakeClaim(0, { netns: undefined }), refuse, problems));
  assert.equal(problems, [
    'Cannot look at the network namespace /run/netns/cni-a of /var/lib/cni/multus/c1: EACCES: permission denied',
  ]);
});

test('the real look: a namespace, a file that is none, and nothing', () => {
  const own = fakeClaim(0, { netns: undefined, netnsPath: '/proc/self/ns/net' });
  const file = { ...own, netnsPath: '/proc/self/status' };
  const mount = { ...own, netnsPath: '/run/netns/never-made-by-anybody' };
  const found = locateClaims([own, file, mount], NODE, []).map(({ netns }) => netns !== undefined);
  assert.equal(found, [true, false, false]);
});

test.run();
