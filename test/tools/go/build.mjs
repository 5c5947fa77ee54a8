// Programs of others that tests run, built by Go from pinned modules: node test/tools/go/build.mjs [tool | module...]
// Each folder beside this file is a Go module of its own, so that no tool moves another's versions; its go.mod lists
// the tools. What is built is kept in ~/.cache/multus-native/go/<module>-<key>/<tool>.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, setPriority } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../lock.mjs';
import { CommandError } from '../run-quietly.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** Packages whose last part is not the program's usual name. */
const NAMES = {
  'go.etcd.io/etcd/server/v3': 'etcd',
  'gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/passthru-cni': 'passthru',
  'sigs.k8s.io/kustomize/kustomize/v5': 'kustomize',
};

/** Module → the variable that tells the program its own version, and the requirement that says which it is. */
const VERSIONS = {
  kubernetes: ['k8s.io/component-base/version.gitVersion', 'k8s.io/kubernetes'],
  multus: [
    'gopkg.in/k8snetworkplumbingwg/multus-cni.v4/pkg/multus.version',
    'gopkg.in/k8snetworkplumbingwg/multus-cni.v4',
  ],
};

/** All tools: name, package, and the module (folder) that pins it. */
function allTools() {
  const modules = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return modules.flatMap(({ name: module }) => {
    const goMod = readFileSync(join(here, module, 'go.mod'), 'utf8');
    const block = /^tool \(\n([^)]*)\)/m.exec(goMod)?.[1] ?? /^tool (.+)/m.exec(goMod)?.[1] ?? '';
    const packages = block.split('\n').map((line) => line.trim());
    return packages.filter((one) => one !== '').map((path) => ({ name: NAMES[path] ?? basename(path), path, module }));
  });
}

/** Go, from PATH or where its own installer puts it; the one of distributions is too old. */
function goCommand() {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/go/bin'];
  const found = folders.map((folder) => join(folder, 'go')).find((file) => existsSync(file));
  if (found === undefined)
    throw new Error('test tools are built by Go 1.26 or newer: put it into PATH or /usr/local/go');
  return found;
}

/** @returns what Go printed to stdout @throws CommandError with all of its output */
function go(args, cwd) {
  return new Promise((resolve, reject) => {
    // Nobody's own settings: they would change what is built, and GOFLAGS=-mod=mod even go.mod.
    const env = { ...process.env, GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' };
    const child = spawn(goCommand(), args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('spawn', () => setPriority(child.pid, 10)); // tests beside it have time limits
    child.once('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(`go ${args.join(' ')}`, `exit code ${code}`, stderr || stdout));
    });
  });
}

function linkerFlags(module, goMod) {
  if (VERSIONS[module] === undefined) return '-s -w';
  const [variable, required] = VERSIONS[module];
  const version = new RegExp(`${required} (v\\S+)`).exec(goMod)?.[1];
  return `-s -w -X ${variable}=${version}`;
}

/** Where the tool is kept, and how it is built: the folder's name is a checksum of all that it is made of. */
async function recipe({ module }) {
  const goMod = readFileSync(join(here, module, 'go.mod'), 'utf8');
  const flags = ['-trimpath', '-buildvcs=false', `-ldflags=${linkerFlags(module, goMod)}`];
  const sources = readdirSync(join(here, module)).filter((name) => name === 'go.sum' || name.endsWith('.go'));
  const texts = sources.sort().map((name) => readFileSync(join(here, module, name), 'utf8'));
  const made = [await go(['version'], here), ...flags, goMod, ...texts];
  const key = createHash('sha256').update(made.join('\n')).digest('hex').slice(0, 16);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return { folder: join(cache, 'multus-native', 'go', `${module}-${key}`), flags };
}

async function build(tool) {
  const { folder, flags } = await recipe(tool);
  const file = join(folder, tool.name);
  if (existsSync(file)) return file;
  const waiting = (pid) => console.error(`go: waiting for process ${pid}, which builds ${tool.name}`);
  return withLock(
    join(folder, `.${tool.name}.lock`),
    async () => {
      if (existsSync(file)) return file;
      console.error(`go: building ${tool.name} ...`);
      const start = performance.now();
      const draft = join(folder, `.${tool.name}.${process.pid}`);
      try {
        await go(['build', ...flags, '-o', draft, tool.path], join(here, tool.module));
        renameSync(draft, file);
      } finally {
        rmSync(draft, { force: true });
      }
      console.error(`go: built ${tool.name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
      return file;
    },
    waiting,
  );
}

/**
 * A tool's program, built when it is not yet kept. kube-apiserver takes minutes: `.ci/run` builds before it tests.
 *
 * @param {string} name one of the tools of the go.mod beside this file
 * @returns {Promise<string>} its path; the tools of one module lie in one folder under their own names, as CNI_PATH
 *   wants them
 */
export async function goTool(name) {
  const tools = allTools();
  const tool = tools.find((one) => one.name === name);
  if (tool === undefined) throw new Error(`no Go tool "${name}", there are ${tools.map((one) => one.name).join(', ')}`);
  return build(tool);
}

async function main(names) {
  const tools = allTools();
  const wanted = names.flatMap((name) => {
    const found = tools.filter((tool) => tool.name === name || tool.module === name);
    if (found.length === 0) throw new Error(`no Go tool or module "${name}"`);
    return found;
  });
  for (const tool of names.length === 0 ? tools : wanted) console.log(await build(tool));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`go: ${error.message}${error instanceof CommandError ? `\n${error.output}` : ''}`);
    process.exitCode = 1;
  });
}
