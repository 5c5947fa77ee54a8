import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatRecord, type JournalAttachment, type JournalRecord } from '../../../../src/attach/journal-record.ts';
import { type ClaimOptions, collectClaims } from '../../../../src/cli/sriov/claims.ts';
import { writeSnapshot } from '../../../../src/cluster/snapshot/definitions-snapshot.ts';
import { sourceSettings } from '../../../../src/cluster/sources.ts';
import { bootId } from '../../../../src/node/boot-id.ts';
import { aDefaultAttachment, anAttachment, aRecord } from '../../attach/records.ts';
import { folderFor } from '../../folder.ts';
import { CACHE } from '../../sriov/claims/sriov-cache.ts';

const folder = folderFor(test);
const VF = '0000:01:10.0';

const collect = (more: Partial<ClaimOptions> = {}) =>
  collectClaims({ cniDir: folder.path, sriovDir: folder.at('sriov'), confDirs: [folder.at('conf')], ...more });

const sriov = (more: object) => ({ cniVersion: '1.0.0', name: 'north', type: 'sriov', ...more });

/** The network "prod/north" on net1, as it is sent to sriov-cni. */
function north(sent: object, more: Partial<JournalAttachment> = {}): JournalAttachment {
  const source = JSON.stringify(sriov(sent));
  const names = { network: 'prod/north', configName: 'north', source };
  return anAttachment({ ...names, steps: [{ type: 'sriov', stdin: source }], ...more });
}

function journal(attachment: JournalAttachment, more: Partial<JournalRecord> = {}): void {
  const record = aRecord({ bootId: bootId(), attachments: [aDefaultAttachment(), attachment], ...more });
  folder.write(record.containerId, formatRecord(record));
}

const manifests = (config: object) => {
  const metadata = { namespace: 'prod', name: 'north' };
  const spec = { config: JSON.stringify(config) };
  const definition = { apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition', metadata, spec };
  folder.write('manifests/north.yaml', JSON.stringify(definition));
  return folder.at('manifests');
};

const shown = async (more?: Partial<ClaimOptions>) => {
  const { claims, problems } = await collect(more);
  assert.equal(problems, []);
  return claims.map(({ source, pod, ifName, address, settings }) => [source, pod, ifName, address, settings?.vlan]);
};

// Without the journal's word a VF has no pod, and nobody compares it with what its pod asked for.
test('collectClaims() joins journal, sriov-cni and the definition as it is now', async () => {
  journal(north({ deviceID: VF, vlan: 210 }));
  folder.write('sriov/c0ffee-net1', JSON.stringify(CACHE));
  folder.write(`sriov/pci/${VF}`, '/run/netns/x');
  assert.equal(await shown({ manifests: manifests(sriov({ vlan: 211 })) }), [
    ['pci-file', 'prod/web', 'net1', VF, undefined],
    ['sriov-cache', 'prod/web', 'net1', VF, 210],
    ['journal', 'prod/web', 'net1', VF, 210],
    ['definition', 'prod/web', 'net1', VF, 211],
  ]);
  const [, , ofJournal] = (await collect()).claims;
  assert.equal(ofJournal?.netns, { dev: '4', ino: '4026532000' });
  assert.is(ofJournal?.origin, `journal ${folder.at('c0ffee')}`);
});

// A MAC address that the pod asked for would count as one that nobody wants.
test('collectClaims() adds to a definition what the pod asked of it', async () => {
  const runtimeConfig = { mac: '02:00:00:00:00:10' };
  journal(north({ deviceID: VF, capabilities: { mac: true }, runtimeConfig }));
  const { claims } = await collect({ manifests: manifests(sriov({ capabilities: { mac: true } })) });
  assert.equal(claims.at(-1)?.settings, { mac: '02:00:00:00:00:10' });
});

// TKE's `if0` names no VF: without ADD's word "north" has none, and what was on a VF before would be called a leftover.
test('collectClaims() knows the VF that a plugin chose, and what a VF was before its pod', async () => {
  const vf = { address: VF, pfAddress: '0000:01:00.0', pf: 'enp2s0', index: 0 };
  journal(north({ if0: 'enp2s0', vlan: 210 }, { vf: { ...vf, hostName: undefined, settings: { vlan: 0 } } }));
  const [chosen] = (await collect()).claims;
  assert.equal([chosen?.address, chosen?.settings?.vlan, chosen?.original], [VF, 210, undefined]);
  journal(north({ deviceID: VF, vlan: 210 }, { vf: { ...vf, hostName: 'enp2s0v0', settings: { vlan: 5 } } }));
  const [given] = (await collect()).claims;
  assert.equal([given?.address, given?.original], [VF, { hostName: 'enp2s0v0', settings: { vlan: 5 } }]);
});

// On a node that cannot reach its cluster the command would know nothing of what was asked for.
test('collectClaims() asks nobody with --offline, and reads the definitions on disk', async () => {
  const kubeconfig = folder.at('absent');
  journal(north({ deviceID: VF }), {
    source: sourceSettings({ manifestsDir: '', kubeconfig, kubernetes: true, cniDir: '' }),
  });
  assert.equal(await shown({ offline: true }), [['journal', 'prod/web', 'net1', VF, undefined]]);
  const config = JSON.stringify(sriov({ vlan: 7 }));
  await writeSnapshot(folder.path, [{ namespace: 'prod', name: 'north', config, annotations: {} }]);
  assert.equal((await shown({ offline: true })).at(-1), ['definition', 'prod/web', 'net1', VF, 7]);
});

test('collectClaims() says whose definition is gone, or has no VF any more', async () => {
  journal(north({ deviceID: VF }));
  const gone = await collect({ manifests: folder.at('empty') });
  assert.match(gone.problems.join(), 'network "prod/north" of prod/web: its definition is not known: ');
  const other = await collect({ manifests: manifests({ cniVersion: '1.0.0', name: 'north', type: 'bridge' }) });
  assert.equal(other.problems, [
    'network "prod/north" of prod/web: as it is defined now, none of its plugins sets up a VF',
  ]);
});

// TKE's nodes have no definitions: their networks are files, and the plugin of 2017 knows no addresses.
test('collectClaims() reads the networks of the TKE fork', async () => {
  journal(north({ if0: 'enp2s0', l2enable: true, vlan: 210 }, { network: 'north', ifName: 'north' }));
  folder.write('conf/north.conf', JSON.stringify(sriov({ if0: 'enp2s0', vlan: 210 })));
  assert.equal(await shown(), [
    ['journal', 'prod/web', 'north', '', 210],
    ['definition', 'prod/web', 'north', '', 210],
  ]);
  const [claim] = (await collect()).claims;
  assert.equal([claim?.pf, claim?.netns?.ino], ['enp2s0', '4026532000']);
});

// Pods that Multus attached before the node became ours would have nameless VFs.
test('collectClaims() knows what Multus attached', async () => {
  const config = Buffer.from(JSON.stringify(sriov({ deviceID: VF, vlan: 210 }))).toString('base64');
  const cniArgs = [
    ['K8S_POD_NAMESPACE', 'prod'],
    ['K8S_POD_NAME', 'web'],
  ];
  const cached = { kind: 'cniCacheV1', containerId: 'c1', networkName: 'north', ifName: 'net1', config, cniArgs };
  folder.write('results/north-c1-net1', JSON.stringify({ ...cached, netns: '/run/netns/gone' }));
  assert.equal(await shown(), [['journal', 'prod/web', 'net1', VF, 210]]);
  const [claim] = (await collect()).claims;
  assert.equal([claim?.origin, claim?.netnsPath], [`journal ${folder.at('c1')} (of Multus)`, '/run/netns/gone']);
});

// The VF of a container before the reboot belongs to nobody: its namespace's number may be another's by now.
test('collectClaims() marks what is of an earlier boot, or being detached', async () => {
  journal(north({ deviceID: VF }), { bootId: 'earlier' });
  journal(north({ deviceID: VF }, { state: 'detaching' }), { containerId: 'c1' });
  const { claims } = await collect();
  assert.equal(
    claims.map(({ isEnded, netns }) => [isEnded, netns?.ino]),
    [
      [true, undefined],
      [true, '4026532000'],
    ],
  );
});

test('collectClaims() finds a VF of which only its device information tells', async () => {
  const deviceInfoFile = folder.write('devinfo/cni/x', JSON.stringify({ type: 'pci', pci: { 'pci-address': VF } }));
  const steps = [{ type: 'somebodys', stdin: '{"name":"north","type":"somebodys"}' }];
  journal(north({}, { steps, deviceInfoFile }));
  assert.equal(await shown(), [['journal', 'prod/web', 'net1', VF, undefined]]);
});

// One damaged record would hide every other pod's VF.
test('collectClaims() names records that it cannot use, and goes on', async () => {
  journal(north({ deviceID: VF }));
  folder.write('c1', '[{"multusNative":{');
  folder.write('sriov/c1-net1', '{');
  const { claims, problems } = await collect();
  assert.is(claims.length, 1);
  assert.is(problems.length, 2);
  assert.match(problems[0] ?? '', `Cannot parse sriov-cni cache ${folder.at('sriov/c1-net1')}`);
  assert.match(problems[1] ?? '', `Cannot use journal file ${folder.at('c1')}`);
});

test('collectClaims() puts what the command line asks for last', async () => {
  const conf = folder.write('conf/given.conf', JSON.stringify(sriov({ vlan: 5 })));
  assert.equal(await shown({ conf, expect: { vlan: 6 } }), [
    ['conf', '', '', '', 5],
    ['expect', '', '', '', 6],
  ]);
});

test('collectClaims() refuses a configuration that takes no VF', async () => {
  const conf = folder.write('conf/given.conf', JSON.stringify({ cniVersion: '1.0.0', name: 'lan', type: 'bridge' }));
  const problem = 'none of its plugins (bridge) is known to set up a VF; one of type sriov must be among them';
  const error = await collect({ conf }).then(
    () => new Error('it was taken'),
    (reason: Error) => reason,
  );
  assert.is(error.message, `Cannot use --conf ${conf}: ${problem}`);
});

test.run();
