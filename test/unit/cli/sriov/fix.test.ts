import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFixOptions, type FixRun, runFixes } from '../../../../src/cli/sriov/fix.ts';
import { UsageError } from '../../../../src/cli/sriov/verify-selection.ts';
import type { AuditReport } from '../../../../src/sriov/audit-report.ts';
import type { Fix, FixAction } from '../../../../src/sriov/model.ts';
import { aLink, aReport, failed, PF_LINK, POD } from '../../sriov/audited.ts';

const SET: Fix = { command: 'set', action: { kind: 'set-vf', pf: PF_LINK, vf: 3, settings: { vlan: 0 }, places: [] } };
const MOVE: Fix = {
  command: 'move',
  action: { kind: 'move-to-host', place: { netns: POD, link: aLink('net1') }, name: 'enp1s0v3' },
};
const BY_HAND: Fix = { command: 'by hand', action: undefined };
const NOTHING = aReport([]);

/** A node that is found so, one state after the other; the last one stays. */
function run(states: AuditReport[], more: Partial<FixRun> = {}) {
  const [report = NOTHING] = states;
  const made: FixAction['kind'][] = [];
  let text = '';
  let looks = 0;
  const outcome = runFixes({
    report,
    look: async () => states[Math.min(++looks, states.length - 1)] ?? NOTHING,
    sriovDir: '/absent',
    print: (line) => {
      text += line;
    },
    ask: async () => assert.unreachable('nobody may be asked') as never,
    apply: async ({ kind }) => {
      made.push(kind);
    },
    ...more,
  });
  return outcome.then(({ done, left, report: now }) => ({ done, left, now, made, text }));
}

// A node would be changed by a script that only wanted to look.
test('checkFixOptions() refuses to change anything unasked', () => {
  const remedy = 'add --yes to make the changes, or --dry-run to see them';
  assert.throws(
    () => checkFixOptions({}, false),
    (error: Error) =>
      error instanceof UsageError &&
      error.message === `option '--fix' cannot ask before it changes anything: this is not a terminal; ${remedy}`,
  );
  checkFixOptions({ yes: true }, false);
  checkFixOptions({ dryRun: true }, false);
  checkFixOptions({}, true);
});

for (const answer of ['', 'n', 'no', 'yesterday', '1']) {
  test(`runFixes() changes nothing when the answer is ${JSON.stringify(answer)}`, async () => {
    const { made, text, done } = await run([aReport([failed('is idle', SET)])], { ask: async () => answer });
    assert.equal([made, done], [[], 0]);
    assert.is(
      text,
      '1 change would mend what is wrong:\n  set\n      enp1s0 VF 3 (0000:01:10.6) is idle\nNothing was changed.\n',
    );
  });
}

for (const answer of ['y', 'YES', ' yes ']) {
  test(`runFixes() makes the changes when the answer is ${JSON.stringify(answer)}`, async () => {
    const broken = aReport([failed('is idle', SET)]);
    const { made, done, left } = await run([broken, broken, NOTHING], { ask: async () => answer });
    assert.equal([made, done, left], [['set-vf'], 1, 0]);
  });
}

test('runFixes() only shows with --dry-run, and what is left for people', async () => {
  const states = [aReport([failed('is idle', SET), failed('is in use', BY_HAND)])];
  const { made, text } = await run(states, { dryRun: true, yes: true });
  assert.equal(made, []);
  assert.match(text, '  set\n');
  assert.match(text, 'For you to decide, since a pod or a virtual machine has the VF, or may have it:\n  by hand\n');
});

// A VF that came home with a VLAN would stay in it; the operator would have to know to run it again.
test('runFixes() goes on until nothing is left that it did not try', async () => {
  const away = aReport([failed('is away', MOVE)]);
  const home = aReport([failed('is idle', SET)]);
  const { made, done, now } = await run([away, away, home, home, NOTHING], { yes: true });
  assert.equal([made, done], [['move-to-host', 'set-vf'], 2]);
  assert.is(now, NOTHING);
});

// Another pod may have got the VF between the question and the answer.
test('runFixes() looks again before each change, and leaves what is not so any more', async () => {
  const { made, text, left } = await run([aReport([failed('is idle', SET)]), NOTHING], { yes: true });
  assert.equal([made, left], [[], 0]);
  assert.match(text, 'LEFT: set\n      not done: it is not, or not surely, what it was when it was looked at');
});

// One driver that refuses would keep every other VF from being mended, or the command run for ever.
test('runFixes() tells what failed, makes the others, and tries nothing twice', async () => {
  const broken = aReport([failed('is idle', SET), failed('is away', MOVE)]);
  const { text, done, left } = await run([broken, broken, broken, aReport([failed('is idle', SET)])], {
    yes: true,
    apply: async ({ kind }) => {
      if (kind === 'set-vf') throw new Error('Operation not supported');
    },
  });
  assert.equal([done, left], [1, 1]);
  assert.match(text, 'done: move\nLEFT: set\n      Operation not supported\n');
});

test('runFixes() says when there is nothing to do', async () => {
  assert.is((await run([NOTHING])).text, 'Nothing here can be mended by --fix.\n');
});

test.run();
