// timeout: 300s
// The last-but-one of four networks fails, in every way in which plugins do. The pod does not start then; what was
// attached before would be lost to the node, an address and an interface per try, and runtimes try for ever.
import { chmodSync, closeSync, copyFileSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachDoor } from '../lab/doors.ts';
import { EMPTY_RESULT, Fakes, fail } from '../lab/fakes.ts';
import type { CniCall, Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean, assertError, assertResult, assertSilent } from '../lab/spec.ts';

/** Where a plugin hangs. Elsewhere it is the default: a shell may take a second to start on a busy machine. */
const DELEGATE_TIMEOUT_MS = 3000;
/** Between TERM and KILL; what ignores TERM takes that much longer. */
const GRACE_MS = 2000;
/** Starting programs on a busy machine. */
const ALLOWANCE_MS = 5000;

interface Failure {
  what: string;
  /** ADD of the plugin, in shell. */
  script: string;
  code: number;
  /** What the message says. */
  message: string | RegExp;
  details?: RegExp;
  /** How long the ADD may take. */
  limitMs?: number;
}

const FAILURES: Failure[] = [
  {
    what: 'fails with a CNI error',
    script: fail(123, 'the switch is full'),
    code: 123,
    message: 'plugin "bad" of network "default/bad": the switch is full',
    details: /^as told$/,
  },
  {
    what: 'fails without JSON',
    script: 'echo oops; echo "no such device" >&2; exit 3',
    code: 100,
    message: 'plugin "bad" of network "default/bad" exited with code 3 and without a CNI error',
    details: /stdout: oops.*; stderr: no such device/,
  },
  {
    what: 'fails with JSON that is no error',
    script: `${EMPTY_RESULT}; exit 1`,
    code: 100,
    message: 'plugin "bad" of network "default/bad" exited with code 1 and without a CNI error',
  },
  {
    what: 'crashes',
    script: 'kill -SEGV $$',
    code: 100,
    message: 'plugin "bad" of network "default/bad" was ended by SIGSEGV during ADD',
  },
  {
    what: 'hangs, with a child',
    script: 'sleep 1000 & sleep 1000',
    code: 103,
    message: `plugin "bad" of network "default/bad" did not finish ADD within ${DELEGATE_TIMEOUT_MS} ms`,
    limitMs: DELEGATE_TIMEOUT_MS + ALLOWANCE_MS,
  },
  {
    what: 'hangs and ignores TERM, with a child that does, too',
    script: `trap '' TERM; sleep 1000 & while :; do sleep 1000; done`,
    code: 103,
    message: `plugin "bad" of network "default/bad" did not finish ADD within ${DELEGATE_TIMEOUT_MS} ms`,
    limitMs: DELEGATE_TIMEOUT_MS + GRACE_MS + ALLOWANCE_MS,
  },
  {
    what: 'prints garbage',
    script: 'echo "<html>"',
    code: 6,
    message: 'result of plugin "bad" of network "default/bad"',
    details: /it printed "<html>/,
  },
  {
    what: 'prints half a result',
    script: `printf '{"cniVersion":"1.0.0","ips":['`,
    code: 6,
    message: 'result of plugin "bad" of network "default/bad"',
  },
  {
    what: 'prints a result of the wrong shape',
    script: `echo '{"cniVersion":"1.0.0","ips":"10.0.0.1"}'`,
    code: 6,
    message: /default\/bad.*"?ips"?/,
  },
  {
    what: 'prints a result of an unknown version',
    script: `echo '{"cniVersion":"7.0.0"}'`,
    code: 1,
    message: /default\/bad.*7\.0\.0/,
  },
  {
    what: 'prints nothing',
    script: 'exit 0',
    code: 100,
    message: 'result of plugin "bad" of network "default/bad": it printed nothing',
  },
  {
    what: 'prints 100 MB',
    script: 'head -c 100000000 /dev/zero',
    code: 100,
    message: /plugin "bad" of network "default\/bad" printed more than \d+ bytes for ADD/,
  },
  {
    what: 'prints 100 MB to stderr and fails',
    script: 'head -c 100000000 /dev/zero >&2; exit 4',
    code: 100,
    message: 'plugin "bad" of network "default/bad" exited with code 4',
  },
  {
    what: 'closes its output and hangs',
    script: 'exec >&- 2>&-; exec sleep 1000',
    code: 103,
    message: `plugin "bad" of network "default/bad" did not finish ADD within ${DELEGATE_TIMEOUT_MS} ms`,
    limitMs: DELEGATE_TIMEOUT_MS + ALLOWANCE_MS,
  },
];

const BEFORE = ['ADD first', 'ADD second'];
const AFTER = ['DEL second', 'DEL first'];

/** Makes plugins that hang be given up soon. */
function loseNoTime(lab: Lab): void {
  lab.config['delegateTimeout'] = `${DELEGATE_TIMEOUT_MS}ms`;
}

/** A pod with networks first (the default one), second, bad, last. */
async function prepare(lab: Lab, bad: string): Promise<{ fakes: Fakes; call: CniCall }> {
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('first')];
  lab.manifest(
    'pod1.yaml',
    lab.nadManifest('second', fakes.plugin('second')),
    lab.nadManifest('bad', fakes.plugin('bad', { ADD: bad })),
    lab.nadManifest('last', fakes.plugin('last')),
    lab.podManifest('pod1', 'second, bad, last'),
  );
  await lab.addNetns('pod1');
  return { fakes, call: { args: lab.podArgs('pod1') } };
}

for (const { what, script, code, message, details, limitMs } of FAILURES) {
  eachDoor(`ADD undoes itself when a plugin ${what}`, async (lab) => {
    const { fakes, call } = await prepare(lab, script);
    if (limitMs !== undefined) loseNoTime(lab);
    const added = await lab.cni('ADD', call);
    assertError(added, code, message);
    if (details !== undefined) assert.match(added.json.details, details);
    if (limitMs !== undefined) assert.ok(added.ms < limitMs, `${added.ms} ms, at most ${limitMs}`);
    assert.equal(fakes.history(), [...BEFORE, 'ADD bad', 'DEL bad', ...AFTER]);
    await assertClean(lab, 'pod1');
  });
}

// It would attach the pod to a network that nobody knows of, once the ADD has failed.
eachDoor('a plugin that was started ahead of its turn is gone when the one before it fails', async (lab) => {
  const name = `ahead${process.pid}`;
  const seen = join(lab.directory, 'seen');
  const { fakes, call } = await prepare(
    lab,
    `until pgrep -x ${name} > ${seen}; do sleep 0.02; done; ${fail(123, 'no')}`,
  );
  copyFileSync('/bin/cat', join(lab.binDir, name)); // no script: it does nothing before it reads
  const network = (type: string): object => ({ cniVersion: '1.0.0', name: type, type });
  lab.manifest(
    'pod1.yaml',
    lab.nadManifest('second', network('second')),
    lab.nadManifest('bad', network('bad')),
    lab.nadManifest('last', network(name)),
    lab.podManifest('pod1', 'second, bad, last'),
  );
  assertError(await lab.cni('ADD', call), 123, 'plugin "bad" of network "default/bad": no');
  assert.equal(fakes.history(), [...BEFORE, 'ADD bad', 'DEL bad', ...AFTER]);
  const pid = readFileSync(seen, 'utf8').trim();
  await until('the plugin is gone', () => !existsSync(`/proc/${pid}`));
  await assertClean(lab, 'pod1');
});

// A plugin that is not there can neither attach nor detach; to insist on its DEL would keep the rest for ever.
eachDoor('ADD undoes itself when a plugin is missing', async (lab) => {
  const { fakes, call } = await prepare(lab, EMPTY_RESULT);
  rmSync(join(lab.binDir, 'bad'));
  assertError(await lab.cni('ADD', call), 101, 'Cannot start plugin "bad" of network "default/bad"', lab.binDir);
  assert.equal(fakes.history(), [...BEFORE, ...AFTER]);
  await assertClean(lab, 'pod1');
});

eachDoor('ADD undoes itself when a plugin cannot be executed', async (lab) => {
  const { fakes, call } = await prepare(lab, EMPTY_RESULT);
  const path = join(lab.binDir, 'bad');
  chmodSync(path, 0o644);
  assertError(await lab.cni('ADD', call), 100, 'Cannot start plugin "bad" of network "default/bad"', path);
  lab.plugin('bad', '\u007fELF but not really');
  assertError(await lab.cni('ADD', call), 100, 'Cannot start plugin "bad" of network "default/bad"', 'ENOEXEC');
  assert.equal(fakes.history(), [...BEFORE, ...AFTER, ...BEFORE, ...AFTER]);
  await assertClean(lab, 'pod1');
});

// The same inside a chain: its first plugin has made the link already.
eachDoor('ADD undoes the first plugin of a chain whose second one is missing', async (lab) => {
  const { fakes, call } = await prepare(lab, EMPTY_RESULT);
  const chain = { cniVersion: '1.0.0', name: 'bad', plugins: [{ type: 'bad' }, { type: 'missing' }] };
  lab.manifest(
    'pod1.yaml',
    lab.nadManifest('second', { cniVersion: '1.0.0', name: 'second', type: 'second' }),
    lab.nadManifest('bad', chain),
    lab.podManifest('pod1', 'second, bad'),
  );
  assertError(await lab.cni('ADD', call), 101, 'plugin "missing" of network "default/bad"');
  assert.equal(fakes.history(), [...BEFORE, 'ADD bad', 'DEL bad', ...AFTER]);
  await assertClean(lab, 'pod1');
});

// Plugins are replaced on running nodes; no pod should fail for that.
eachDoor('ADD waits for a plugin that is being replaced', async (lab) => {
  const { fakes, call } = await prepare(lab, EMPTY_RESULT);
  const writer = openSync(join(lab.binDir, 'bad'), 'r+');
  const added = lab.cni('ADD', call);
  await delay(300); // the time that the replacement takes
  closeSync(writer);
  assertResult(await added, '1.0.0');
  assert.equal(fakes.history(), [...BEFORE, 'ADD bad', 'ADD last']);
  assertSilent(await lab.cni('DEL', call));
  await assertClean(lab, 'pod1');
});

// Multus's weak point 12: a plugin that is being replaced is taken for one that succeeded and printed nothing.
eachDoor('ADD undoes itself when a plugin stays busy', async (lab) => {
  const { fakes, call } = await prepare(lab, EMPTY_RESULT);
  const writer = openSync(join(lab.binDir, 'bad'), 'r+');
  try {
    assertError(await lab.cni('ADD', call), 100, 'Cannot start plugin "bad" of network "default/bad"', 'ETXTBSY');
  } finally {
    closeSync(writer);
  }
  assert.equal(fakes.history(), [...BEFORE, ...AFTER]);
  await assertClean(lab, 'pod1');
});

// The runtime waits two minutes at most, and then it does not know what there is.
eachDoor('ADD undoes itself when all of it takes too long', async (lab) => {
  const { fakes, call } = await prepare(lab, 'sleep 1000');
  Object.assign(lab.config, { delegateTimeout: '60s', requestTimeout: `${DELEGATE_TIMEOUT_MS}ms` });
  const added = await lab.cni('ADD', call);
  assertError(added, 103, /did not finish.* within \d+ ms/);
  assert.ok(added.ms < DELEGATE_TIMEOUT_MS + ALLOWANCE_MS, `${added.ms} ms`);
  assert.equal(fakes.history(), [...BEFORE, 'ADD bad', 'DEL bad', ...AFTER]);
  await assertClean(lab, 'pod1');
});

// What cannot be undone must be known, be retried, and must not keep the rest from being undone.
eachDoor('what an ADD cannot undo stays in the journal until DEL can', async (lab) => {
  const { fakes, call } = await prepare(lab, fail(123, 'the switch is full'));
  const second = fakes.plugin('second', { DEL: fail(124, 'the switch is away') });
  const added = await lab.cni('ADD', call);
  assertError(added, 123, 'the switch is full');
  assert.match(added.json.details, /not undone.*plugin "second" of network "default\/second": the switch is away/);
  assert.equal(fakes.history(), [...BEFORE, 'ADD bad', 'DEL bad', ...AFTER]);
  assertError(await lab.cni('DEL', call), 124, 'the switch is away', '"default/second"');
  fakes.plugin(String(second['type']));
  assertSilent(await lab.cni('DEL', call));
  assert.equal(fakes.history().slice(6), ['DEL second', 'DEL second'], 'what is undone is not undone again');
  await assertClean(lab, 'pod1');
});

// The same for the DEL of a whole pod: one sick network must not keep the others' addresses.
eachDoor('DEL goes on past a plugin that fails, and repeats only that one', async (lab) => {
  const { fakes, call } = await prepare(lab, EMPTY_RESULT);
  loseNoTime(lab);
  assertResult(await lab.cni('ADD', call), '1.0.0');
  fakes.plugin('bad', { DEL: fail(124, 'the switch is away') });
  assertError(await lab.cni('DEL', call), 124, 'the switch is away');
  assert.equal(fakes.history().slice(4), ['DEL last', 'DEL bad', 'DEL second', 'DEL first']);
  fakes.plugin('bad', { DEL: 'sleep 1000' });
  const deleted = await lab.cni('DEL', call);
  assertError(deleted, 103, 'did not finish DEL');
  fakes.plugin('bad');
  assertSilent(await lab.cni('DEL', call));
  assert.equal(fakes.history().slice(8), ['DEL bad', 'DEL bad']);
  await assertClean(lab, 'pod1');
});

test.run();
