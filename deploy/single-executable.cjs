// What the single executable runs first: which of its programs is meant, and that program with the code that V8 compiled
// of it when it was built. Its assets are NAME, a text, and NAME.code.
const { createRequire } = require('node:module');
const { basename, dirname, join } = require('node:path');
const { getAsset, getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

/** The shim starts us for a runtime, with its environment, or for people, under whatever name they called it by. */
function programMeant() {
  if (basename(process.argv0) === 'multusd') return 'multusd';
  return process.env.CNI_COMMAND ? 'multus-standalone' : 'multus-cli';
}

const name = programMeant();
const filename = join(dirname(process.execPath), name);
const script = new Script(getAsset(name, 'utf8'), { filename, cachedData: Buffer.from(getRawAsset(`${name}.code`)) });
// The executable's own require() knows Node's modules only, and there are parts that lie beside it.
script.runInThisContext()(createRequire(filename), filename);
