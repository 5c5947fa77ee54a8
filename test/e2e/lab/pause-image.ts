/** The image of a sandbox's own container, which only waits: no registry is needed for it. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/process.ts';
import { cached } from './cache.ts';

export const PAUSE_IMAGE = 'lab.local/pause:1';

const SOURCE = `
#include <signal.h>
#include <unistd.h>
static void leave(int) { _exit(0); }
int main() {
  signal(SIGTERM, leave);
  signal(SIGINT, leave);
  signal(SIGCHLD, SIG_IGN);
  for (;;) pause();
}
`;

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
/** As Go names it. */
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** @returns the path of a docker archive with the image */
export async function pauseImage(): Promise<string> {
  const folder = await cached(`pause-${ARCHITECTURE}-${sha256(SOURCE).slice(0, 16)}`, async (draft) => {
    const at = (name: string): string => join(draft, name);
    writeFileSync(at('pause.cc'), SOURCE);
    await must('g++', '-static', '-Os', '-s', '-o', at('pause'), at('pause.cc'));
    await must('tar', '-C', draft, '--owner=0', '--group=0', '-cf', at('layer.tar'), 'pause');
    const rootfs = { type: 'layers', diff_ids: [`sha256:${sha256(readFileSync(at('layer.tar')))}`] };
    const config = { architecture: ARCHITECTURE, os: 'linux', config: { Entrypoint: ['/pause'] }, rootfs };
    writeFileSync(at('config.json'), JSON.stringify({ ...config, history: [{ created_by: 'lab' }] }));
    const manifest = [{ Config: 'config.json', RepoTags: [PAUSE_IMAGE], Layers: ['layer.tar'] }];
    writeFileSync(at('manifest.json'), JSON.stringify(manifest));
    await must('tar', '-C', draft, '-cf', at('pause.tar'), 'manifest.json', 'config.json', 'layer.tar');
  });
  return join(folder, 'pause.tar');
}
