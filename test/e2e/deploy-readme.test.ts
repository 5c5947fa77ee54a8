/** The example of deploy/README.md, laid over the preset by kustomize. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { build, DEPLOY, only } from './lab/render.ts';

const chapter =
  readFileSync(join(DEPLOY, 'README.md'), 'utf8').split('## Keys of your own\n')[1]?.split('\n## ')[0] ?? '';
const example = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(chapter)?.[1] ?? '';

// The runtime would not find us: a key that is left out is the default folder again, on a node that has another.
test("deploy/README.md's own keys have all keys of the preset that they replace, and reach the daemon", async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'multus-deploy-readme-'));
  try {
    cpSync(DEPLOY, join(scratch, 'deploy'), { recursive: true });
    mkdirSync(join(scratch, 'cluster'));
    writeFileSync(join(scratch, 'cluster', 'kustomization.yaml'), example('yaml'));
    writeFileSync(join(scratch, 'cluster', 'daemon-config.json'), example('json'));
    const { data } = only(await build(join(scratch, 'cluster')), 'ConfigMap');
    const own = JSON.parse(data['daemon-config.json']);
    const preset = JSON.parse(readFileSync(join(DEPLOY, 'presets', 'k3s', 'daemon-config.json'), 'utf8'));
    assert.equal(own, { ...preset, hotplug: true });
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test.run();
