/** The demo, as far as it needs no node of its own: it makes one on the machine, and one at a time. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dropStatusFolders } from '../demo/kept.ts';
import { run } from '../lab/process.ts';

const DEMO = fileURLToPath(new URL('../demo/demo.ts', import.meta.url));

// Somebody who mistypes the folder would read "ENOENT … scandir", after the demo had begun.
test('the demo says that the folder of manifests is not there', async () => {
  const { code, stdout, stderr } = await run(process.execPath, ['--import', 'tsx', DEMO, '--manifests', '/nope']);
  assert.equal([code, stdout, stderr], [1, '', 'demo: cannot read --manifests /nope: there is no such folder\n']);
});

// A folder of the checkout, or of the user's own manifests, would keep an empty folder for ever.
test('the demo takes folders of statuses away when nothing is in them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'multus-demo-test-'));
  try {
    const [empty, full, none] = ['empty', 'full', 'none'].map((name) => join(folder, name)) as [string, string, string];
    for (const path of [empty, full]) mkdirSync(join(path, 'status'), { recursive: true });
    mkdirSync(none);
    writeFileSync(join(full, 'status', 'kept.json'), '');
    assert.equal(dropStatusFolders([empty, full, none]), [join(full, 'status')]);
    assert.equal(readdirSync(empty), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
