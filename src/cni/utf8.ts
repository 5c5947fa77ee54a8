/** Bytes to text without guessing. */
import { isUtf8 } from 'node:buffer';
import { CniCode, CniError } from './errors.ts';

/**
 * Decodes UTF-8 (RFC 3629). A byte order mark is kept, so that the JSON reader refuses it as the plugin would.
 * @param what names the bytes in errors, e.g. 'CNI configuration on stdin'
 * @throws CniError 6 naming the offset of the first byte that cannot be decoded
 */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const offset = firstInvalidByte(bytes);
  const byte = (bytes[offset] ?? 0).toString(16).padStart(2, '0');
  throw new CniError(
    CniCode.decodingFailure,
    `Cannot parse ${what}: byte 0x${byte} at offset ${offset} is not valid UTF-8`,
  );
}

/** Where the first sequence that is not UTF-8 begins; the length of the bytes when there is none. */
function firstInvalidByte(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    // The checks that need more than the first byte (overlong forms, surrogates, a cut end) are left to the runtime.
    if (length === 0 || at + length > bytes.length || !isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return at;
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}
