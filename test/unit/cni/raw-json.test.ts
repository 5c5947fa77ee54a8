import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foldKey } from '../../../src/cni/fold.ts';
import { scanMembers } from '../../../src/cni/json-scan.ts';
import { decodeUtf8, RawObject } from '../../../src/cni/raw-json.ts';
import { type MemberText, memberTexts, objectOf, stringText, valueText } from './json-text.ts';
import { refusal } from './refusal.ts';

const parse = (text: string) => RawObject.parse(text, 'x');

test('parse() refuses with code 6 when the text is JSON but not an object', () => {
  const message = (text: string) => refusal(() => parse(text)).message;
  assert.is(message('[1]'), 'Cannot parse x: it must be a JSON object, got an array at line 1 column 1');
  assert.is(message('\n "a"'), 'Cannot parse x: it must be a JSON object, got a string at line 2 column 2');
  assert.is(message('null'), 'Cannot parse x: it must be a JSON object, got null at line 1 column 1');
});

test('decodeUtf8() refuses with code 6 and names byte and offset when the bytes are no text', () => {
  assert.equal(
    refusal(() => decodeUtf8(Uint8Array.from([0x7b, 0x0f, 0xc3]), 'CNI configuration on stdin')),
    {
      code: 6,
      message: 'Cannot parse CNI configuration on stdin: byte 0xc3 at offset 2 is not valid UTF-8',
      details: '',
    },
  );
});

test('parse() refuses a byte order mark, which decodeUtf8() keeps', () => {
  const text = decodeUtf8(Uint8Array.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), 'x');
  assert.match(refusal(() => parse(text)).message, /unexpected character U\+FEFF/);
});

test('with() refuses with code 6 when an edit is not one JSON value', () => {
  for (const raw of ['', '1,"type":"evil"', '{', 'undefined', '1 2']) {
    const { code, message } = refusal(() => parse('{}').with({ prevResult: raw }));
    assert.is(code, 6);
    assert.match(message, /^Cannot parse the value for key "prevResult": /);
  }
});

test('object() and array() refuse with code 7 when the value is of another kind', () => {
  const source = parse('{"args":5,"plugins":{}}');
  assert.equal(
    refusal(() => source.object('args', 'args')),
    {
      code: 7,
      message: 'Cannot use x: key "args" must be an object, got 5',
      details: '',
    },
  );
  assert.is(
    refusal(() => source.array('plugins')).message,
    'Cannot use x: key "plugins" must be an array, got an object',
  );
});

test('decodeUtf8() gives back every text that was encoded, and nothing around the view', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = Buffer.from(`<${text}>`);
      assert.is(decodeUtf8(bytes.subarray(1, -1), 'x'), text);
    }),
  );
});

test('a key is found in any case, and the last member counts', () => {
  const source = parse('{"Name":1,"other":2,"NAME":3}');
  assert.is(source.raw('name'), '3');
  assert.ok(source.has('nAmE'));
  assert.equal(source.keys(), ['other', 'NAME']);
  assert.not(source.has('nam'));
  assert.is(source.raw('nam'), undefined);
  assert.is(source.value('nam'), undefined);
});

test('raw() keeps what decoding would lose', () => {
  const source = parse('{"id": 12345678901234567890 , "o": { "b":1,  "a":"\\u0041" }}');
  assert.is(source.raw('id'), '12345678901234567890');
  assert.is(source.raw('o'), '{ "b":1,  "a":"\\u0041" }');
  assert.equal(source.value('o'), { b: 1, a: 'A' });
});

test('object() and array() return the parts as written, undefined when absent or null', () => {
  const source = parse('{"o": {"a" : 1.0}, "l": [ 1.0 ,{ "x": [] }, "]" ], "n": null, "e": [ ]}');
  assert.is(source.object('o', 'o')?.raw('a'), '1.0');
  assert.equal(source.array('l'), ['1.0', '{ "x": [] }', '"]"']);
  assert.equal(source.array('e'), []);
  assert.equal(
    [source.object('n', 'n'), source.array('n'), source.object('z', 'z'), source.array('z')],
    Array(4).fill(undefined),
  );
});

test('with() replaces in place, appends at the end, removes with one comma', () => {
  const source = parse('{ "a": 1,\n  "b": [2] ,\n  "c": 3 }\n');
  assert.is(source.with({ b: ' {} ' }).text, '{ "a": 1,\n  "b": {} ,\n  "c": 3 }\n');
  assert.is(source.with({ d: '4' }).text, '{ "a": 1,\n  "b": [2] ,\n  "c": 3,"d":4 }\n');
  assert.is(source.with({ a: undefined }).text, '{ "b": [2] ,\n  "c": 3 }\n');
  assert.is(source.with({ b: undefined }).text, '{ "a": 1 ,\n  "c": 3 }\n');
  assert.is(source.with({ c: undefined }).text, '{ "a": 1,\n  "b": [2] }\n');
  assert.is(source.with({ a: undefined, b: undefined, c: undefined, z: undefined }).text, '{  }\n');
  assert.is(parse('{ }').with({ a: '1', b: '2' }).text, '{"a":1,"b":2 }');
});

test('with() collapses duplicates into the member that counts and spells its key as the edit does', () => {
  const source = parse('{"NAME":1,"x":0,"name":2,"Name" : 3}');
  assert.is(source.with({ name: '"n"' }).text, '{"x":0,"name" : "n"}');
  assert.is(source.with({ name: undefined }).text, '{"x":0}');
  assert.is(parse('{"n\\u0061me":1}').with({ name: '2' }).text, '{"n\\u0061me":2}');
});

test('with() leaves every byte when there is nothing to edit', () => {
  fc.assert(
    fc.property(memberTexts, (members) => assert.is(parse(objectOf(members)).with({}).text, objectOf(members))),
  );
});

/** What with() must do, said once more over the bytes of each member. */
function edited(members: MemberText[], key: string, keyText: string, value: string | undefined): string {
  const folded = foldKey(key);
  const lastIndex = members.findLastIndex((member) => foldKey(member.key) === folded);
  const kept = members
    .filter((member, index) => foldKey(member.key) !== folded || (index === lastIndex && value !== undefined))
    .map((member) => {
      if (foldKey(member.key) !== folded || value === undefined) return member;
      return { ...member, keyText: member.key === key ? member.keyText : keyText, value };
    });
  return kept.map((member) => member.keyText + member.gap + member.value).join();
}

/** The members of an object as raw texts, without the whitespace between them. */
function cores(text: string): string {
  return scanMembers(text, text.indexOf('{'))
    .map(({ start, valueEnd }) => text.slice(start, valueEnd))
    .join();
}

test('with() changes nothing but the edited member when any object is edited', () => {
  const key = fc.constantFrom('a', 'name', 's', 'new key', '__proto__');
  const edit = fc.option(valueText, { nil: undefined });
  fc.assert(
    fc.property(memberTexts, key, edit, (members, name, value) => {
      const source = parse(objectOf(members));
      const result = source.with(Object.fromEntries([[name, value]]));
      const isNew = !source.has(name) && value !== undefined;
      const rest = cores(result.text);
      const added = `${members.length > 0 ? ',' : ''}${JSON.stringify(name)}:${value}`;
      assert.is(rest, edited(members, name, JSON.stringify(name), value) + (isNew ? added : ''));
      assert.is(result.raw(name), value);
      const others = result.keys().filter((other) => foldKey(other) !== foldKey(name));
      for (const other of others) assert.is(result.raw(other), source.raw(other));
    }),
    { numRuns: 500 },
  );
});

test('with() keeps every byte before and after a value that stands alone', () => {
  fc.assert(
    fc.property(memberTexts, fc.nat(), valueText, (members, pick, value) => {
      const target = members[pick % Math.max(1, members.length)];
      if (target === undefined) return;
      const folded = foldKey(target.key);
      if (members.filter((member) => foldKey(member.key) === folded).length > 1) return;
      const expected = objectOf(members.map((member) => (member === target ? { ...member, value } : member)));
      assert.is(parse(objectOf(members)).with(Object.fromEntries([[target.key, value]])).text, expected);
    }),
    { numRuns: 500 },
  );
});

test('raw() returns the bytes of the last member of each key', () => {
  fc.assert(
    fc.property(memberTexts, (members) => {
      const source = parse(objectOf(members));
      const last = new Map(members.map((member) => [foldKey(member.key), member.value]));
      assert.is(source.keys().length, last.size);
      for (const [key, value] of last) assert.is(source.raw(key), value);
    }),
  );
});

// A plugin would miss what it was told by one of the two.
test('entries() has each key as spelled, of those that are exactly equal the last', () => {
  const texts = (source: RawObject) => Object.entries(source.entries()).map(([key, { text }]) => `${key}=${text}`);
  assert.equal(texts(parse('{"foo":1,"FOO": 2.0,"b":0,"foo" : {"x":[]}}')), ['foo={"x":[]}', 'FOO=2.0', 'b=0']);
  fc.assert(
    fc.property(memberTexts, (members) => {
      const last = new Map(members.map((member) => [member.key, member.value]));
      const entries = parse(objectOf(members)).entries();
      assert.is(Object.keys(entries).length, last.size);
      for (const [key, value] of last) assert.is(Object.getOwnPropertyDescriptor(entries, key)?.value.text, value);
    }),
  );
});

test('withEntries() replaces exactly equal keys, puts its own last and keeps every byte of the others', () => {
  const source = parse('{ "foo": 1,\n  "FOO" : 2 , "foo":3,"b":[ ] }\n');
  const edited = (...entries: [string, string][]) => source.withEntries(new Map(entries)).text;
  assert.is(edited(), source.text);
  assert.is(edited(['foo', ' 4 ']), '{ "FOO" : 2,"b":[ ],"foo":4 }\n');
  assert.is(edited(['Foo', '4'], ['c', '{}']), '{ "foo": 1,\n  "FOO" : 2 , "foo":3,"b":[ ],"Foo":4,"c":{} }\n');
  assert.is(edited(['foo', '4'], ['b', '5'], ['FOO', '6']), '{ "foo":4,"b":5,"FOO":6 }\n');
  assert.is(parse('{ }').withEntries(new Map([['__proto__', '1']])).text, '{"__proto__":1 }');
  assert.is(refusal(() => edited(['a', '1,"b":2'])).code, 6);
});

test('withEntries() gives any map what is set and keeps the rest', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'A', 'name', 'new key', '__proto__'), valueText), {
    selector: ([key]) => key,
  });
  fc.assert(
    fc.property(memberTexts, entries, (members, set) => {
      const result = parse(objectOf(members)).withEntries(new Map(set));
      const wanted = new Map([...members.map(({ key, value }) => [key, value] as const), ...set]);
      const found = Object.entries(result.entries()).map(([key, { text }]) => [key, text]);
      assert.equal(found.sort(), [...wanted].sort());
      const kept = members.filter(({ key }) => !set.some(([one]) => one === key));
      const texts = [
        ...kept.map(({ keyText, gap, value }) => keyText + gap + value),
        ...set.map(([key, value]) => `${JSON.stringify(key)}:${value}`),
      ];
      assert.is(cores(result.text), texts.join());
    }),
  );
});

test('array() returns the bytes of each element', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(valueText, stringText)), (elements) => {
      assert.equal(parse(`{"l":[${elements.join(' ,\n')}]}`).array('l'), elements);
    }),
  );
});

test('rawAll() has every value of a key in the order of the text, also those that do not count', () => {
  const source = RawObject.parse('{"ipam":{"type":"a"},"x":1,"IPAM": null}', 'it');
  assert.equal(source.rawAll('ipam'), ['{"type":"a"}', 'null']);
  assert.equal(source.rawAll('y'), []);
});

// A text that was read before is not read anew: its errors must speak of what it is now.
test('the same text read as something else is named so', () => {
  const text = '{"key":1}';
  for (const what of ['the one', 'the other', 'the one']) {
    const object = RawObject.parse(text, what);
    assert.is(object.what, what);
    assert.match(refusal(() => object.array('key')).message, `Cannot use ${what}: key "key" must be an array`);
  }
});

test('texts that were read before are the same ones after many others', () => {
  const texts = Array.from({ length: 500 }, (_, i) => `{"key":${i}}`);
  for (const text of [...texts, ...texts, ...[...texts].reverse()]) {
    assert.is(RawObject.parse(text, 'it').raw('key'), text.slice(7, -1));
  }
});

test.run();
