import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatWireResult, parseWireRequest } from '../../../src/wire/http.ts';

const parse = (text: string) => parseWireRequest(Buffer.from(text));

/** The message of the TypeError that answers a body. */
function reason(text: string): string {
  try {
    parse(text);
  } catch (error) {
    assert.instance(error, TypeError);
    return (error as TypeError).message;
  }
  return assert.unreachable(`must throw a TypeError: ${text}`) as never;
}

test('says what is wrong with a body, so that whoever calls the socket by hand learns the form', () => {
  assert.match(reason(''), /^Cannot read the request body: it is not JSON$/);
  assert.match(reason('{"env":{}'), /^Cannot read the request body: it is not JSON$/);
  for (const body of [
    'null',
    '5',
    '"x"',
    '[]',
    '{}',
    '{"env":null}',
    '{"env":[]}',
    '{"env":"A=b"}',
    '{"env":{"A":1}}',
  ]) {
    assert.is(reason(body), 'Cannot read the request body: "env" must be an object of strings', body);
  }
  for (const config of ['5', '{}', '["e30="]', 'true', '"{}"', '"e30"', '"e30=\\n"', '"e30=e30="', '"e_0="']) {
    assert.is(
      reason(`{"env":{},"config":${config}}`),
      'Cannot read the request body: "config" must be a base64 string',
      config,
    );
  }
});

test("reads the body of Multus's shim: environment and configuration arrive as they were sent", () => {
  const config = Buffer.from('{"cniVersion":"1.0.0","name":"multus","n":1e400, "ä":"\\u00e4"}');
  const env = { CNI_COMMAND: 'ADD', CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web', EMPTY: '' };
  const body = { env, config: config.toString('base64'), interfaceAttributes: { deviceID: '0000:00:00.0' } };
  assert.equal(parse(JSON.stringify(body)), { env, config });
});

test('reads a body without a configuration as an empty one: STATUS and health checks of others send none', () => {
  for (const config of ['', ',"config":null', ',"config":""']) {
    assert.equal(parse(`{"env":{"CNI_COMMAND":"VERSION"}${config}}`), {
      env: { CNI_COMMAND: 'VERSION' },
      config: Buffer.alloc(0),
    });
  }
});

test('takes every configuration that base64 can carry', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const config = Buffer.from(bytes);
      assert.equal(parse(JSON.stringify({ env: {}, config: config.toString('base64') })).config, config);
    }),
  );
});

test('throws only TypeError for any body', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parse(text);
      } catch (error) {
        assert.instance(error, TypeError);
      }
    }),
  );
});

test("wraps a result as Multus's shim expects it, and answers nothing where there is none", () => {
  assert.is(formatWireResult('{"cniVersion":"1.0.0"}'), '{"Result":{"cniVersion":"1.0.0"}}');
  assert.is(formatWireResult(''), '');
});

test.run();
