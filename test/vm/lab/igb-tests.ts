/** Which tests run on the emulated card. Its processor is slow: each kernel runs what the other does not. */

/** @param kernel one of `KERNELS` of qemu.ts */
export function igbTests(kernel: string): readonly string[] {
  // Linux 6.1 renames no link that is up, and is the oldest whose answers the addon reads here.
  if (kernel === '6.1') return ['build/Release/core_test', 'test/native', 'test/vm/in-igb/hardware.test.ts'];
  return ['build/Release/core_test', 'test/vm/in-igb'];
}
