/** Identity of this boot: namespace inodes mean nothing beyond it. */
import { readFileSync } from 'node:fs';

let cached: string | undefined;

/** From /proc/sys/kernel/random/boot_id. */
export function bootId(): string {
  cached ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return cached;
}
