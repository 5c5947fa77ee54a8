import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { detachAll } from '../../../src/attach/detach.ts';
import { deviceInfoOf, dropDeviceInfo, placeDeviceInfo } from '../../../src/attach/device-info-files.ts';
import type { JournalAttachment } from '../../../src/attach/journal-record.ts';
import { CniCode, CniError } from '../../../src/cni/errors.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { FakeRunner, type FakeRunnerOptions } from '../../fakes/fake-runner.ts';
import { folderFor } from '../folder.ts';
import { anAttachment, aRecord } from './records.ts';

const folder = folderFor(test);

/** A network with a VF; its file is in the test's folder. */
function withDevice(more: Partial<JournalAttachment> = {}): JournalAttachment {
  const device = { id: '0000:3b:02.1', resourceName: 'intel.com/sriov' };
  return anAttachment({ device, deviceInfoFile: folder.at('cni', 'prod-data-c1_net1'), ...more });
}

const writeInfo = () => folder.write('dp/intel.com-sriov-0000:3b:02.1-device.json', '{"type":"pci"}');

test('gives an attachment the description of its device, and takes it away', () => {
  writeInfo();
  const attachment = withDevice();
  const log = new FakeLog();
  placeDeviceInfo(attachment, folder.path, log);
  assert.is(readFileSync(attachment.deviceInfoFile, 'utf8'), '{"type":"pci"}');
  assert.equal(deviceInfoOf(attachment, log), { type: 'pci' });
  dropDeviceInfo(attachment, log);
  dropDeviceInfo(attachment, log);
  assert.not.ok(existsSync(attachment.deviceInfoFile));
  assert.equal(log.entries, []);
});

test('an attachment without a device, or of a version that had none, leaves everything alone', () => {
  writeInfo();
  const log = new FakeLog();
  const { deviceInfoFile: _, ...old } = anAttachment();
  for (const attachment of [anAttachment(), old as JournalAttachment]) {
    placeDeviceInfo(attachment, folder.path, log);
    assert.is(deviceInfoOf(attachment, log), undefined);
    dropDeviceInfo(attachment, log);
  }
  assert.equal(log.entries, []);
  assert.not.ok(existsSync(folder.at('cni')));
});

// A full disk under /var/run must not keep pods from starting or ending.
test('what goes wrong with it is told and stops nothing', () => {
  writeInfo();
  const log = new FakeLog();
  const attachment = withDevice({ deviceInfoFile: `${folder.write('file', '')}/cni/x` });
  placeDeviceInfo(attachment, folder.path, log);
  dropDeviceInfo(attachment, log);
  assert.is(deviceInfoOf(withDevice({ deviceInfoFile: folder.write('odd', '[') }), log), undefined);
  assert.equal(
    log.of('device information').map((fields) => Object.keys(fields)),
    Array(3).fill(['network', 'ifName', 'error']),
  );
});

async function detach(attachment: JournalAttachment, plugin: FakeRunnerOptions): Promise<boolean> {
  folder.write('cni/prod-data-c1_net1', '{}');
  const record = aRecord({ attachments: [attachment] });
  const signal = new AbortController().signal;
  const runner = new FakeRunner(plugin);
  const options = { runner, netns: undefined, trace: {}, signal, log: new FakeLog() };
  await detachAll(record, [attachment], options);
  return existsSync(attachment.deviceInfoFile);
}

// Files of dead containers would fill the node's memory: /var/run is there.
test('goes with its attachment, and stays while that does', async () => {
  assert.is(await detach(withDevice(), {}), false);
  const absent = () => new CniError(CniCode.pluginNotFound, 'not installed');
  assert.is(
    await detach(withDevice({ state: 'attaching', result: '', detachFailures: 2 }), { onStart: absent }),
    false,
    'copied, then never run',
  );
  assert.is(await detach(withDevice(), { onFeed: () => ({ exitCode: 1 }) }), true, 'the next DEL needs it');
});

test.run();
