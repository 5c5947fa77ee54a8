/** A folder of its own for every test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'uvu';

export class Folder {
  path = '';

  /** @returns the path of a name in the folder */
  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Write a file, and the folders that lead to it. @returns its path */
  write(name: string, content: string | Buffer): string {
    const path = this.at(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Remove a file, or a folder with what is in it. */
  remove(name: string): void {
    rmSync(this.at(name), { recursive: true });
  }
}

export function folderFor(test: Test): Folder {
  const folder = new Folder();
  test.before.each(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'multus-unit-'));
  });
  test.after.each(() => {
    rmSync(folder.path, { recursive: true, force: true });
  });
  return folder;
}
