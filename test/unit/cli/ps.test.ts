import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ps } from '../../../src/cli/ps.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const conf = { cniVersion: '1.0.0', name: 'lan', type: 'bridge' };

// The operator would take a pod for detached whose file is damaged.
test('shows what is known of what Multus attached, and what is not', () => {
  const entry = { Conf: conf, ConfList: {}, Name: 'default/lan', Bytes: base64(conf) };
  folder.write('c1', JSON.stringify([{ ...entry, Bytes: 'x' }, entry]));
  const result = { interfaces: [{ name: 'net1', sandbox: '/x' }], ips: [{ address: '10.0.0.2/24', interface: 0 }] };
  const cached = { kind: 'cniCacheV1', containerId: 'c1', networkName: 'lan', ifName: 'net1', config: base64(conf) };
  folder.write('results/lan-c1-net1', JSON.stringify({ ...cached, result: { cniVersion: '1.0.0', ...result } }));
  const { output, errors, exitCode } = ps({ cniDir: folder.path });
  assert.is(exitCode, 1);
  const rows = output.split('\n').map((line) => line.split(/ {2,}/).slice(0, 6));
  assert.equal(rows[1], ['c1', '-', 'default/lan', 'net1', 'attached (by Multus)', '10.0.0.2/24']);
  const problem = 'key "Bytes" must be base64, got 1 characters that are not';
  assert.is(errors, `Cannot use entry 1 of ${folder.at('c1')}: ${problem}\n`);
  const { containers, unreadable } = JSON.parse(ps({ cniDir: folder.path, json: true }).output);
  assert.equal([containers[0].attachedBy, containers[0].attachments.length, unreadable.length], ['Multus', 1, 1]);
});

test('says that it is unknown whether something is attached without a result', () => {
  folder.write('c1', JSON.stringify([{ Conf: conf, ConfList: {}, ifnameRequest: 'eth0', Bytes: base64(conf) }]));
  const { output, exitCode } = ps({ cniDir: folder.path });
  assert.is(exitCode, 0);
  assert.match(output, 'c1         -    lan      eth0    unknown (by the TKE fork of Multus)');
});

test.run();
