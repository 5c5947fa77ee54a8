/** What deploy/Dockerfile makes, by the scripts that it runs; once for a test's process, and gone with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '../../lab/process.ts';
import { DEPLOY } from './render.ts';

export interface Image {
  /** The programs for hosts without Node. */
  programs: string;
  /** The root folder: to be mounted read-only. */
  rootfs: string;
}

async function build(): Promise<Image> {
  const folder = mkdtempSync(join(tmpdir(), 'multus-image-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const image = { programs: join(folder, 'programs'), rootfs: join(folder, 'rootfs') };
  await must(process.execPath, join(DEPLOY, 'build-sea.mjs'), image.programs);
  await must(process.execPath, join(DEPLOY, 'image', 'rootfs.mjs'), image.programs, image.rootfs);
  return image;
}

let built: Promise<Image> | undefined;

export function image(): Promise<Image> {
  built ??= build();
  return built;
}
