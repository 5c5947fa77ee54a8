// node-gyp of this checkout for the current folder, with the headers beside the running Node when they belong to it;
// without them node-gyp downloads the right ones. node test/tools/node-gyp.mjs rebuild [options]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

function localHeaders() {
  const prefix = dirname(dirname(process.execPath));
  const header = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) return [];
  const text = readFileSync(header, 'utf8');
  const part = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
  const version = `v${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`;
  return version === process.version ? [`--nodedir=${prefix}`] : [];
}

const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
// Before the caller's own: what follows a lone "--" is for gyp.
const options = ['--jobs=max', '--loglevel=warn', ...localHeaders()];
const result = spawnSync(process.execPath, [nodeGyp, ...options, ...process.argv.slice(2)], { stdio: 'inherit' });
process.exitCode = result.status ?? 1;
