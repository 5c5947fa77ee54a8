// What the single executable runs first: which of its programs is meant, and that program with the code that V8 compiled
// of it when it was built. Its assets are NAME, a text, and NAME.code.
const { basename, dirname, join } = require('node:path');
const { getAsset, getRawAsset } = require('node:sea');
const { Script } = require('node:vm');

/** The shim starts us for a runtime, with its environment, or for people, under whatever name they called it by. */
function programMeant() {
  if (basename(process.argv0) === 'multusd') return 'multusd';
  return process.env.CNI_COMMAND ? 'multus-standalone' : 'multus-cli';
}

function load(name) {
  const filename = join(dirname(process.execPath), name); // the addon lies beside it
  const cachedData = Buffer.from(getRawAsset(`${name}.code`));
  const script = new Script(getAsset(name, 'utf8'), { filename, cachedData });
  return script.runInThisContext()(requireFromProgram, filename);
}

/** A program finds here what is part of it, and else what Node has. */
function requireFromProgram(id) {
  return id.startsWith('./') ? load(id.slice(2)) : require(id);
}

load(programMeant());
