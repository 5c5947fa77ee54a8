import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseHotplugRequest } from '../../../../src/attach/hotplug/hotplug-request.ts';
import { onlyCniErrors, refusal } from '../../cni/refusal.ts';

const ENV = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c0ffee',
  CNI_NETNS: '/run/netns/x',
  CNI_IFNAME: 'hot0',
  CNI_ARGS: 'K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web',
};

function body(changes: Record<string, unknown> = {}): Buffer {
  const config = Buffer.from('{"name":"n","type":"t"}').toString('base64');
  return Buffer.from(JSON.stringify({ env: ENV, config, interfaceAttributes: null, ...changes }));
}

const env = (changes: Record<string, string>) => body({ env: { ...ENV, ...changes } });

test('parseHotplugRequest() refuses commands that it does not know: a GC would find nothing valid', () => {
  for (const command of ['GC', 'VERSION', 'add', 'toString']) {
    const { code, message } = refusal(() => parseHotplugRequest(env({ CNI_COMMAND: command })));
    assert.is(code, 4);
    assert.match(message, `CNI_COMMAND "${command}" is unknown, it must be one of ADD, DEL, CHECK, STATUS`);
  }
});

test('parseHotplugRequest() names all variables that a command lacks', () => {
  const without = (command: string) => refusal(() => parseHotplugRequest(body({ env: { CNI_COMMAND: command } })));
  const needs = (command: string, names: string) =>
    assert.match(without(command).message, `${command} needs ${names}, which is not set`);
  needs('ADD', 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_ARGS');
  needs('DEL', 'CNI_CONTAINERID, CNI_IFNAME');
  needs('CHECK', 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME');
  assert.is(parseHotplugRequest(body({ env: { CNI_COMMAND: 'STATUS' } })).containerId, '');
});

test('parseHotplugRequest() refuses attributes of another type by their names', () => {
  const cases: [unknown, string][] = [
    [[], 'key "interfaceAttributes" must be an object'],
    ['x', 'key "interfaceAttributes" must be an object'],
    [{ ips: '10.0.0.1' }, 'field "ips" of "interfaceAttributes" must be a list of strings'],
    [{ ips: ['10.0.0.1', 'x'] }, 'field "ips" of "interfaceAttributes" must be IP addresses or CIDRs'],
    [{ mac: '02:00' }, 'field "mac" of "interfaceAttributes" must be six octets'],
    [{ 'cni-args': [] }, 'field "cni-args" of "interfaceAttributes" must be an object'],
  ];
  for (const [interfaceAttributes, message] of cases) {
    const error = refusal(() => parseHotplugRequest(body({ interfaceAttributes })));
    assert.is(error.code, 7);
    assert.match(error.message, message);
  }
});

test('parseHotplugRequest() throws only CniError', () => {
  const value = fc.oneof(fc.jsonValue(), fc.constant(undefined));
  fc.assert(
    fc.property(fc.record({ env: value, config: value, interfaceAttributes: value }), (changes) =>
      onlyCniErrors(() => parseHotplugRequest(body(changes))),
    ),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => onlyCniErrors(() => parseHotplugRequest(Buffer.from(bytes)))));
});

// Go's clients write null for an absent pointer, and leave empty lists and texts away or write them.
test('parseHotplugRequest() takes what is absent, null and empty for nothing asked', () => {
  const nothing = { ips: [], mac: '', cniArgs: undefined };
  for (const attributes of [undefined, null, {}, { ips: [], mac: '', 'cni-args': null }, { ips: null, mac: null }]) {
    assert.equal(parseHotplugRequest(body({ interfaceAttributes: attributes })).attributes, nothing);
  }
});

test('parseHotplugRequest() needs no CNI_PATH, and gives the container no name of a network', () => {
  const { path, name, cniVersion, ifName } = parseHotplugRequest(body());
  assert.equal([path, name, cniVersion, ifName], [[], '', '1.1.0', 'hot0']);
});

test.run();
