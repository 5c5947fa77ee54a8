// Keeps the rooms of src/ apart: who may import whom, and what only one place may use. In native/: who may start programs.
// node test/check-imports.mjs [root]
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importsOf, lineAt, withoutComments, withoutStrings } from './tools/source-text.mjs';

/** Room → the rooms that it may import from, besides itself. */
const MAY_IMPORT = {
  cni: [],
  wire: [],
  pod: ['cni'],
  node: ['cni'],
  cluster: ['cni', 'pod', 'node'],
  log: ['cni', 'pod', 'node'],
  delegate: ['cni', 'wire', 'node'],
  sriov: ['cni', 'pod', 'node'],
  attach: ['cni', 'wire', 'pod', 'node', 'cluster', 'delegate', 'sriov'],
  'node-config': ['cni', 'pod', 'node', 'cluster', 'attach'],
  daemon: ['cni', 'wire', 'pod', 'node', 'cluster', 'log', 'delegate', 'attach', 'node-config'],
  standalone: ['cni', 'wire', 'pod', 'node', 'cluster', 'log', 'delegate', 'attach'],
  launch: ['node', 'cni'],
  cli: ['cni', 'wire', 'pod', 'node', 'cluster', 'log', 'delegate', 'sriov', 'attach', 'node-config'],
};

const MAIN = /^src\/[^/]+\/main\.ts$/;
const NOWHERE = /^$/;

/** What is imported from outside src/ → the files that may do it. */
const RESERVED_MODULES = [
  {
    module: /^@kubernetes\/client-node/,
    only: /^src\/cluster\/kubernetes\//,
    rule: 'only src/cluster/kubernetes/ may',
  },
  { module: /^(node:)?child_process$/, only: NOWHERE, rule: 'fork() of a large process is slow; use node/native.ts' },
  { module: /^(node:)?process$/, only: MAIN, rule: 'only src/*/main.ts may' },
];

/** What is written in the code → the files that may write it. */
const RESERVED_CODE = [
  { code: /\bprocess\.(env|argv|exit)\b/g, only: MAIN, rule: 'only src/*/main.ts may; pass it in as a parameter' },
  {
    code: /\bmkdir(?:Sync)?\([^)]*recursive/g,
    only: NOWHERE,
    rule: 'it never returns for a path in /proc; use node/make-folder.ts',
  },
  {
    code: /\bcreateRequire\b/g,
    only: /^src\/node\/(native|program-code)\.ts$/,
    rule: 'only src/node/native.ts loads the addon, program-code.ts a program',
  },
  {
    code: /\bstartProcess\b/g,
    only: /^src\/(node\/native|delegate\/local-runner)\.ts$/,
    rule: 'only src/delegate/local-runner.ts starts programs, and only plugins: no ip, ethtool or devlink',
  },
  {
    code: /^export default\b|\bas default\b/gm,
    only: NOWHERE,
    rule: 'no default exports: a name is the same everywhere',
  },
  { code: /^export\b[^;=(]*\bfrom\s/gm, only: NOWHERE, rule: 'no barrels: import from the file that defines it' },
];

/** C++ that starts programs: those of plugins, and the shim's change into another program of ours. */
const MAY_EXECUTE = /^native\/(core\/spawn|shim\/(main|standalone))\.cc$/;
const EXECUTE =
  /\b(?:f?exec(?:l|le|lp|v|ve|vp|vpe|veat)|posix_spawnp?|system|popen|v?fork|clone3?)\s*\(|\bSYS_(?:exec|clone)/g;

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));

const roomOf = (file) => /^src\/([^/]+)\//.exec(file)?.[1];

/** Why `file` may not import `target`, if so. */
function arrowRule(file, target) {
  if (!target.startsWith('src/')) return 'src/ imports nothing outside src/';
  const [from, to] = [roomOf(file), roomOf(target)];
  const allowed = MAY_IMPORT[from] ?? [];
  if (from === to || allowed.includes(to)) return undefined;
  return `${from} may import ${allowed.length === 0 ? 'nothing of ours' : `only ${allowed.join(', ')}`}`;
}

/** Notes what is wrong with one import; the file of ours that it leads to, if any. */
function checkImport(file, { module, line }, problems) {
  if (!module.startsWith('.')) {
    for (const { module: pattern, only, rule } of RESERVED_MODULES) {
      if (pattern.test(module) && !only.test(file))
        problems.push(`${file}:${line}: ${roomOf(file)} -> ${module}: ${rule}`);
    }
    return undefined;
  }
  const target = normalize(join(dirname(file), module));
  if (target === 'package.json') return undefined; // the version
  const rule = arrowRule(file, target);
  if (rule !== undefined) problems.push(`${file}:${line}: ${roomOf(file)} -> ${roomOf(target) ?? target}: ${rule}`);
  return target;
}

function checkCode(file, source, problems) {
  const code = withoutStrings(source);
  for (const { code: pattern, only, rule } of RESERVED_CODE) {
    if (only.test(file)) continue;
    for (const match of code.matchAll(pattern)) {
      problems.push(`${file}:${lineAt(code, match.index)}: ${match[0].replace(/\s+/g, ' ').trim()}: ${rule}`);
    }
  }
}

function checkNative(file, source, problems) {
  if (MAY_EXECUTE.test(file)) return;
  for (const match of source.matchAll(EXECUTE)) {
    problems.push(`${file}:${lineAt(source, match.index)}: ${match[0]}: only native/core/spawn.cc starts programs`);
  }
}

/** Every cycle of imports between files, each once, by walking depth-first. */
function findCycles(graph) {
  const done = new Set();
  const cycles = [];
  const visit = (file, path) => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file]);
    if (done.has(file) || path.includes(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}

/** The files below some folders, where there are such. */
function filesOf(folders, pattern) {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((name) => `${folder}/${name}`))
    .filter((name) => pattern.test(name))
    .sort();
}

const files = filesOf(['src'], /\.ts$/);
const nativeFiles = filesOf(['native/core', 'native/addon', 'native/shim'], /\.(cc|h)$/);
const problems = [];
const graph = new Map();
for (const file of files) {
  const source = withoutComments(readFileSync(join(root, file), 'utf8'));
  if (MAY_IMPORT[roomOf(file)] === undefined) problems.push(`${file}:1: its folder is not in the table MAY_IMPORT`);
  graph.set(
    file,
    importsOf(source)
      .map((one) => checkImport(file, one, problems))
      .filter((target) => target !== undefined),
  );
  checkCode(file, source, problems);
}
for (const file of nativeFiles) {
  checkNative(file, withoutStrings(withoutComments(readFileSync(join(root, file), 'utf8'))), problems);
}
for (const cycle of findCycles(graph)) problems.push(`${cycle[0]}:1: import cycle: ${cycle.join(' -> ')}`);

for (const problem of problems) console.error(problem);
console.log(`check-imports: ${files.length + nativeFiles.length} files, ${problems.length} problems`);
if (problems.length > 0 || files.length === 0) process.exitCode = 1;
