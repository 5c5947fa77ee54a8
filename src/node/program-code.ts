/**
 * A program's text and, beside it, the code that V8 has made of it: a start without compiling takes 10 to 20 ms less.
 *
 * `<name>.code` of `<name>.cjs` is a line that says what it is of, and V8's bytes. V8 itself knows code of another version
 * and with other flags, and nothing else: not damaged bytes, nor code of another text as long as this one. Therefore the
 * line has a sum of the bytes, and which file the text is. What does not fit is nothing: the program runs without.
 */
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { native } from './native.ts';

const MODE = 0o644;
const LINE_END = 0x0a;

/** What ran, or was compiled without running: the code of a run is shorter, and has all that such a run needs. */
export type Origin = 'run' | 'compiled';

const TEXT_SUFFIX = '.cjs';

/** Where the code of the program at `path` is kept. */
export function codePathOf(path: string): string {
  return `${path.slice(0, -TEXT_SUFFIX.length)}.code`;
}

function draftPathOf(codePath: string): string {
  return join(dirname(codePath), `.${basename(codePath)}.tmp`);
}

/** All that may be kept beside the file at `path`, also by a process that was killed; nothing when it is no program's text. */
export function codeFilesOf(path: string): string[] {
  if (!path.endsWith(TEXT_SUFFIX)) return [];
  const codePath = codePathOf(path);
  return [codePath, draftPathOf(codePath)];
}

/** Which file a text is: nobody writes into it without a new time of change. */
function identityOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return [process.version, process.arch, size, mtimeNs, ctimeNs, ino].join(' ');
}

function lineOf(identity: string, origin: Origin, bytes: Buffer): string {
  return `${identity} ${origin} ${native().damageSum(bytes)}`;
}

/** Code is run with all that we may: nobody may have written it who could not write the program. */
function isTrusted({ uid, mode }: BigIntStats, text: BigIntStats): boolean {
  return uid === text.uid && (mode & 0o022n) === 0n;
}

interface Code {
  bytes: Buffer;
  origin: Origin;
}

/** undefined when there is none that fits. */
function readCode(path: string, text: BigIntStats): Code | undefined {
  try {
    const codePath = codePathOf(path);
    if (!isTrusted(lstatSync(codePath, { bigint: true }), text)) return undefined;
    const content = readFileSync(codePath);
    const end = content.indexOf(LINE_END);
    const line = content.toString('latin1', 0, end);
    const bytes = content.subarray(end + 1);
    const origins: Origin[] = ['run', 'compiled'];
    const origin = origins.find((one) => line.startsWith(`${identityOf(text)} ${one} `));
    if (origin === undefined || line !== lineOf(identityOf(text), origin, bytes)) return undefined;
    return { bytes, origin };
  } catch {
    return undefined;
  }
}

/** @throws system errors */
function writeDraft(draft: string, line: string, bytes: Buffer): void {
  rmSync(draft, { force: true }); // of a process that was killed
  const file = openSync(draft, 'wx', MODE);
  try {
    fchmodSync(file, MODE); // whatever the umask
    writeFileSync(file, line);
    writeFileSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** It need not be on disk when we return: what a crash leaves of it does not fit. @throws system errors */
function writeCode(path: string, text: BigIntStats, origin: Origin, script: Script): void {
  const codePath = codePathOf(path);
  const draft = draftPathOf(codePath);
  const bytes = script.createCachedData();
  try {
    writeDraft(draft, `${lineOf(identityOf(text), origin, bytes)}\n`, bytes);
    renameSync(draft, codePath);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return identityOf(a) === identityOf(b);
}

/** The program as a function of what Node gives to a module; the first line is as long as it was, but for the beginning. */
function textOf(path: string): string {
  return `(function (require, __filename, __dirname, module, exports) {${readFileSync(path, 'utf8')}\n})`;
}

function scriptOf(path: string, text: string, cachedData?: Buffer): Script {
  return new Script(text, { filename: path, ...(cachedData === undefined ? {} : { cachedData }) });
}

/** A program that is read and not started yet. */
export class Program {
  private readonly path: string;
  private readonly text: BigIntStats;
  private readonly script: Script;
  private readonly isCodeOfRun: boolean;

  /** @throws system errors of reading its text, SyntaxError */
  constructor(path: string) {
    this.path = path;
    this.text = statSync(path, { bigint: true });
    const code = readCode(path, this.text);
    const text = textOf(path);
    // An update that comes just here: V8 tells another text by its length only.
    const isOfText = isSame(statSync(path, { bigint: true }), this.text);
    this.script = scriptOf(path, text, isOfText ? code?.bytes : undefined);
    this.isCodeOfRun = code?.origin === 'run' && this.script.cachedDataRejected !== true;
  }

  run(): void {
    const module = { exports: {} };
    const main = this.script.runInThisContext() as (...args: unknown[]) => void;
    main(createRequire(this.path), this.path, dirname(this.path), module, module.exports);
  }

  /**
   * Keep the code of what has run by now, about 10 ms, unless code of a run was there. Whoever does not own the program,
   * and where nothing can be written, keeps nothing, and learns nothing of it.
   */
  keepCode(): void {
    if (this.isCodeOfRun || this.text.uid !== BigInt(process.geteuid?.() ?? -1)) return;
    try {
      accessSync(dirname(this.path), constants.W_OK);
      if (isSame(statSync(this.path, { bigint: true }), this.text)) {
        writeCode(this.path, this.text, 'run', this.script);
      }
    } catch {
      // The next one may.
    }
  }
}

/**
 * Compile all of the program at `path` for this Node, and keep it. Not to be called when threads are at work: V8 has flags
 * of the process.
 * @throws system errors, SyntaxError
 */
export function compileProgram(path: string): void {
  const text = statSync(path, { bigint: true });
  setFlagsFromString('--no-lazy');
  try {
    const script = scriptOf(path, textOf(path));
    setFlagsFromString('--lazy'); // before the code is made, which has the flags in it
    writeCode(path, text, 'compiled', script);
  } finally {
    setFlagsFromString('--lazy');
  }
}
