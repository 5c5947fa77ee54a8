// Every rule of check-imports is broken once here, and every way round it that looks like code but is none is tried.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

let root: string;
test.before.each(() => {
  root = mkdtempSync(join(tmpdir(), 'multus-imports-'));
});
test.after.each(() => {
  rmSync(root, { recursive: true });
});

/** The problems reported for a tree of sources. */
function check(files: Record<string, string>): string[] {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  const result = spawnSync(process.execPath, ['test/check-imports.mjs', root], { encoding: 'utf8' });
  const problems = result.stderr.trimEnd().split('\n').filter(Boolean);
  assert.is(result.status, problems.length > 0 ? 1 : 0, result.stderr);
  return problems;
}

const leaf = 'export const x = 1;\n';

test('refuses an arrow against the direction, naming line, arrow and rule', () => {
  const problems = check({
    'src/node/a.ts': leaf,
    'src/pod/plan.ts': "// one\nimport {\n  x,\n} from '../node/a.ts';\n",
  });
  assert.equal(problems, ['src/pod/plan.ts:4: pod -> node: pod may import only cni']);
});

test('refuses every import in a room that imports nothing of ours', () => {
  const problems = check({ 'src/wire/a.ts': leaf, 'src/cni/b.ts': "import type { x } from '../wire/a.ts';\n" });
  assert.equal(problems, ['src/cni/b.ts:1: cni -> wire: cni may import nothing of ours']);
});

test('refuses one program importing another', () => {
  const problems = check({ 'src/daemon/a.ts': leaf, 'src/cli/b.ts': "const a = await import('../daemon/a.ts');\n" });
  assert.match(problems.join(), 'src/cli/b.ts:1: cli -> daemon: cli may import only cni, wire,');
});

test('refuses a folder that is not in the table, and a file in none', () => {
  const problems = check({ 'src/util/a.ts': leaf, 'src/b.ts': leaf });
  assert.equal(problems, [
    'src/b.ts:1: its folder is not in the table MAY_IMPORT',
    'src/util/a.ts:1: its folder is not in the table MAY_IMPORT',
  ]);
});

test('refuses imports from outside src/', () => {
  const problems = check({ 'test/fakes/a.ts': leaf, 'src/cni/b.ts': "import { x } from '../../test/fakes/a.ts';\n" });
  assert.equal(problems, ['src/cni/b.ts:1: cni -> test/fakes/a.ts: src/ imports nothing outside src/']);
});

test('refuses modules outside the place they are reserved for', () => {
  const client = "import { KubeConfig } from '@kubernetes/client-node';\n";
  const problems = check({
    'src/cluster/kubernetes/a.ts': client,
    'src/cluster/b.ts': client,
    'src/delegate/c.ts': "import { spawn } from 'node:child_process';\n",
    'src/attach/d.ts': "import { env } from 'node:process';\n",
  });
  assert.equal(
    problems.map((problem) => problem.replace(/: [^:]*$/, '')),
    [
      'src/attach/d.ts:1: attach -> node:process',
      'src/cluster/b.ts:1: cluster -> @kubernetes/client-node',
      'src/delegate/c.ts:1: delegate -> node:child_process',
    ],
  );
});

test('refuses process.env, argv and exit outside a main', () => {
  const use = 'if (process.env.A) process.exit(process.argv.length);\n';
  const problems = check({ 'src/daemon/main.ts': use, 'src/daemon/server.ts': `\n${use}` });
  assert.is(problems.length, 3);
  assert.match(problems[0] ?? '', 'src/daemon/server.ts:2: process.env: only src/*/main.ts may');
});

test('refuses to start programs, in TypeScript and in C++', () => {
  const call = 'int Run() { return execvp("ip", argv); }\n';
  const problems = check({
    'src/delegate/local-runner.ts': 'export const run = () => addon.startProcess(plugin);\n',
    'src/node/links.ts': "export const list = () => addon.startProcess({ path: '/sbin/ip' });\n",
    'native/core/spawn.cc': call,
    'native/core/links.cc': `// execve( is named here\n${call}const char* text = "system(";\n`,
    'native/addon/vfs.cc': 'int Ask() { return system ("ethtool"); }\n',
  });
  assert.is(problems.length, 3, problems.join('\n'));
  assert.match(problems[0] ?? '', /^src\/node\/links\.ts:1: startProcess: .*no ip, ethtool or devlink/);
  assert.match(problems[1] ?? '', /^native\/addon\/vfs\.cc:1: system \(: only native\/core\/spawn\.cc/);
  assert.match(problems[2] ?? '', /^native\/core\/links\.cc:2: execvp\(/);
});

test('refuses default exports, re-exports and a second loader', () => {
  const problems = check({
    'src/cni/a.ts': `${leaf}export default x;\n`,
    'src/cni/b.ts': "export { x } from './a.ts';\n",
    'src/cni/c.ts': "export * from './a.ts';\n",
    'src/cni/d.ts': "import { createRequire } from 'node:module';\n",
    'src/node/native.ts': "import { createRequire } from 'node:module';\n",
  });
  assert.is(problems.length, 4);
  assert.match(
    problems.join('\n'),
    /a\.ts:2.*no default.*\n.*b\.ts:1.*no barrels.*\n.*c\.ts:1.*no barrels.*\n.*d\.ts:1/,
  );
});

test('refuses import cycles, of types too', () => {
  const problems = check({
    'src/cni/a.ts': "import './b.ts';\n",
    'src/cni/b.ts': "import type { x } from './c.ts';\n",
    'src/cni/c.ts': "import { y } from './a.ts';\n",
  });
  assert.equal(problems, [
    'src/cni/a.ts:1: import cycle: src/cni/a.ts -> src/cni/b.ts -> src/cni/c.ts -> src/cni/a.ts',
  ]);
});

test('is not misled by comments, strings and regular expressions', () => {
  const problems = check({
    'src/wire/a.ts': leaf,
    'src/cni/b.ts': [
      "// import { x } from '../wire/a.ts';",
      "/*\nimport { x } from '../wire/a.ts';\n process.env */",
      "const text = 'process.exit(1)';",
      'const quote = /["\'`]/;',
      "const url = `http://host/*`; // it's",
      "export interface Shape { kind: '../wire/a.ts'; from: '../wire/a.ts' }",
    ].join('\n'),
  });
  assert.equal(problems, []);
});

test('sees code behind what looks like a comment or a string', () => {
  const code = [
    "const a = '//'; process.exit(1);",
    'const b = `$' + '{process.env.X}`;',
    "const c = /'/; process.argv;",
  ];
  const problems = check({ 'src/cni/b.ts': code.join('\n') });
  assert.is(problems.length, 3);
});

test('lets every room import what lies below it, and the version from package.json', () => {
  const problems = check({
    'package.json': '{}',
    'src/cni/a.ts': leaf,
    'src/node/b.ts': "import { x } from '../cni/a.ts';\n",
    'src/attach/c.ts':
      "import { x } from '../cni/a.ts';\nimport '../node/b.ts';\nimport { readFile } from 'node:fs/promises';\n",
    'src/cli/main.ts': "import pkg from '../../package.json' with { type: 'json' };\nimport '../attach/c.ts';\n",
  });
  assert.equal(problems, []);
});

test.run();
