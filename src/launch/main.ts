/** multus-standalone where it is a script: runs the program beside it, with the code that V8 has made of it before. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CniCode, CniError, formatError } from '../cni/errors.ts';
import { UNKNOWN_VERSION } from '../cni/versions.ts';
import { Program } from '../node/program-code.ts';

function programAt(path: string): Program {
  try {
    return new Program(path);
  } catch (error) {
    const what = `Cannot run ${path}: ${(error as Error).message}; it belongs beside multus-standalone: install multus-native anew`;
    console.log(formatError(new CniError(CniCode.ioFailure, what), UNKNOWN_VERSION));
    process.exit(1);
  }
}

const program = programAt(join(dirname(fileURLToPath(import.meta.url)), 'multus-standalone.cjs'));
// An ADD does most of what there is to do. The runtime waits for us, this once.
process.once('exit', (exitCode) => {
  if (exitCode === 0 && process.env['CNI_COMMAND'] === 'ADD') program.keepCode();
});
program.run();
