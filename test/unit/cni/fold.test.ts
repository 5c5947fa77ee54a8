import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foldKey } from '../../../src/cni/fold.ts';

test('foldKey() keeps keys apart when they only look alike', () => {
  assert.is.not(foldKey('ı'), foldKey('i'));
  assert.is.not(foldKey('straße'), foldKey('strasse'));
  assert.is.not(foldKey('type'), foldKey('types'));
});

test('foldKey() joins ASCII spellings and the two letters outside ASCII that Go takes for them', () => {
  assert.is(foldKey('cniVersion'), foldKey('CNIVERSION'));
  assert.is(foldKey('pluginſ'), foldKey('plugins'));
  assert.is(foldKey('\u212aey'), foldKey('key'));
  assert.is(foldKey('Größe'), foldKey('gRÖßE'));
});

test('foldKey() agrees with Unicode simple case folding for every character that has cases', () => {
  let compared = 0;
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    const variants = new Set([character.toLowerCase(), character.toUpperCase(), character.toUpperCase().toLowerCase()]);
    variants.delete(character);
    for (const variant of variants) {
      const isSame = new RegExp(`^\\u{${code.toString(16)}}$`, 'iu').test(variant);
      assert.is(foldKey(character) === foldKey(variant), isSame, `${character} (${code.toString(16)}) and ${variant}`);
      compared++;
    }
  }
  assert.ok(compared > 2000);
});

test.run();
