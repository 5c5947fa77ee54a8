/** multus-standalone where it is a script: runs the program beside it, with the code that V8 has made of it before. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from '../node/program-code.ts';

const program = new Program(join(dirname(fileURLToPath(import.meta.url)), 'multus-standalone.cjs'));
// An ADD does most of what there is to do. The runtime waits for us, this once.
process.once('exit', (exitCode) => {
  if (exitCode === 0 && process.env['CNI_COMMAND'] === 'ADD') program.keepCode();
});
program.run();
