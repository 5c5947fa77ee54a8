/** Arbitrary JSON as text, with everything that decoding and encoding again would lose. */
import fc from 'fast-check';

export const space = fc.constantFrom('', '', ' ', '\n  ', '\t', '\r\n');

const escapedString = fc.string({ unit: 'binary', maxLength: 6 }).map((value) => {
  const units = value.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${units.join('')}"`;
});
const plainString = fc.string({ unit: 'binary', maxLength: 8 }).map((value) => JSON.stringify(value));
export const stringText = fc.oneof(plainString, escapedString, fc.constantFrom('"\\/"', '"\\ud800"', '"é😀"'));

const numberText = fc.constantFrom(
  ...['0', '-0', '12', '9007199254740993', '123456789012345678901234567890', '0.10', '1E+5', '-1.50e-7', '1e400'],
);

export const { valueText } = fc.letrec<{ valueText: string; arrayText: string; objectText: string }>((tie) => ({
  valueText: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false'),
    numberText,
    stringText,
    tie('arrayText'),
    tie('objectText'),
  ),
  arrayText: fc
    .array(fc.tuple(space, tie('valueText'), space), { maxLength: 3 })
    .map((parts) => `[${parts.map((part) => part.join('')).join(',')}]`),
  objectText: fc
    .array(fc.tuple(space, stringText, space, tie('valueText'), space), { maxLength: 3 })
    .map((parts) => `{${parts.map(([a, key, b, value, c]) => `${a}${key}${b}:${value}${c}`).join(',')}}`),
}));

/** A member with its bytes apart: `before key gap value after`, where gap holds the colon. */
export interface MemberText {
  key: string;
  before: string;
  keyText: string;
  gap: string;
  value: string;
  after: string;
}

/** Few keys, so that duplicates and other spellings of one key are common. */
const keyPair = fc.oneof(
  fc.constantFrom<[string, string]>(['a', '"a"'], ['A', '"A"'], ['a', '"\\u0061"'], ['b', '"b"'], ['name', '"name"']),
  fc.constantFrom<[string, string]>(['NAME', '"NAME"'], ['s', '"s"'], ['ſ', '"ſ"'], ['__proto__', '"__proto__"']),
  fc.string({ maxLength: 3 }).map((key): [string, string] => [key, JSON.stringify(key)]),
);

export const memberTexts: fc.Arbitrary<MemberText[]> = fc.array(
  fc
    .tuple(space, keyPair, fc.constantFrom(':', ' :', ': ', ' :\n'), valueText, space)
    .map(([before, [key, keyText], gap, value, after]) => ({ key, before, keyText, gap, value, after })),
  { maxLength: 6 },
);

export function objectOf(members: MemberText[]): string {
  const inner = members.map(({ before, keyText, gap, value, after }) => before + keyText + gap + value + after);
  return ` {${inner.join(',')}}\n`;
}
