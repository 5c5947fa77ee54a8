/** What the launcher reads and writes: little-endian integers, texts with their lengths. */

export class Encoder {
  private readonly parts: Buffer[] = [];

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.parts.push(bytes);
    return this;
  }

  text(text: string): this {
    const bytes = Buffer.from(text);
    this.u32(bytes.length).parts.push(bytes);
    return this;
  }

  /** One that ends in a NUL, as C wants it. */
  string(text: string): this {
    return this.text(`${text}\0`);
  }

  /** All of it, behind its length. */
  withLength(): Buffer {
    const bytes = Buffer.concat(this.parts);
    return Buffer.concat([new Encoder().u32(bytes.length).parts[0] as Buffer, bytes]);
  }
}

export class Decoder {
  private at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  private advance(length: number): number {
    this.at += length;
    return this.at - length;
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.advance(4));
  }

  i32(): number {
    return this.bytes.readInt32LE(this.advance(4));
  }

  /** Exact up to 2^53. */
  u64(): number {
    return Number(this.bytes.readBigUInt64LE(this.advance(8)));
  }

  text(): string {
    const length = this.u32();
    const start = this.advance(length);
    return this.bytes.toString('utf8', start, start + length);
  }
}
