import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { adopt } from '../../../../src/attach/foreign/adopt.ts';
import { parseForeignRecord } from '../../../../src/attach/foreign/foreign-record.ts';
import { ForeignRecord } from '../../../../src/attach/foreign/foreign-state.ts';
import { readCachedAttachments } from '../../../../src/attach/foreign/libcni-cache.ts';
import { NO_NETNS } from '../../../../src/attach/record-netns.ts';
import { parseArgs } from '../../../../src/cni/args.ts';
import { RawObject } from '../../../../src/cni/raw-json.ts';
import { parseMultusConfig } from '../../../../src/pod/multus-config.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

const CAPABILITIES = { ips: true, mac: true, portMappings: true, deviceID: true, infinibandGUID: true };

/** A configuration of one plugin that takes every request. */
const conf = (name: string) => ({ cniVersion: '1.0.0', name, type: 'x', capabilities: CAPABILITIES });

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');

function anEntry(name: string, more: object = {}): object {
  const { cniVersion, type } = conf(name);
  return { Conf: { cniVersion, name, type }, ConfList: {}, Name: name, Bytes: base64(conf(name)), ...more };
}

/** A file of libcni's cache. */
function writeCached(network: string, ifName: string, more: object = {}): void {
  const cached = { kind: 'cniCacheV1', containerId: 'c1', ifName, networkName: network, netns: '/run/netns/x' };
  const config = base64(conf(network));
  folder.write(
    `results/${network}-c1-${ifName}`,
    JSON.stringify({ ...cached, config, result: { of: ifName }, ...more }),
  );
}

/** What is on disk of container c1, with these entries in Multus's file. */
function foreign(...entries: object[]): ForeignRecord {
  const cached = readCachedAttachments(folder.at('results'), 'c1');
  const path = folder.at('c1');
  const file = entries.length === 0 ? undefined : parseForeignRecord(JSON.stringify(entries), path);
  return new ForeignRecord('c1', cached, file && { path, file });
}

const config = (more: object = {}) =>
  parseMultusConfig(
    RawObject.parse(JSON.stringify({ delegates: [conf('node')], confDir: folder.path, ...more }), 'configuration'),
  );

const adopter = (more: object = {}) => ({ config: config(more), name: 'multus', path: ['/opt/cni/bin'] });

const REQUEST = {
  netns: NO_NETNS,
  ifName: 'eth0',
  args: parseArgs('IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;MAC=02:00:00:00:00:09'),
};

const stdinOf = (record: ReturnType<typeof adopt>['record'], i: number) =>
  JSON.parse(record.attachments[i]?.steps[0]?.stdin ?? '');

// The wrong name would detach another network's interface.
test('names interfaces as Multus did: the first by CNI_IFNAME, the others by request or by position', () => {
  const file = foreign(anEntry('a'), anEntry('b', { ifnameRequest: 'foo' }), anEntry('a'));
  const { record } = adopt(file, adopter(), { ...REQUEST, ifName: 'eth7' });
  assert.equal(
    record.attachments.map(({ ifName, isDefault }) => [ifName, isDefault]),
    [
      ['eth7', true],
      ['foo', false],
      ['net2', false],
    ],
  );
  assert.is(record.ifName, 'eth7');
});

// GC and "multus ps" have no request for the container.
test('without a request the first interface is the one that libcni knows beside the others', () => {
  for (const ifName of ['net2', 'ens5', 'foo']) writeCached('a', ifName);
  const file = foreign(anEntry('a'), anEntry('a', { ifnameRequest: 'foo' }), anEntry('a'));
  const { record } = adopt(file, undefined, { netns: NO_NETNS });
  assert.equal(
    record.attachments.map(({ ifName, result }) => [ifName, result]),
    [
      ['ens5', '{"of":"ens5"}'],
      ['foo', '{"of":"foo"}'],
      ['net2', '{"of":"net2"}'],
    ],
  );
  assert.is(record.ifName, 'ens5');
});

// Multus forgets what was hot-plugged, and what is left when its own DEL failed.
test('takes what only libcni knows, behind the rest', () => {
  writeCached('a', 'eth0');
  writeCached('plugged', 'hot0', {
    cniArgs: [
      ['K8S_POD_NAMESPACE', 'prod'],
      ['K8S_POD_NAME', 'web'],
    ],
  });
  const { record, doubts, lost } = adopt(foreign(anEntry('a')), adopter(), REQUEST);
  assert.equal(
    record.attachments.map(({ network, ifName }) => `${network} ${ifName}`),
    ['a eth0', 'plugged hot0'],
  );
  assert.equal([doubts, lost], [[], []]);
  assert.equal(
    adopt(foreign(), undefined, { netns: NO_NETNS })
      .record.attachments.map(({ network }) => network)
      .sort(),
    ['a', 'plugged'],
  );
});

test('gives plugins the arguments of ADD from libcni', () => {
  const cniArgs = [
    ['IgnoreUnknown', 'true'],
    ['K8S_POD_NAME', ''],
    ['IgnoreUnknown', '1'],
    ['MAC', 'm'],
  ];
  writeCached('a', 'eth0', { cniArgs, capabilityArgs: { mac: 'm', unknown: 1, ips: ['10.0.0.1/24'] } });
  const { record } = adopt(foreign(anEntry('a')), adopter({ runtimeConfig: { portMappings: [] } }), REQUEST);
  assert.is(record.attachments[0]?.args, 'IgnoreUnknown=true;K8S_POD_NAME=;IgnoreUnknown=1;MAC=m');
  assert.equal(stdinOf(record, 0)['runtimeConfig'], { mac: 'm', ips: ['10.0.0.1/24'] });
});

test("without libcni's cache the arguments are the request's, with what the pod asked for", () => {
  const portMappings = [{ hostPort: 80, containerPort: 80 }];
  const requests = { macRequest: '02:00:00:00:00:01', ipRequest: ['10.0.0.5/24', 'fd00::5'] };
  const devices = { infinibandGUIDRequest: 'c2', deviceID: '0000:03:02.1' };
  const file = foreign(anEntry('a'), anEntry('b', { ...requests, ...devices }));
  const { record } = adopt(file, adopter({ runtimeConfig: { portMappings } }), REQUEST);
  assert.equal(
    record.attachments.map(({ args }) => args),
    [
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web',
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web;MAC=02:00:00:00:00:01;IP=10.0.0.5/24,fd00::5',
    ],
  );
  assert.equal(stdinOf(record, 0)['runtimeConfig'], { portMappings });
  assert.equal(stdinOf(record, 1)['runtimeConfig'], {
    portMappings,
    ips: requests.ipRequest,
    mac: requests.macRequest,
    infinibandGUID: 'c2',
    deviceID: '0000:03:02.1',
  });
  assert.is(record.pod, 'prod/web');
});

// A file that a hostile or damaged cache names would be removed on DEL.
test('keeps the device, and its file only where such files are', () => {
  const deviceInfoDir = folder.at('devinfo');
  const device = { deviceID: '0000:03:02.1', resourceName: 'intel.com/sriov' };
  for (const [file, kept] of [
    [`${deviceInfoDir}/cni/a-c1_eth0`, `${deviceInfoDir}/cni/a-c1_eth0`],
    [`${deviceInfoDir}/cni/../../c1`, ''],
    ['/etc/passwd', ''],
    [5, ''],
  ]) {
    writeCached('a', 'eth0', { capabilityArgs: { CNIDeviceInfoFile: file } });
    const [attachment] = adopt(foreign(anEntry('a', device)), adopter({ deviceInfoDir }), REQUEST).record.attachments;
    assert.is(attachment?.deviceInfoFile, kept);
    assert.equal(attachment?.device, { id: '0000:03:02.1', resourceName: 'intel.com/sriov' });
  }
});

test('what cannot be understood is told, and does not keep the rest', () => {
  const file = foreign(anEntry('a', { Bytes: base64({ name: 'a' }) }), anEntry('b'));
  const { record, lost } = adopt(file, adopter(), REQUEST);
  assert.equal(
    record.attachments.map(({ ifName }) => ifName),
    ['net1'],
  );
  assert.is(lost.length, 1);
  assert.match(lost[0] ?? '', /^network "a" on eth0: Cannot use configuration of network "a" .* "type" nor "plugins"/);
});

test.run();
