/** Where bytes stop being UTF-8 (RFC 3629). */
import { isUtf8 } from 'node:buffer';

/** The offset at which the first sequence that is not UTF-8 begins; undefined when there is none. */
export function invalidUtf8At(bytes: Uint8Array): number | undefined {
  if (isUtf8(bytes)) return undefined;
  let at = 0;
  for (;;) {
    const end = at + sequenceLength(bytes[at] ?? 0);
    // What needs more than the first byte (overlong forms, surrogates, a cut end) the runtime knows.
    if (end === at || end > bytes.length || !isUtf8(bytes.subarray(at, end))) return at;
    at = end;
  }
}

/** How many bytes a sequence has by its first byte; 0 when none begins so. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}
