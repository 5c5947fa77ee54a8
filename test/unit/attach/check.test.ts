import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { check } from '../../../src/attach/check.ts';
import { Journal } from '../../../src/attach/journal.ts';
import { fakeOperation } from '../../fakes/fake-operation.ts';
import { FakeRunner } from '../../fakes/fake-runner.ts';
import { laterRefusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';
import { aRecord } from './records.ts';

const folder = folderFor(test);

const cases: [what: string, netns: string, reason: RegExp][] = [
  ['is not there', '/run/netns/absent', /ENOENT/],
  ['is no namespace', '/dev/null', /is not a namespace file/],
  ['is of another kind', '/proc/self/ns/mnt', /is a mount namespace, not a network namespace/],
  [
    "is the host's own",
    '/proc/self/ns/net',
    /it is the host's network namespace; a container must have one of its own$/,
  ],
];

for (const [what, netns, reason] of cases) {
  test(`a CHECK in a namespace that ${what} is refused, and no plugin looks at the wrong one`, async () => {
    await new Journal(folder.path).write(aRecord());
    const runner = new FakeRunner();
    const operation = fakeOperation({ command: 'CHECK', cniDir: folder.path, runner, env: { CNI_NETNS: netns } });
    const { code, message } = await laterRefusal(() => check(operation));
    assert.is(code, 8);
    assert.ok(message.startsWith(`Cannot use CNI_NETNS "${netns}": `), message);
    assert.match(message, reason);
    assert.equal(runner.calls, []);
  });
}

test.run();
