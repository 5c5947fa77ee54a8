/** Which tests run in user-mode Linux. */

/** @param _kernel one of `KERNELS` */
export function umlTests(_kernel: string): readonly string[] {
  return ['build/Release/core_test', 'test/native', 'test/vm/in-uml'];
}
