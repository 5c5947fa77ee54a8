import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RawObject } from '../../../src/cni/raw-json.ts';
import { parseRequest } from '../../../src/cni/request.ts';
import { type Overlay, overlaid, overlayOf } from '../../../src/pod/overlay.ts';

const overlay = (text: string, generates = false): Overlay => overlayOf(RawObject.parse(text, 'file'), generates);

function request(config: string) {
  return parseRequest(
    { CNI_COMMAND: 'STATUS', CNI_PATH: '/opt/cni/bin' },
    Buffer.from(`{"cniVersion":"1.1.0","name":"multus","type":"multus"${config}}`),
  );
}

// Plugins of pods get `runtimeConfig`, and a daemon-wide one would take the pods' annotations away.
test('overlayOf() leaves out what says which request it is, and what the runtime says of it, in any letter case', () => {
  const text = `{"cniVersion":"0.3.1","NAME":"other","Type":"multus-shim","runtimeConfig":{"mac":"x"},"prevResult":{},
    "cni.dev/valid-attachments":[],"CNI.dev/attachments":[],"binDir":"/b"}`;
  assert.equal(overlay(text), { binDir: '"/b"' });
});

test('overlayOf() leaves out what only the server and the generator read', () => {
  const text = `{"chrootDir":"/h","socketDir":"/s","metricsPort":1,"enablePprof":true,"connectionLimit":3,"hotplug":true,
    "perNodeCertificate":{},"cniConfigDir":"/c","multusConfigFile":"auto","multusAutoconfigDir":"/a",
    "multusMasterCNI":"x","forceCNIVersion":true,"overrideNetworkName":true}`;
  assert.equal(overlay(text), {});
});

// Every ADD would wait for a file that the daemon watches itself.
test('overlayOf() leaves readinessindicatorfile out while the daemon generates the configuration', () => {
  const text = '{"ReadinessIndicatorFile":"/ready"}';
  assert.equal(overlay(text, true), {});
  assert.equal(overlay(text, false), { ReadinessIndicatorFile: '"/ready"' });
});

// Go takes null for nothing said: the request's own value would be lost.
test('overlayOf() takes null for nothing said', () => {
  assert.equal(overlay('{"cniDir":null,"binDir":""}'), { binDir: '""' });
});

test('overlaid() replaces keys regardless of case, byte for byte, and leaves the others as they are', () => {
  const over = overlay('{"CNIDIR": "\\u002fx", "limit": 18446744073709551616, "a" : { "b":1.0 } }');
  const config = overlaid(request(', "cniDir" : "/y", "keep": 1e2').config, over);
  assert.is(
    config.text,
    '{"cniVersion":"1.1.0","name":"multus","type":"multus", "CNIDIR" : "\\u002fx", "keep": 1e2' +
      ',"limit":18446744073709551616,"a":{ "b":1.0 }}',
  );
  assert.is(config.value('cnidir'), '/x');
});

// The runtime would take the answer for garbage.
test('overlaid() leaves the version of the answer and the name of the network alone', () => {
  const before = request(',"binDir":"/y"').config;
  const after = overlaid(before, overlay('{"cniVersion":"0.3.1","name":"other","binDir":"/b"}'));
  assert.equal([after.value('cniVersion'), after.value('name')], ['1.1.0', 'multus']);
  assert.is(after.value('binDir'), '/b');
  assert.is(before.value('binDir'), '/y', 'one request must not change another one');
});

test.run();
