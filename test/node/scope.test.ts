/** What a request may touch: a mistake here takes the network from a pod that lives. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isRoot, Lab } from '../lab/lab.ts';

async function inLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.create();
  try {
    await lab.addNetns('pod1');
    await lab.startDaemon();
    await work(lab);
  } finally {
    await lab.close();
  }
}

const names = async (lab: Lab, pod = 'pod1') => (await lab.links(pod)).map(({ ifname }) => ifname);

if (isRoot) {
  test('DEL of another interface or network of a container leaves its attachment alone', () =>
    inLab(async (lab) => {
      assert.is((await lab.cni('ADD')).code, 0);
      assert.is((await lab.cni('DEL', { ifName: 'eth1' })).code, 0);
      assert.is((await lab.cni('DEL', { config: JSON.stringify({ ...lab.config, name: 'other' }) })).code, 0);
      assert.equal(await names(lab), ['eth0']);
      assert.is((await lab.cni('DEL')).code, 0);
      assert.equal(await lab.leftovers('pod1'), []);
    }));

  test('GC of one multus network leaves the pods of another one alone', () =>
    inLab(async (lab) => {
      assert.is((await lab.cni('ADD')).code, 0);
      const other = { ...lab.config, name: 'other', cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] };
      assert.is((await lab.cni('GC', { config: JSON.stringify(other) })).code, 0);
      assert.equal(await names(lab), ['eth0']);
      assert.is((await lab.cni('DEL')).code, 0);
    }));

  // The kernel gives the inode of a namespace that is gone to the next one.
  test('DEL of a dead container leaves the namespace alone that came under the same path', () =>
    inLab(async (lab) => {
      assert.is((await lab.cni('ADD', { container: 'old' })).code, 0);
      await lab.deleteNetns('pod1');
      await lab.addNetns('pod1');
      assert.is((await lab.cni('ADD', { container: 'new' })).code, 0);
      assert.is((await lab.cni('DEL', { container: 'old' })).code, 0);
      assert.equal(await names(lab), ['eth0']);
      assert.is(lab.reservations().length, 1);
      assert.is((await lab.cni('DEL', { container: 'new' })).code, 0);
      assert.equal(await lab.leftovers('pod1'), []);
    }));

  test('DEL works with a configuration that ADD would refuse', () =>
    inLab(async (lab) => {
      assert.is((await lab.cni('ADD')).code, 0);
      const broken = { ...lab.config, delegates: [], verify: 'loud', runtimeConfig: 5 };
      assert.is((await lab.cni('DEL', { config: JSON.stringify(broken) })).code, 0);
      assert.equal(await lab.leftovers('pod1'), []);
    }));

  test('a delegate that is this plugin is refused: it would wait for the lock of its own ADD', () =>
    inLab(async (lab) => {
      const config = { ...lab.config, delegates: [{ cniVersion: '1.0.0', name: 'self', type: 'multus' }] };
      const { code, json } = await lab.cni('ADD', { config: JSON.stringify(config) });
      assert.equal([code, json.code], [1, 7]);
      assert.match(json.msg, /network "self": its plugin "multus" is the one that attaches it/);
    }));

  test('the daemon survives a request line that is no path', () =>
    inLab(async (lab) => {
      const { request } = await import('node:http');
      const status = await new Promise((resolve, reject) => {
        const asked = request({ socketPath: lab.socketPath, path: '//' }, ({ statusCode }) => resolve(statusCode));
        asked.once('error', reject).end();
      });
      assert.is(status, 404);
      assert.is((await lab.cni('VERSION')).code, 0);
    }));
} else {
  console.log('SKIPPED: scope.test.ts: needs root');
  test.skip('scope.test.ts: needs root', () => undefined);
}

test.run();
