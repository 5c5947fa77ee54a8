import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  copyDeviceInfo,
  deviceInfoPath,
  pluginDeviceInfoPath,
  readDeviceInfo,
  removeDeviceInfo,
} from '../../../src/node/device-info.ts';
import { refusal } from '../cni/refusal.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);
const INFO = '{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:3b:02.1"}}';

const target = () => deviceInfoPath(folder.path, { network: 'prod/a', containerId: 'c1', ifName: 'net1' });
const modeOf = (path: string) => statSync(path).mode & 0o777;

// Definitions, and with them these names, are written by users.
test('no name leads out of the folder, and no two attachments share a file', () => {
  const name = fc.string({ unit: fc.constantFrom('.', '/', '-', '_', '\0', 'a'), maxLength: 12 });
  fc.assert(
    fc.property(name, name, (one, other) => {
      const paths = {
        cni: deviceInfoPath('/d', { network: one, containerId: 'c1', ifName: other }),
        dp: pluginDeviceInfoPath('/d', one, other),
      };
      for (const [sub, path] of Object.entries(paths)) {
        assert.is(dirname(path), `/d/${sub}`);
        assert.not.match(relative(`/d/${sub}`, path), /^\.*$|\/|\0/);
      }
    }),
  );
});

test('the files are named as device plugins and Multus name them', () => {
  assert.is(target(), folder.at('cni', 'prod-a-c1_net1'));
  const path = pluginDeviceInfoPath('/d', 'intel.com/sriov', '0000:3b:02.1');
  assert.is(path, '/d/dp/intel.com-sriov-0000:3b:02.1-device.json');
});

// Multus makes the folder with mode 0, which only root can look into.
test('the copy can be read by everybody, whatever is there already', () => {
  const from = folder.write('dp/x', INFO);
  const umask = process.umask(0o077);
  try {
    assert.is(copyDeviceInfo(from, target()), true);
  } finally {
    process.umask(umask);
  }
  assert.equal([modeOf(folder.at('cni')), modeOf(target())], [0o755, 0o444]);
  assert.equal(readdirSync(folder.at('cni')), ['prod-a-c1_net1'], 'nothing else is left');

  chmodSync(folder.at('cni'), 0);
  writeFileSync(from, '{}');
  writeFileSync(`${target()}.tmp`, 'of a copy that was cut short', { mode: 0 });
  assert.is(copyDeviceInfo(from, target()), true);
  assert.is(modeOf(folder.at('cni')), 0o755);
  assert.is(readFileSync(target(), 'utf8'), '{}');
  chmodSync(folder.at('cni'), 0o711);
  copyDeviceInfo(from, target());
  assert.is(modeOf(folder.at('cni')), 0o711, "somebody's choice stays");
});

test('a device plugin that describes nothing is no error', () => {
  assert.is(copyDeviceInfo(folder.at('dp', 'absent'), target()), false);
  assert.is(readDeviceInfo(target()), undefined);
  removeDeviceInfo(target());
});

test('what cannot be read, written or removed is told by its path', () => {
  mkdirSync(folder.at('dp'));
  const from = folder.at('dp');
  assert.match(refusal(() => copyDeviceInfo(from, target())).message, `Cannot read device information ${from}: EISDIR`);
  const file = folder.write('file', INFO);
  const below = `${file}/cni/x`;
  const { code, message } = refusal(() => copyDeviceInfo(file, below));
  assert.is(code, 5);
  assert.match(message, `Cannot write device information ${below}: `);
  mkdirSync(target(), { recursive: true });
  assert.match(refusal(() => copyDeviceInfo(file, target())).message, `Cannot write device information ${target()}: `);
  assert.equal(readdirSync(folder.at('cni')), ['prod-a-c1_net1'], 'the draft is gone');
  assert.match(refusal(() => removeDeviceInfo(target())).message, `Cannot remove device information ${target()}: `);
});

test('reads what a plugin made of it, and refuses what is not an object', () => {
  folder.write('cni/prod-a-c1_net1', INFO);
  assert.equal(readDeviceInfo(target()), JSON.parse(INFO));
  for (const [text, problem] of [
    ['{"type":', /^Cannot parse device information /],
    ['', /^Cannot parse device information /],
    ['[]', /: it must be a JSON object, got an array$/],
    ['null', /: it must be a JSON object, got null$/],
  ] as const) {
    writeFileSync(target(), text);
    const { code, message } = refusal(() => readDeviceInfo(target()));
    assert.is(code, 6, text);
    assert.match(message, problem);
    assert.match(message, target());
  }
  removeDeviceInfo(target());
  assert.is(readDeviceInfo(target()), undefined);
  rmSync(folder.at('cni'), { recursive: true });
  removeDeviceInfo(target());
});

test.run();
