// timeout: 300s
// A plugin knows keys, numbers and spellings that we do not. One that reaches it changed is a network with other settings
// than its owner wrote, and a DEL that does not find what ADD made.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inLab } from '../lab/doors.ts';
import { Fakes } from '../lab/fakes.ts';
import type { Lab } from '../lab/lab.ts';
import { assertClean, assertResult, assertSilent } from '../lab/spec.ts';
import { objectOf } from '../unit/cni/json-text.ts';
import { unknownMembers } from '../unit/pod/generated.ts';

/** A result with what JSON parsers spoil. */
const RESULT = '{ "cniVersion":"1.0.0", "big":12345678901234567890, "small":1.10, "x":1, "x":2, "\\u0041":"\\/" }';

/** An object with these members, and others around them. */
function objectWith(members: string): fc.Arbitrary<string> {
  return fc.tuple(unknownMembers, unknownMembers).map(([before, after]) => {
    const texts = [before, after].map((some) => objectOf(some).trim().slice(1, -1));
    return `{${[texts[0], members, texts[1]].filter((text) => text !== '').join(',')}}`;
  });
}

/** The object's text with members added behind its last one. */
function withMembers(object: string, members: string): string {
  return object.replace(/[ \t\r\n]*\}[ \t\r\n]*$/, (end) => `,${members}${end}`);
}

const conf = objectWith('"cniVersion":"1.0.0","name":"alone","type":"echo"');
const listed = objectWith('"type":"echo"');
const args = fc
  .array(fc.stringMatching(/^[A-Za-z_]{1,8}=[ -:<-~]{0,12}$/), { maxLength: 4 })
  .map((pairs) => pairs.join(';'));

/** ADD and DEL of a pod with a single plugin and a chain of two; the plugins must get exactly these bytes. */
async function attach(lab: Lab, fakes: Fakes, single: string, chain: readonly [string, string], args: string) {
  const [first, second] = chain;
  const list = `{"cniVersion":"1.0.0","name":"chain","plugins":[ ${first} , ${second} ]}`;
  lab.config['delegates'] = ['@single', '@list'];
  const config = JSON.stringify(lab.config)
    .replace('"@single"', () => single)
    .replace('"@list"', () => list);
  const before = fakes.executions().length;
  assertResult(await lab.cni('ADD', { config, args }), '1.0.0');
  assertSilent(await lab.cni('DEL', { config, args }));

  const told = '"name":"chain","cniVersion":"1.0.0"';
  const prevResult = `"prevResult":${RESULT}`;
  const [addSingle, addFirst, addSecond, ...dels] = fakes.executions().slice(before);
  assert.is(addSingle?.stdin, single);
  assert.is(addFirst?.stdin, withMembers(first, told));
  assert.is(addSecond?.stdin, withMembers(second, `${told},${prevResult}`));
  assert.equal(
    dels.map(({ command, stdin }) => ({ command, stdin })),
    [withMembers(second, told), withMembers(first, told), single].map((stdin) => ({
      command: 'DEL',
      stdin: withMembers(stdin, prevResult),
    })),
  );
  // Before them plugins are told to ignore what they do not know, as Multus tells them.
  const handedOn = args === '' ? '' : `IgnoreUnknown=1;${args}`;
  for (const one of [addSingle, addFirst, addSecond, ...dels]) assert.is(one?.env['CNI_ARGS'] ?? '', handedOn);
}

for (const { door, numRuns } of [
  { door: 'daemon', numRuns: 40 },
  { door: 'standalone', numRuns: 10 },
]) {
  inLab(`plugins get every byte of their configuration, for ADD and for DEL (${door})`, async (lab) => {
    const fakes = new Fakes(lab);
    fakes.plugin('echo', { ADD: `cat <<'EOF'\n${RESULT}\nEOF` });
    await lab.addNetns('pod1');
    if (door === 'daemon') await lab.startDaemon();
    await fc.assert(
      fc.asyncProperty(conf, fc.tuple(listed, listed), args, (single, chain, args) =>
        attach(lab, fakes, single, chain, args),
      ),
      { numRuns },
    );
    await assertClean(lab, 'pod1');
  });
}

test.run();
