/**
 * The wire format of Protocol Buffers, read (protobuf.dev, "Encoding"): as much of it as the kubelet's answers take.
 * Strings and messages are length-delimited; everything else is stepped over.
 */
import { isUtf8 } from 'node:buffer';
import { CniCode, CniError } from '../../cni/errors.ts';

export interface ProtoField {
  number: number;
  /** Content of a length-delimited field, undefined of a number. */
  bytes: Buffer | undefined;
}

/** Bytes of the wire types that have a fixed size. */
const FIXED_SIZES: Readonly<Record<number, number>> = { 1: 8, 5: 4 };
const VARINT = 0;
const DELIMITED = 2;
const LONGEST_VARINT = 10;

function refuse(what: string, problem: string): CniError {
  return new CniError(CniCode.decodingFailure, `Cannot parse ${what}: ${problem}`);
}

/** Steps through one message. */
class Cursor {
  at = 0;
  private readonly message: Buffer;
  private readonly what: string;

  constructor(message: Buffer, what: string) {
    this.message = message;
    this.what = what;
  }

  get atEnd(): boolean {
    return this.at === this.message.length;
  }

  /** Exact up to 2^53: all that is read from it are tags and lengths, which are below 2^32. */
  varint(): number {
    const start = this.at;
    for (let value = 0, scale = 1; this.at - start < LONGEST_VARINT; scale *= 128) {
      const byte = this.take(1).readUInt8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw refuse(this.what, `the number at byte ${start} has more than ${LONGEST_VARINT} bytes`);
  }

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.message.length) {
      throw refuse(
        this.what,
        `${length} bytes must follow at byte ${this.at}, there are ${this.message.length - this.at}`,
      );
    }
    const bytes = this.message.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  field(): ProtoField {
    const start = this.at;
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number === 0 || tag > 0xffff_ffff) throw refuse(this.what, `the field at byte ${start} has no valid number`);
    if (wireType === DELIMITED) return { number, bytes: this.take(this.varint()) };
    const size = FIXED_SIZES[wireType];
    if (size !== undefined) this.take(size);
    else if (wireType === VARINT) this.varint();
    else
      throw refuse(this.what, `field ${number} at byte ${start} has wire type ${wireType}, which proto3 does not use`);
    return { number, bytes: undefined };
  }
}

/**
 * The fields of a message, one after the other, in the order of the bytes.
 * @param what names the message in errors
 * @throws CniError 6 while iterating, where the bytes are no message
 */
export function* protoFields(message: Buffer, what: string): Generator<ProtoField> {
  const cursor = new Cursor(message, what);
  while (!cursor.atEnd) yield cursor.field();
}

/** A field that is a message. @throws CniError 6 when it is a number */
export function messageOf({ number, bytes }: ProtoField, what: string): Buffer {
  if (bytes === undefined) throw refuse(what, `field ${number} must be a string or a message, it is a number`);
  return bytes;
}

/** A field that is a string. @throws CniError 6 when it is a number, or not UTF-8 */
export function textOf(field: ProtoField, what: string): string {
  const bytes = messageOf(field, what);
  if (!isUtf8(bytes)) throw refuse(what, `field ${field.number} must be a string, its bytes are not UTF-8`);
  return bytes.toString('utf8');
}
