// Makes a bare clone ready: npm packages, system packages, native build, bundles; only what is missing or out of date.
// `node test/setup.mjs` readies everything for the tests, `node test/setup.mjs build` only what the build needs.
// Plain Node without dependencies, as it runs before there are any.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fingerprint, readStamp } from './tools/fingerprint.mjs';
import { withLock } from './tools/lock.mjs';
import { CommandError, runQuietly } from './tools/run-quietly.mjs';
import { installPackages, missingPackages } from './tools/system-packages.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const stage = process.argv[2] ?? 'test';
const at = (...path) => join(root, ...path);

/**
 * npm writes node_modules/.package-lock.json last, so it tells what is installed, by whomever. Optional packages for
 * other platforms are in the lock only.
 */
function npmReason() {
  if (!existsSync(at('node_modules', '.package-lock.json'))) return 'not installed';
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(at('node_modules', '.package-lock.json'), 'utf8')).packages;
  for (const [path, one] of Object.entries(wanted)) {
    if (path === '' || (one.optional && installed[path] === undefined)) continue;
    if (installed[path]?.version !== one.version) return `package-lock.json wants ${path.slice(13)} ${one.version}`;
  }
  return undefined;
}

function installNpm() {
  // A machine set to production would otherwise leave out the tools.
  runQuietly('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { cwd: root });
}

function systemReason() {
  const reasons = missingPackages(stage).map((one) => `${one.name} (${one.why})`);
  return reasons.length === 0 ? undefined : `missing: ${reasons.join(', ')}`;
}

const nativeInputs = ['binding.gyp', 'native', 'node_modules/node-addon-api/package.json'];
const nativeOutputs = ['multus_native.node', 'multus', 'core_test'].map((name) => join('build', 'Release', name));
const bundleInputs = [
  'src',
  'deploy/bundle.mjs',
  'deploy/unused.cjs',
  'deploy/unused-by-log.cjs',
  'package-lock.json',
  ...nativeInputs,
];
const bundleOutputs = [
  'multus',
  'multusd.cjs',
  'multus-standalone',
  'multus-standalone.cjs',
  'multus-cli',
  'multus_native.node',
].map((name) => join('dist', name));

/** Outputs made from fingerprinted inputs, remembered by a stamp. The stamp is away while `make` runs or has failed. */
function product({ stamp, inputs, outputs, make }) {
  const file = at('build', stamp);
  const current = () => fingerprint(root, inputs, [process.version, process.arch, process.versions.modules]);
  return {
    reason() {
      const absent = outputs.find((output) => !existsSync(at(output)));
      if (absent !== undefined) return `${absent} does not exist`;
      return readStamp(file) === current() ? undefined : 'its sources have changed';
    },
    run() {
      rmSync(file, { force: true });
      const before = current(); // a file saved during the build makes the stamp differ, and the next run builds again
      make();
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, before);
    },
  };
}

function compile() {
  runQuietly(process.execPath, [at('test', 'tools', 'node-gyp.mjs'), 'configure', 'build'], { cwd: root });
}

function bundle() {
  runQuietly(process.execPath, [at('deploy', 'bundle.mjs')], { cwd: root });
}

const steps = [
  {
    name: 'npm packages',
    reason: npmReason,
    run: installNpm,
    remedy: 'npm needs its registry: check the network and "npm config get registry".',
  },
  {
    name: 'system packages',
    reason: systemReason,
    run: () => installPackages(missingPackages(stage)),
    remedy: 'Install them by hand, then run this again.',
  },
  {
    name: 'native build',
    ...product({ stamp: 'native.stamp', inputs: nativeInputs, outputs: nativeOutputs, make: compile }),
    remedy:
      'It needs a C++20 compiler (g++ 11 or newer) with static libc and libstdc++, and the headers of this Node ' +
      '(beside it, or downloaded from nodejs.org). After a change of compiler remove build/ first.',
  },
  {
    name: 'bundles',
    ...product({ stamp: 'bundle.stamp', inputs: bundleInputs, outputs: bundleOutputs, make: bundle }),
    remedy: 'Mend src/ as the message says; "node deploy/bundle.mjs" shows it again.',
  },
];

/** Take a step if it has a reason; false when it failed. */
function take({ name, reason, run, remedy }) {
  const why = reason();
  if (why === undefined) return true;
  const start = performance.now();
  process.stdout.write(`setup: ${name}: ${why} ... `);
  try {
    run();
  } catch (error) {
    process.stdout.write('failed\n');
    if (error instanceof CommandError) process.stderr.write(error.output);
    console.error(`setup: ${name}: ${error.message}\n${remedy}`);
    return false;
  }
  process.stdout.write(`done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  return true;
}

async function main() {
  if (stage !== 'test' && stage !== 'build') {
    throw new Error(`unknown stage "${stage}", it is "build" or "test" (default)`);
  }
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Error(`this is Node ${process.version}, at least v20 is needed`);
  }
  if (steps.every((step) => step.reason() === undefined)) return true;
  return withLock(
    at('build', 'setup.lock'),
    () => steps.every(take),
    (pid) => console.log(`setup: waiting for process ${pid}, which is setting up the same checkout`),
  );
}

main().then(
  (ready) => {
    if (!ready) process.exitCode = 1;
  },
  (error) => {
    console.error(`setup: ${error.message}`);
    process.exitCode = 1;
  },
);
