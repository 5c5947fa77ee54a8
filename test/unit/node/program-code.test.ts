import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeFilesOf, compileProgram, Program } from '../../../src/node/program-code.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);
const text = (): string => folder.at('program.cjs');
const code = (): string => folder.at('program.code');

/** Says what it was given, and has a function for code to be of. */
const programSaying = (word: string): string =>
  `'use strict';\nfunction say() { return [${JSON.stringify(word)}, __filename, typeof require('./program.json').a]; }\nglobalThis.said = say();`;

function write(word = 'one'): void {
  folder.write('program.json', '{"a": 1}');
  folder.write('program.cjs', programSaying(word));
}

/** Run the program as a process of its own would. @returns what it said */
function runAndKeep(): unknown {
  const program = new Program(text());
  program.run();
  program.keepCode();
  const { said } = globalThis as { said?: unknown };
  return said;
}

const said = (word = 'one'): unknown => [word, text(), 'number'];
const origin = (): string => readFileSync(code(), 'latin1').split('\n', 1)[0]?.split(' ').at(-2) ?? '';

test('a program runs the same without code, with what was compiled, and with that of a run, which takes its place', () => {
  write();
  assert.equal(runAndKeep(), said());
  assert.is(origin(), 'run');
  rmSync(code());
  compileProgram(text());
  assert.is(origin(), 'compiled');
  assert.equal(runAndKeep(), said());
  assert.is(origin(), 'run');
  const { ino } = statSync(code());
  assert.equal(runAndKeep(), said());
  assert.is(statSync(code()).ino, ino, 'what fits is not written again');
  assert.is(statSync(code()).mode & 0o7777, 0o644);
  assert.equal(readdirSync(folder.path), ['program.cjs', 'program.code', 'program.json']);
});

// V8 looks at the bytes no closer than at their length: damaged ones could do anything.
test('code that is damaged anywhere, cut off, empty or of another Node is none, and is made anew', () => {
  write();
  runAndKeep();
  const whole = readFileSync(code());
  const cases: Buffer[] = [Buffer.alloc(0), Buffer.from('\n'), Buffer.alloc(100_000, 0x20)];
  for (let at = 0; at < whole.length; at += Math.max(1, whole.length >> 5)) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    cases.push(damaged, whole.subarray(0, at));
  }
  cases.push(Buffer.from(whole.toString('latin1').replace(process.version, 'v20.0.0'), 'latin1'));
  for (const content of cases) {
    writeFileSync(code(), content);
    assert.equal(runAndKeep(), said());
    assert.ok(readFileSync(code()).length > 100 && origin() === 'run');
    assert.not.equal(readFileSync(code()), content);
  }
});

// V8 knows a text by its length.
test('code of a program as long as this one is not run', () => {
  write('one');
  runAndKeep();
  write('two');
  assert.equal(runAndKeep(), said('two'));
  copyFileSync(text(), folder.at('other.cjs'));
  assert.equal(runAndKeep(), said('two'));
});

test('a program that was replaced while it ran keeps no code beside its successor', () => {
  write('one');
  const program = new Program(text());
  program.run();
  write('two');
  program.keepCode();
  assert.not.ok(existsSync(code()));
});

// It runs as root, for every pod.
test('code is not run when somebody else than the owner of the program may have written it', () => {
  write();
  runAndKeep();
  const { ino } = statSync(code());
  chmodSync(code(), 0o666);
  assert.equal(runAndKeep(), said());
  assert.is.not(statSync(code()).ino, ino, 'it was made anew');
  if (process.geteuid?.() !== 0) return;
  chownSync(code(), 65534, 65534);
  assert.equal(runAndKeep(), said());
  assert.is(statSync(code()).uid, 0, 'it was made anew');
  rmSync(code());
  chownSync(text(), 65534, 65534);
  assert.equal(runAndKeep(), said());
  assert.not.ok(existsSync(code()), 'and whoever does not own the program keeps none');
});

test('where no code can be kept the program runs all the same', () => {
  write();
  folder.write('program.code/in-the-way', '');
  assert.equal(runAndKeep(), said());
  assert.equal(runAndKeep(), said());
  assert.throws(() => compileProgram(text()), 'EISDIR');
  assert.equal(readdirSync(folder.path), ['program.cjs', 'program.code', 'program.json']);
});

test('what was left by one that was killed is in nobody’s way', () => {
  write();
  for (const path of codeFilesOf(text())) writeFileSync(path, 'half');
  assert.equal(runAndKeep(), said());
  assert.is(origin(), 'run');
  assert.equal(readdirSync(folder.path), ['program.cjs', 'program.code', 'program.json']);
});

test.run();
