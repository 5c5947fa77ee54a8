/** Protocol Buffers by tables of fields: as much as the CRI takes (no negative numbers, no floats, no oneof). */

/** `[T]` is repeated. */
export type Type = 'string' | 'number' | 'map' | Schema | readonly ['string' | Schema];
export type Schema = { readonly [field: string]: readonly [number: number, type: Type] };

// biome-ignore lint/suspicious/noExplicitAny: a message is what its schema says
export type Message = any;

const VARINT = 0;
const DELIMITED = 2;
const FIXED_SIZES: Readonly<Record<number, number>> = { 1: 8, 5: 4 };
const ENTRY: Schema = { key: [1, 'string'], value: [2, 'string'] };

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push((bytes.pop() ?? 0) & 0x7f);
  return Buffer.from(bytes);
}

function encodeField(number: number, type: Type, value: Message): Buffer[] {
  if (type === 'number') return [varint(number * 8 + VARINT), varint(Number(value))];
  if (type === 'map') {
    return Object.entries(value).flatMap(([key, value]) => encodeField(number, ENTRY, { key, value }));
  }
  if (Array.isArray(type)) return value.flatMap((one: Message) => encodeField(number, type[0], one));
  const bytes = type === 'string' ? Buffer.from(value) : encode(type as Schema, value);
  return [varint(number * 8 + DELIMITED), varint(bytes.length), bytes];
}

/** @throws Error naming a field that the schema does not have */
export function encode(schema: Schema, message: Message): Buffer {
  const fields = Object.entries(message).flatMap(([name, value]) => {
    const field = schema[name];
    if (field === undefined) throw new Error(`no field ${name} among ${Object.keys(schema)}`);
    return value === undefined ? [] : encodeField(...field, value);
  });
  return Buffer.concat(fields);
}

function* fieldsOf(bytes: Buffer): Generator<{ number: number; value: number | Buffer }> {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = next();
    const wireType = tag % 8;
    const value = wireType === VARINT || wireType === DELIMITED ? next() : (FIXED_SIZES[wireType] ?? Number.NaN);
    if (wireType !== VARINT) at += value;
    if (!(at <= bytes.length)) throw new Error(`no message: ${bytes.toString('hex')}`);
    yield { number: tag >> 3, value: wireType === VARINT ? value : bytes.subarray(at - value, at) };
  }
}

/** An absent field is '', 0, {} or []; fields that the schema does not have are left out. */
export function decode(schema: Schema, bytes: Buffer): Message {
  const empty = (type: Type): Message =>
    type === 'string' ? '' : type === 'number' ? 0 : Array.isArray(type) ? [] : type === 'map' ? {} : undefined;
  const message: Message = {};
  for (const [name, [, type]] of Object.entries(schema)) message[name] = empty(type);
  const one = (type: Type, value: Message): Message =>
    type === 'string' ? value.toString() : type === 'number' ? value : decode(type as Schema, value);
  for (const { number, value } of fieldsOf(bytes)) {
    const found = Object.entries(schema).find(([, [wanted]]) => wanted === number);
    if (found === undefined) continue;
    const [name, [, type]] = found;
    if (Array.isArray(type)) message[name].push(one(type[0], value));
    else if (type === 'map') {
      const entry = decode(ENTRY, value as Buffer);
      message[name][entry.key] = entry.value;
    } else message[name] = one(type, value);
  }
  return message;
}
