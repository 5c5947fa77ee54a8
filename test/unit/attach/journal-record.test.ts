import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DamagedRecordError, formatRecord, parseRecord } from '../../../src/attach/journal-record.ts';
import { CniError } from '../../../src/cni/errors.ts';
import { refusal } from '../cni/refusal.ts';
import { aDefaultAttachment, anAttachment, aRecord } from './records.ts';

const PATH = '/var/lib/cni/multus/c0ffee';
const parse = (text: string) => parseRecord(text, PATH);

/** The error for a text, and whether DEL may set the file aside for it. */
function problem(text: string): { damaged: boolean; message: string } {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    assert.is(error.code, 105);
    const start = `Cannot use journal file ${PATH}: `;
    assert.ok(error.message.startsWith(start), error.message);
    return { damaged: error instanceof DamagedRecordError, message: error.message.slice(start.length) };
  }
  return assert.unreachable('must throw') as never;
}

/** A record's text with another content under a checksum that is right. */
function forged(change: (text: string) => string): string {
  const blank = change(formatRecord(aRecord())).replace(/"sum":"[0-9a-f]{64}"/, `"sum":"${'0'.repeat(64)}"`);
  const sum = createHash('sha256').update(blank).digest('hex');
  return blank.replace('0'.repeat(64), sum);
}

/** Record with every optional field filled, and texts that JSON has to escape. */
const FULL = aRecord({
  defaultRoutes: [{ family: 4, gateways: [{ gateway: '10.0.0.1', ifName: 'net1' }] }],
  attachments: [
    aDefaultAttachment({
      result: '{"n": 12345678901234567890, "s":"\\u00e4\\n"}\n',
      state: 'detaching',
      lastError: 'ä "x"',
    }),
    anAttachment({
      link: { index: 7, mac: '02:00:00:00:00:07', delegateName: 'macv0' },
      warnings: ['one', 'two'],
      requestedMac: '02:00:00:00:00:01',
      requestedIps: ['10.0.0.5/24', 'fd00::5'],
      disableCheck: true,
      disableGC: true,
      device: { id: '0000:3b:02.1', resourceName: 'intel.com/sriov' },
      deviceInfoFile: '/run/devinfo/cni/prod-data-c0ffee_net1',
    }),
  ],
});

test('a file that is cut off anywhere is damaged: DEL must neither trust it nor fail for ever', () => {
  const text = formatRecord(aRecord());
  for (let length = 0; length < text.length; length++) {
    const { damaged, message } = problem(text.slice(0, length));
    assert.ok(damaged, `${length}`);
    assert.match(message, /^it is not JSON; it was cut off or overwritten$/);
  }
});

test('a file whose content was changed is damaged', () => {
  const text = formatRecord(aRecord());
  for (const [from, to] of [
    ['macvlan', 'ipvlan'],
    ['"complete":true', '"complete":false'],
    ['net1', 'net2'],
    ['}]', '} ]'],
  ] as const) {
    assert.equal(problem(text.replace(from, to)), {
      damaged: true,
      message: 'its checksum is wrong; it was changed or damaged',
    });
  }
});

test('detects every change of a single byte', () => {
  const bytes = Buffer.from(formatRecord(FULL));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ difference;
      assert.is(refusal(() => parse(changed.toString())).code, 105);
    }),
    { numRuns: 500 },
  );
});

test('detects a byte that is missing, doubled or appended', () => {
  const text = formatRecord(aRecord());
  for (let at = 0; at < text.length; at += 7) {
    refusal(() => parse(text.slice(0, at) + text.slice(at + 1)));
    refusal(() => parse(text.slice(0, at) + text[at] + text.slice(at)));
  }
  for (const tail of [' ', '\n', '{}', '\0']) refusal(() => parse(text + tail));
});

test('a text that is no record at all is damaged: DEL must not fail for it for ever', () => {
  const message = 'it names no attachment of multus-native or of Multus';
  for (const text of ['[]', '{}', 'null', '5', '[null]', '[5]', '[{}]', '[{"multusNative":null}]', '"x"']) {
    assert.equal(problem(text), { damaged: true, message }, text);
  }
});

test('a file of a later version is left to that version', () => {
  assert.equal(problem(forged((text) => text.replace('"schema":1', '"schema":2'))), {
    damaged: false,
    message: 'its schema is 2, this version knows 1; use the version that wrote it',
  });
  assert.not(problem('[{"multusNative":5}]').damaged);
  assert.is(parse(forged((text) => text)).containerId, 'c0ffee', 'only the schema was wrong with it');
});

test('a checksum anywhere else than at the beginning does not count', () => {
  const text = formatRecord(aRecord());
  const sum = /"sum":"([0-9a-f]{64})"/.exec(text)?.[1] ?? '';
  const swapped = text.replace(`"schema":1,"sum":"${sum}"`, `"sum":"${sum}","schema":1`);
  assert.is.not(swapped, text);
  assert.ok(problem(swapped).damaged);
  assert.ok(problem(` ${text}`).damaged);
});

test('a result that looks like the head of the file changes nothing', () => {
  const head = `[{"multusNative":{"schema":1,"sum":"${'0'.repeat(64)}"`;
  const record = aRecord({ attachments: [anAttachment({ result: head, lastError: '0'.repeat(64) })] });
  assert.is(parse(formatRecord(record)).attachments[0]?.result, head);
});

test('gives back every byte of what was written', () => {
  // A link that is not known is no key of the text: compare as JSON does.
  assert.is(JSON.stringify(parse(formatRecord(FULL))), JSON.stringify(FULL));
  assert.equal(Object.keys(parse(formatRecord(FULL))), Object.keys(FULL));
});

test('gives back any texts that plugins and users produce', () => {
  const any = fc.string({ unit: 'binary', maxLength: 20 });
  fc.assert(
    fc.property(any, any, fc.array(any, { maxLength: 2 }), (result, text, warnings) => {
      const attachments = [anAttachment({ result, lastError: text, warnings }), aDefaultAttachment({ args: text })];
      const record = aRecord({ pod: result, attachments });
      assert.is(JSON.stringify(parse(formatRecord(record))), JSON.stringify(record));
    }),
  );
});

interface MultusConf {
  cniVersion: string;
  name: string;
  type: string;
  capabilities?: Record<string, boolean>;
  ipam: { type?: string };
  dns: object;
}

/** The fields with the types that Multus decodes them to; Go refuses the whole file when one has another type. */
interface MultusDelegate {
  Conf: MultusConf;
  ConfList: { cniVersion?: string; name?: string; plugins: Partial<MultusConf>[] | null };
  Name: string;
  ifnameRequest: string;
  macRequest?: string;
  ipRequest?: string[];
  deviceID?: string;
  resourceName?: string;
  Bytes: string;
}

/** What Multus does with a delegate of its cache on DEL (v4.3): plugins in ConfList make it a list. */
function asMultusDeletes(delegate: MultusDelegate) {
  return {
    isList: (delegate.ConfList.plugins ?? []).length > 0,
    type: delegate.Conf.type,
    config: Buffer.from(delegate.Bytes, 'base64').toString(),
    name: delegate.Name,
    ifName: delegate.ifnameRequest,
  };
}

const multusView = (record: ReturnType<typeof aRecord>) => JSON.parse(formatRecord(record)) as MultusDelegate[];

test('Multus can DEL a conf from our file: a node goes back to it with running pods', () => {
  const source =
    '{ "cniVersion":"0.4.0", "name":"data", "type":"macvlan", "n":1e400, "ipam":{"type":"dhcp","x":1}, "s":"ä" }';
  const requested = { requestedMac: '02:00:00:00:00:01', requestedIps: ['10.0.0.5'] };
  const steps = [{ type: 'macvlan', stdin: source }];
  const device = { id: '0000:03:02.1', resourceName: 'intel.com/sriov' };
  const data = anAttachment({ source, steps, cniVersion: '0.4.0', result: '{"own":1}', device, ...requested });
  const [first, second] = multusView(aRecord({ attachments: [aDefaultAttachment(), data] }));
  assert.is(first?.Name, 'node', 'the first one is the default network');
  assert.equal(second && asMultusDeletes(second), {
    isList: false,
    type: 'macvlan',
    config: source.replace(' }', ',"prevResult":{"own":1} }'),
    name: 'prod/data',
    ifName: 'net1',
  });
  const { multusNative: _, Bytes: __, ...fields } = second as MultusDelegate & { multusNative: object };
  assert.equal(fields, {
    Conf: { cniVersion: '0.4.0', name: 'data', type: 'macvlan', ipam: { type: 'dhcp' }, dns: {} },
    ConfList: { plugins: null },
    Name: 'prod/data',
    ifnameRequest: 'net1',
    macRequest: '02:00:00:00:00:01',
    ipRequest: ['10.0.0.5'],
    deviceID: '0000:03:02.1',
    resourceName: 'intel.com/sriov',
  });
});

test('Multus can DEL a conflist from our file', () => {
  const source =
    '{"cniVersion":"1.0.0","name":"data","plugins":[{"type":"macvlan","capabilities":{"ips":true}}, {"type":"tuning"}]}';
  const steps = [{ type: 'macvlan', stdin: '{"type":"macvlan","runtimeConfig":{"ips":["10.0.0.5/24"]}}' }];
  const [delegate] = multusView(aRecord({ attachments: [anAttachment({ source, steps, result: '{"own":1}' })] }));
  assert.equal(delegate && asMultusDeletes(delegate), {
    isList: true,
    type: '',
    // The arguments and the result of ADD, for what Multus itself does not keep; the second plugin never started.
    config:
      '{"cniVersion":"1.0.0","name":"data","plugins":[' +
      '{"type":"macvlan","runtimeConfig":{"ips":["10.0.0.5/24"]},"prevResult":{"own":1}},' +
      '{"type":"tuning","prevResult":{"own":1}}]}',
    name: 'prod/data',
    ifName: 'net1',
  });
  assert.equal(delegate?.ConfList, {
    cniVersion: '1.0.0',
    name: 'data',
    plugins: [
      { type: 'macvlan', capabilities: { ips: true }, ipam: {}, dns: {} },
      { type: 'tuning', ipam: {}, dns: {} },
    ],
  });
});

test('Multus finds the device of a network where it put it itself', () => {
  const device = { id: '0000:3b:02.1', resourceName: 'intel.com/sriov' };
  const given = '"deviceID":"0000:3b:02.1","pciBusID":"0000:3b:02.1"';
  const source = '{"name":"data","plugins":[{"type":"sriov","deviceID":"own"},{"type":"tuning"}]}';
  const steps = ['sriov', 'tuning'].map((type) => ({ type, stdin: `{"type":"${type}",${given}}` }));
  const [delegate] = multusView(aRecord({ attachments: [anAttachment({ source, device, steps, result: '' })] }));
  const plugins = steps.map(({ stdin }) => stdin).join(',');
  assert.is(delegate && asMultusDeletes(delegate).config, `{"name":"data","plugins":[${plugins}]}`);
  assert.equal([delegate?.deviceID, delegate?.resourceName], [device.id, device.resourceName]);
});

test('a configuration of odd types keeps the file readable for Multus: one network must not hide the others', () => {
  for (const ipam of ['"dhcp"', '[]', '5', 'null', '{"type":5}', '{}']) {
    const source = `{"name":"data","type":"x","ipam":${ipam}}`;
    const [delegate] = multusView(aRecord({ attachments: [anAttachment({ source })] }));
    assert.equal(delegate?.Conf.ipam, {}, ipam);
  }
});

test('names nothing that was not requested: Multus would take it for a request', () => {
  const [delegate] = multusView(aRecord());
  assert.not.ok('macRequest' in (delegate as object));
  assert.not.ok('ipRequest' in (delegate as object));
  assert.not.ok('deviceID' in (delegate as object));
});

test.run();
