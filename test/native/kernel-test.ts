/** `kernelTest(name, body)`: a uvu test that gets a fresh namespace, and is skipped aloud without root. */
import { test } from 'uvu';
import { isRoot, ScratchNetns } from './scratch-netns.ts';

export function kernelTest(name: string, body: (netns: ScratchNetns) => Promise<void> | void): void {
  if (!isRoot) {
    test.skip(name);
    return;
  }
  test(name, async () => {
    const netns = new ScratchNetns();
    try {
      await body(netns);
    } finally {
      netns.remove();
    }
  });
}
