import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../src/attach/journal.ts';
import { install } from '../../../src/cli/install.ts';
import { keepUninstalling } from '../../../src/cli/uninstall-report.ts';
import { bootId } from '../../../src/node/boot-id.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { until } from '../../lab/process.ts';
import { aDefaultAttachment, aRecord } from '../attach/records.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

const options = () => ({
  binDir: folder.at('bin'),
  cniDir: folder.at('state'),
  confDir: folder.at('net.d'),
  socketDir: folder.at('run'),
  log: new FakeLog(),
  path: process.env['PATH'],
  runtimeCache: folder.at('results'),
});

/** Start it, let `body` change the node, and end it. @returns what it said */
async function watching(body: (said: string[]) => Promise<void>): Promise<string[]> {
  const said: string[] = [];
  const ending = new AbortController();
  const ended = keepUninstalling(options(), (output) => said.push(output), ending.signal, 5);
  try {
    await body(said);
  } finally {
    ending.abort();
    await ended;
  }
  return said;
}

const CONF = JSON.stringify({ cniVersion: '1.0.0', name: 'node', type: 'multus' });

async function setUp(): Promise<void> {
  const programs = ['multus', 'multus-standalone', 'multus_native.node', 'multus-credentials.cjs', 'multus-yaml.cjs'];
  for (const name of programs) folder.write(`from/${name}`, '\x7fELF');
  chmodSync(folder.write('bin/ptp', '#!/bin/sh\n'), 0o755);
  await install({ from: folder.at('from'), binDir: folder.at('bin'), cniDir: folder.at('state') });
  folder.write('net.d/10-ptp.conf', CONF.replace('multus', 'ptp'));
  folder.write('net.d/00-multus.conf', CONF);
}

// A DaemonSet's pod that ended with 0 would be started again for ever, on a node that may be somebody else's by then.
test('--watch waits for the last pod, gives the node back, and leaves it alone from then on', async () => {
  await setUp();
  const journal = new Journal(folder.at('state'));
  await journal.write(
    aRecord({ bootId: bootId(), netnsPath: '/proc/self/ns/net', attachments: [aDefaultAttachment()] }),
  );
  const said = await watching(async (reports) => {
    await until('it waits for the pod', () => reports.some((one) => one.includes('waits for pod prod/web')));
    assert.ok(existsSync(folder.at('bin/multus')));
    journal.remove('c0ffee');
    await until('it says so', () => reports.some((one) => one.includes('verified: the node is given back')));
    folder.write('net.d/00-multus.conf', CONF); // somebody installs anew
    await new Promise((resolve) => setTimeout(resolve, 100)); // twenty looks, if there were any
  });
  assert.not.ok(existsSync(folder.at('bin/multus')));
  assert.ok(existsSync(folder.at('net.d/00-multus.conf')));
  assert.is(new Set(said).size, said.length, 'the same report is not told again and again');
});

// A full disk or a busy lock for a minute would leave the node half installed.
test('--watch goes on after what failed', async () => {
  await setUp();
  const list = readFileSync(folder.at('state/.install.json'));
  folder.remove('state/.install.json');
  folder.write('state/.install.json/in-the-way', '');
  await watching(async (reports) => {
    await until('it fails', () => reports.some((one) => one.startsWith('failed, tries again: ')));
    folder.remove('state/.install.json');
    folder.write('state/.install.json', list);
    await until('it is done', () => reports.some((one) => one.includes('verified')));
  });
  assert.not.ok(existsSync(folder.at('net.d/00-multus.conf')));
});

test.run();
