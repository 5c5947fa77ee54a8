/** What our users wrote down (test/fixtures/seeds), and a node on which it runs as written. */
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CniCall, CniReply, Lab } from './lab.ts';

const SEEDS = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'seeds');

export const seedPath = (path: string): string => join(SEEDS, path);

export const seedText = (path: string): string => readFileSync(seedPath(path), 'utf8');

/** What a document says of a CNI configuration, and what only this machine has otherwise. */
export function seedConfig(lab: Lab, path: string, more: Record<string, unknown> = {}): void {
  const { daemonSocketDir, cniDir, binDir, manifestsDir } = lab.config;
  lab.config = { ...JSON.parse(seedText(path)), daemonSocketDir, cniDir, binDir, manifestsDir, ...more };
}

/** Put YAML into the folder that stands for the API server. */
export function applySeeds(lab: Lab, ...paths: string[]): void {
  for (const path of paths) copyFileSync(seedPath(path), join(lab.manifestsDir, basename(path)));
}

/** The default routes of a pod as "gateway dev", in the order in which the kernel takes them. */
export async function defaultRoutes(lab: Lab, pod: string): Promise<string[]> {
  const { stdout } = await lab.exec(pod, 'ip', '-j', 'route', 'show', 'default');
  const routes = JSON.parse(stdout) as { gateway: string; dev: string; metric?: number }[];
  return routes.sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0)).map(({ gateway, dev }) => `${gateway} ${dev}`);
}

/**
 * Calls on a node whose /var/lib is the lab's: configurations that name no data directory keep their addresses in
 * /var/lib/cni/networks.
 */
export function nodeWithVarLib(lab: Lab): (command: string, call: CniCall) => Promise<CniReply> {
  const varLib = join(lab.directory, 'var-lib');
  mkdirSync(join(varLib, 'cni'), { recursive: true });
  symlinkSync(lab.ipamDir, join(varLib, 'cni', 'networks'));
  const wrapper = ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /var/lib && exec "$@"', varLib];
  return (command, call) => lab.cni(command, { wrapper, ...call });
}
