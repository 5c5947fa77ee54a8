// Builds dist/, a complete install folder: the daemon, and beside each other the shim, the programs and the addon.
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import * as yaml from 'yaml';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');

/** Parts of the programs, named as ours in a folder of plugins. */
const CREDENTIALS = 'multus-credentials.cjs';
const YAML = 'multus-yaml.cjs';

const PROGRAMS = [
  // Large, and of no use to a request that asks no API server: loaded when the first one is asked.
  { entry: 'src/cluster/kubernetes/kube-config.ts', output: CREDENTIALS, executable: false },
  // A third of the standalone program's text, for folders of manifests and kubeconfigs: loaded when the first one is read.
  { entry: 'node_modules/yaml/dist/index.js', output: YAML, executable: false },
  { entry: 'src/daemon/main.ts', output: 'multusd.cjs', executable: false },
  { entry: 'src/standalone/main.ts', output: 'multus-standalone.cjs', executable: false, isShort: true },
  // Where there is a Node: it runs the file before with V8's own code of it.
  { entry: 'src/launch/main.ts', output: 'multus-standalone', executable: true },
  { entry: 'src/cli/main.ts', output: 'multus-cli', executable: true },
];
const BINARIES = ['build/Release/multus', 'build/Release/multus_native.node'];

// CommonJS starts faster than ESM and suits code caches, but has no import.meta.url of its own. The strictness of ESM
// must be asked for here: the directive that esbuild writes comes after the banner, too late to count.
const PROLOGUE = "'use strict';const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;";

/** Modules of Node that a request without an API server, or without a log file, does without: 1 to 8 ms each. */
const NODE_LATER = [
  'crypto',
  'fs/promises',
  'http',
  'http2',
  'https',
  'net',
  'stream/promises',
  'timers/promises',
  'zlib',
];

/** What imports a name of the module loads it when it uses the name. */
function namesLaterOf(specifier, module) {
  const getters = Object.keys(module).map((name) => `get ${name}() { return loaded().${name}; }`);
  return `let all; const loaded = () => (all ??= require('${specifier}')); module.exports = {${getters.join(',')}};`;
}

/** In programs that end with their request: what `performance` is takes Node 1.4 ms to load. */
const CLOCK = 'const __now = () => {const [s, ns] = process.hrtime(); return s * 1e3 + ns / 1e6;};';

/** Programs load these parts of themselves from the files beside them, and these modules of Node, when they need them. */
const LOADED_LATER = {
  name: 'loaded-later',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/kube-config\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: `./${CREDENTIALS}`, external: true } : undefined,
    );
    onResolve({ filter: /^yaml$/ }, () => ({ path: YAML, namespace: 'later' }));
    onResolve({ filter: /^\.\//, namespace: 'later' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'later' }, ({ path }) => ({ contents: namesLaterOf(`./${path}`, yaml) }));
    onResolve({ filter: new RegExp(`^node:(${NODE_LATER.join('|')})$`) }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'node-later' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'node-later' }, async ({ path }) => ({
      contents: namesLaterOf(path, await import(path)),
    }));
  },
};

/** What others import and we never reach, and where it is replaced by nothing or by as much as they look at. */
const UNUSED = {
  name: 'unused',
  setup({ onResolve }) {
    const at = (name) => ({ path: join(root, 'deploy', name) });
    onResolve({ filter: /^node-fetch$|^\.\/gen\/index\.js$/ }, ({ importer }) =>
      importer.includes('/@kubernetes/client-node/') ? at('unused.cjs') : undefined,
    );
    onResolve({ filter: /^worker_threads$|^assert$|^thread-stream$/ }, ({ importer }) =>
      /\/(pino|sonic-boom)\//.test(importer) ? at('unused-by-log.cjs') : undefined,
    );
  },
};

async function bundle({ entry, output, executable, isShort = false }) {
  const outfile = join(dist, output);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    supported: { 'dynamic-import': false }, // require(): single executables have nothing else
    // Identifiers stay: stack traces in a node's log must be readable.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    sourcemap: 'linked',
    define: { 'import.meta.url': '__importMetaUrl', ...(isShort ? { 'performance.now': '__now' } : {}) },
    banner: { js: `${executable ? '#!/usr/bin/env node\n' : ''}${PROLOGUE}${isShort ? CLOCK : ''}` },
    plugins: [LOADED_LATER, UNUSED],
    logLevel: 'warning',
  });
  if (executable) chmodSync(outfile, 0o755);
}

/** Copy and rename: the file in place may be running, and is never seen half-written. */
function install(path) {
  const target = join(dist, basename(path));
  const draft = `${target}.new`;
  copyFileSync(join(root, path), draft);
  renameSync(draft, target);
}

const missing = [...PROGRAMS.map((one) => one.entry), ...BINARIES].filter((path) => !existsSync(join(root, path)));
if (missing.length > 0) {
  console.error(`Cannot bundle: ${missing.join(', ')} missing. Files in build/ come from "npm run build".`);
  process.exit(1);
}
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
// The checkout's package.json says "module", which would hold for the files without extension, too.
writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
await Promise.all(PROGRAMS.map(bundle));
BINARIES.forEach(install);
