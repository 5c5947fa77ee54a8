/**
 * The checkout's TypeScript as JavaScript. A guest is slow in just what compiling while loading costs: with `x.js` beside
 * every `x.ts`, a test file starts there in a fifth of the time.
 */
import { join } from 'node:path';
import { must } from '../../lab/process.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Write the JavaScript of all sources and tests into `layer`, a folder to lay over `/`. @throws Error with what tsc says */
export async function compileInto(layer: string): Promise<void> {
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  await must(
    tsc,
    '--project',
    ROOT,
    '--noCheck',
    '--noEmit',
    'false',
    '--rootDir',
    ROOT,
    '--outDir',
    join(layer, ROOT),
  );
}
