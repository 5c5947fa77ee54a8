// Makes an install folder for hosts without Node, from dist/: node deploy/build-sea.mjs FOLDER
// The daemon, the standalone program and the command for people are one executable: this Node with the three bundles.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'postject';

const deploy = dirname(fileURLToPath(import.meta.url));
const dist = join(deploy, '..', 'dist');

/** Name in the executable → bundle. */
const PROGRAMS = { 'multus-standalone': 'multus-standalone.cjs', 'multus-cli': 'multus-cli', multusd: 'multusd.cjs' };
const EXECUTABLE = 'multus-standalone';
/** What it loads from files, and the shim. */
const BESIDE = ['multus', 'multus_native.node', 'multus-credentials.cjs', 'multus-yaml.cjs'];
/** Where Node looks whether there is something in it (doc/api/single-executable-applications.md). */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** A bundle as a function of what Node would give to a module. */
function wrapped(bundle) {
  const text = readFileSync(join(dist, bundle), 'utf8')
    .replace(/^#!.*\n/, '')
    .replace(/\n\/\/# sourceMappingURL=.*\n$/, '\n');
  return `(function (require, __filename) {const module = {exports: {}}, exports = module.exports;${text}\n})`;
}

/** Functions that this run has compiled are in the code: the program does something ordinary, and ends. */
const WARM_UP = `
const [text, code, name, ...argv] = process.argv.slice(2);
const { readFileSync, writeFileSync } = require('node:fs');
const script = new (require('node:vm').Script)(readFileSync(text, 'utf8'), { filename: name });
process.argv = [process.execPath, name, ...argv];
process.once('exit', () => writeFileSync(code, script.createCachedData()));
script.runInThisContext()(require('node:module').createRequire(name), name);
`;

/** A DEL of a container that nobody knows reaches most of what every request does; nothing runs, nothing is left. */
const WARM_UP_REQUEST = {
  CNI_COMMAND: 'DEL',
  CNI_CONTAINERID: 'warm-up',
  CNI_NETNS: '',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/nonexistent',
};

function compile(scratch, name) {
  const file = (suffix) => join(scratch, `${name}${suffix}`);
  writeFileSync(file('.warm-up.cjs'), WARM_UP);
  const isStandalone = name === 'multus-standalone';
  const config = {
    cniVersion: '1.0.0',
    name: 'warm-up',
    type: 'multus',
    cniDir: join(scratch, 'state'),
    daemonSocketDir: scratch,
    delegates: [{ cniVersion: '1.0.0', name: 'warm-up', type: 'none' }],
  };
  // The bundle finds the addon beside itself.
  const args = [
    file('.warm-up.cjs'),
    file(''),
    file('.code'),
    join(dist, name),
    ...(isStandalone ? [] : ['--version']),
  ];
  execFileSync(process.execPath, args, {
    env: { PATH: process.env.PATH, ...(isStandalone ? WARM_UP_REQUEST : {}) },
    input: isStandalone ? JSON.stringify(config) : '',
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

async function buildExecutable(target) {
  const scratch = mkdtempSync(join(tmpdir(), 'multus-sea-'));
  try {
    const assets = {};
    for (const [name, bundle] of Object.entries(PROGRAMS)) {
      writeFileSync(join(scratch, name), wrapped(bundle));
      compile(scratch, name);
      for (const asset of [name, `${name}.code`]) assets[asset] = join(scratch, asset);
    }
    const config = {
      main: join(deploy, 'single-executable.cjs'),
      output: join(scratch, 'blob'),
      disableExperimentalSEAWarning: true, // a runtime would have it in its log for every pod
      assets,
    };
    writeFileSync(join(scratch, 'config.json'), JSON.stringify(config));
    execFileSync(process.execPath, ['--experimental-sea-config', join(scratch, 'config.json')], { stdio: 'ignore' });
    copyFileSync(process.execPath, target);
    chmodSync(target, 0o755);
    await inject(target, 'NODE_SEA_BLOB', readFileSync(config.output), { sentinelFuse: FUSE });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function main(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await buildExecutable(join(folder, EXECUTABLE));
  for (const name of Object.keys(PROGRAMS)) if (name !== EXECUTABLE) symlinkSync(EXECUTABLE, join(folder, name));
  for (const name of BESIDE) copyFileSync(join(dist, name), join(folder, name));
}

const folder = process.argv[2];
if (folder === undefined || process.argv.length > 3) {
  console.error(`usage: node ${basename(process.argv[1])} FOLDER`);
  process.exit(2);
}
await main(resolve(folder));
