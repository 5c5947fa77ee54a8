// The test runner: node test/run.mjs [--only pattern] [folders or files...]
// One process per file, a time limit each, and no way to pass by running nothing. Closing line: N passed, N failed, N skipped.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, styleText } from 'node:util';
import { findLeftovers, takeInventory } from './tools/leftovers.mjs';
import { runFile } from './tools/run-file.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const DEFAULT_TARGETS = ['build/Release/core_test', 'test/unit', 'test/native', 'test/node'];
/** Unit tests touch nothing outside their process; all others share the machine's network. */
const PARALLEL_UNIT_TESTS = 2;

const colour = (format, text) => (process.stdout.isTTY ? styleText(format, text) : text);

/** The test files of a target: a folder's *.test.ts in order, or the file itself. */
function filesOf(target) {
  const path = resolve(target);
  if (!existsSync(path))
    throw new Error(`${target} does not exist${target.startsWith('build/') ? ': npm run build' : ''}`);
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true }).filter((name) => name.endsWith('.test.ts'));
  if (names.length === 0) throw new Error(`${target} holds no *.test.ts`);
  return names.sort().map((name) => join(path, name));
}

function select(targets, only) {
  const files = [...new Set(targets.flatMap(filesOf))];
  if (only === undefined) return files;
  const pattern = new RegExp(only);
  const selected = files.filter((file) => pattern.test(relative(root, file)));
  if (selected.length === 0) throw new Error(`--only ${only} matches none of ${files.length} test files`);
  return selected;
}

function report(file, result) {
  const failed = result.failed > 0;
  const word = failed ? colour('red', result.hang ? 'HANG' : 'FAIL') : colour('green', 'ok  ');
  const counts = [`${result.passed} passed`];
  if (result.failed > 0) counts.push(`${result.failed} failed`);
  if (result.skipped > 0) counts.push(`${result.skipped} skipped`);
  console.log(`${word} ${relative(root, file)}  ${counts.join(', ')}  ${(result.ms / 1000).toFixed(1)} s`);
  if (!failed) return;
  for (const problem of result.problems) console.log(colour('red', `     ${problem}`));
  console.log(result.output.replace(/^/gm, '     | ').trimEnd());
}

async function runAll(files, atOnce) {
  const queue = [...files];
  const results = [];
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, root);
      report(file, result);
      results.push({ file, ...result });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

function reportSkipped(results) {
  const some = results.filter((result) => result.skipped > 0);
  if (some.length === 0) return;
  console.log(colour('yellow', '\n!!! Skipped: these prove nothing on this machine'));
  for (const { file, skipped, reasons } of some) {
    for (const reason of reasons) console.log(colour('yellow', `!!! ${relative(root, file)}: ${reason}`));
    const silent = skipped - reasons.length;
    if (silent > 0) console.log(colour('yellow', `!!! ${relative(root, file)}: ${silent} without a reason given`));
  }
}

async function main() {
  const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
  const files = select(
    positionals.length > 0 ? positionals : DEFAULT_TARGETS.map((one) => join(root, one)),
    values.only,
  );

  const before = takeInventory();
  const isUnit = (file) => file.startsWith(join(root, 'test', 'unit'));
  const binaries = files.filter((file) => !file.endsWith('.ts'));
  const results = [
    ...(await runAll(binaries, 1)),
    ...(await runAll(files.filter(isUnit), PARALLEL_UNIT_TESTS)),
    ...(await runAll(
      files.filter((file) => !isUnit(file) && !binaries.includes(file)),
      1,
    )),
  ];
  reportSkipped(results);
  const leftovers = await findLeftovers(before);
  for (const one of leftovers) console.log(colour('red', `LEFT BEHIND ${one}`));

  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const failed = sum('failed') + leftovers.length;
  console.log(`\n${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main().catch((error) => {
  console.error(`test/run.mjs: ${error.message}`);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
});
