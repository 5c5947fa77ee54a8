// The runner must not be fooled: every way in which a test can fail to prove anything is tried on it here.
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const uvu = import.meta.resolve('uvu');
const one = `import { test } from '${uvu}';\n`;

let folder: string;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'multus-run-'));
});
test.after.each(() => {
  rmSync(folder, { recursive: true });
});

/** Run the runner on a folder that holds the given files. */
function run(files: Record<string, string>, ...options: string[]): SpawnSyncReturns<string> {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o755 });
  return spawnSync(process.execPath, ['test/run.mjs', ...options, folder], { encoding: 'utf8' });
}

function lastLine(result: SpawnSyncReturns<string>): string {
  return result.stdout.trimEnd().split('\n').at(-1) ?? '';
}

/** The first truthy answer, asked for until 20 s have passed. */
async function poll<T>(ask: () => T): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(20)) {
    const answer = ask();
    if (answer) return answer;
  }
  throw new Error(`not within 20 s: ${ask}`);
}

test('fails when the folder holds no test file', () => {
  const result = run({ 'helper.ts': '' });
  assert.is(result.status, 1);
  assert.match(result.stderr, 'holds no *.test.ts');
  assert.is(lastLine(result), '0 passed, 1 failed, 0 skipped');
});

test('fails when the pattern matches no file', () => {
  const result = run({ 'a.test.ts': `${one}test('x', () => {});\ntest.run();\n` }, '--only', 'nowhere');
  assert.is(result.status, 1);
  assert.match(result.stderr, '--only nowhere matches none of 1 test files');
});

test('fails when a target does not exist', () => {
  const result = spawnSync(process.execPath, ['test/run.mjs', join(folder, 'absent')], { encoding: 'utf8' });
  assert.is(result.status, 1);
  assert.match(result.stderr, 'absent does not exist');
});

test('fails when a file has zero tests', () => {
  const result = run({ 'a.test.ts': `${one}test.run();\n` });
  assert.is(result.status, 1);
  assert.match(result.stdout, 'ran no tests');
  assert.is(lastLine(result), '0 passed, 1 failed, 0 skipped');
});

test('fails when test.run() is missing', () => {
  const result = run({ 'a.test.ts': `${one}test('x', () => {});\n` });
  assert.is(result.status, 1);
  assert.match(result.stdout, 'test.run() is missing');
});

test('fails when one of two suites is not run', () => {
  const source = [
    `import { suite } from '${uvu}';`,
    "const first = suite('first');",
    "const second = suite('second');",
    "first('x', () => {});",
    "second('x', () => { throw new Error('unseen'); });",
    'first.run();',
  ].join('\n');
  const result = run({ 'a.test.ts': source });
  assert.is(result.status, 1);
  assert.match(result.stdout, 'second.run() is missing');
  assert.is(lastLine(result), '1 passed, 1 failed, 0 skipped');
});

test('fails when a test fails, and shows its output and no other', () => {
  const result = run({
    'a.test.ts': `${one}test('good', () => console.log('quiet'));\ntest.run();\n`,
    'b.test.ts': `${one}test('good', () => {});\ntest('bad', () => { throw new Error('the reason'); });\ntest.run();\n`,
  });
  assert.is(result.status, 1);
  assert.match(result.stdout, /ok {3}\S*a\.test\.ts {2}1 passed/);
  assert.match(result.stdout, /FAIL \S*b\.test\.ts {2}1 passed, 1 failed/);
  assert.match(result.stdout, 'the reason');
  assert.not.match(result.stdout, 'quiet');
  assert.is(lastLine(result), '2 passed, 1 failed, 0 skipped');
});

test('fails when a before hook fails, which uvu passes over', () => {
  const source = `${one}test.before(() => { throw new Error('lost'); });\ntest('x', () => {});\ntest.run();\n`;
  assert.is(lastLine(run({ 'a.test.ts': source })), '0 passed, 1 failed, 0 skipped');
});

test('fails when all tests pass but the process does not', () => {
  const source = `${one}test('x', () => {});\ntest.run();\nprocess.on('exit', () => { process.exitCode = 3; });\n`;
  const result = run({ 'a.test.ts': source });
  assert.match(result.stdout, 'exit code 3');
  assert.is(lastLine(result), '1 passed, 1 failed, 0 skipped');
});

test('kills a file beyond its own time limit and says HANG', () => {
  const source = `// timeout: 1s\n${one}test('x', () => { setInterval(() => {}, 1000); });\ntest.run();\n`;
  const result = run({ 'a.test.ts': source });
  assert.is(result.status, 1);
  assert.match(result.stdout, /HANG \S*a\.test\.ts/);
  assert.match(result.stdout, 'not done after 1 s, killed');
});

test('lists skipped tests with their reasons, whether skipped beforehand or while running', () => {
  const source = `${one}console.log('SKIPPED: one: no module');
test.skip('one', () => {});
test('two', () => { console.log('SKIPPED: two: not root'); });
test('three', () => {});
test.run();
`;
  const result = run({ 'a.test.ts': source });
  assert.is(result.status, 0, result.stdout);
  assert.match(result.stdout, /^!!! \S*a\.test\.ts: one: no module$/m);
  assert.match(result.stdout, /^!!! \S*a\.test\.ts: two: not root$/m);
  assert.is(lastLine(result), '1 passed, 0 failed, 2 skipped');
});

test('says so when a skipped test gives no reason', () => {
  const result = run({ 'a.test.ts': `${one}test.skip('x', () => {});\ntest('y', () => {});\ntest.run();\n` });
  assert.match(result.stdout, '1 without a reason given');
});

test('reads the closing line of a test program', () => {
  const program = join(folder, 'core_test');
  writeFileSync(program, '#!/bin/sh\necho "4 passed, 1 failed"; exit 1\n', { mode: 0o755 });
  const result = spawnSync(process.execPath, ['test/run.mjs', program], { encoding: 'utf8' });
  assert.is(result.status, 1);
  assert.is(lastLine(result), '4 passed, 1 failed, 0 skipped');
});

test('fails when a test leaves a process behind', () => {
  const source = `import { spawn } from 'node:child_process';
${one}test('x', () => { spawn('sleep', ['4'], { detached: true, stdio: 'ignore' }).unref(); });
test.run();
`;
  const result = run({ 'a.test.ts': source });
  assert.is(result.status, 1);
  assert.match(result.stdout, /LEFT BEHIND process \d+: sleep 4/);
});

test('ends its tests when it is interrupted', async () => {
  mkdirSync(join(folder, 'pids'));
  const source = `import { writeFileSync } from 'node:fs';
${one}test('x', async () => {
  writeFileSync('${folder}/pids/' + process.pid, '');
  setInterval(() => {}, 1000);
  await new Promise(() => {});
});
test.run();
`;
  writeFileSync(join(folder, 'a.test.ts'), source);
  const runner = spawn(process.execPath, ['test/run.mjs', folder], { stdio: 'ignore' });
  const ended = new Promise((resolve) => runner.once('exit', resolve));
  const pid = await poll(() => readdirSync(join(folder, 'pids'))[0]);
  runner.kill('SIGINT');
  await ended;
  await poll(() => !existsSync(`/proc/${pid}`));
});

test.run();
