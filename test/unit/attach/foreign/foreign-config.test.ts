import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { recoverConfig } from '../../../../src/attach/foreign/foreign-config.ts';
import type { ForeignDelegate } from '../../../../src/attach/foreign/foreign-record.ts';
import type { CachedAttachment } from '../../../../src/attach/foreign/libcni-cache.ts';
import { parseNetworkConfig } from '../../../../src/cni/config.ts';
import { refusal } from '../../cni/refusal.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

/** A list "lan" whose bridge says where its text comes from. */
function list(from: string, types = ['bridge', 'tuning']): string {
  return JSON.stringify({ cniVersion: '1.0.0', name: 'lan', plugins: types.map((type) => ({ type, from })) });
}

function aDelegate(more: Partial<ForeignDelegate> = {}): ForeignDelegate {
  const requests = { mac: '', infinibandGuid: '', deviceId: '', resourceName: '', ips: [] };
  const names = { network: 'default/lan', configName: 'lan', ifName: 'net1', position: 1 };
  return { ...names, types: ['bridge', 'tuning'], texts: [], reduced: list('reduced'), ...requests, ...more };
}

function cache(config: string): CachedAttachment {
  const names = { containerId: 'c1', network: 'lan', ifName: 'net1', netns: '/run/netns/x' };
  return { path: '/x', writtenAt: new Date(0), ...names, config, args: [], capabilityArgs: {}, result: '{}' };
}

const node = (more: object = {}) => ({
  delegates: [],
  clusterNetwork: '',
  defaultNetworks: [],
  confDir: folder.at('confdir'),
  ...more,
});

/** Where the configuration was taken from, and whether that is doubted. */
function source(...args: Parameters<typeof recoverConfig>): [from: unknown, isDoubted: boolean] {
  const { config, doubt } = recoverConfig(...args);
  return [config.plugins[0]?.config.value('from'), doubt !== ''];
}

test('without any source that can be used the reason is told, and no plugin is run with nothing', () => {
  const { code, message } = refusal(() => recoverConfig(aDelegate({ reduced: '{}' }), undefined, node()));
  assert.is(code, 7);
  assert.match(message, 'configuration of network "default/lan" that another program left');
});

test("takes libcni's text, which ADD ran with, before the other program's", () => {
  const delegate = aDelegate({ texts: [list('file')] });
  assert.equal(source(delegate, cache(list('cache')), node()), ['cache', false]);
  for (const damaged of ['', '{', '{"name":"lan"}', '5']) {
    assert.equal(source(delegate, cache(damaged), node()), ['file', false], damaged);
  }
});

// libcni's text has not the plugins of the list's folder: their DEL would be left out.
test('passes over a text that has not all the plugins that ran', () => {
  const delegate = aDelegate({ texts: [list('file')] });
  assert.equal(source(delegate, cache(list('cache', ['bridge'])), node()), ['file', false]);
  assert.equal(source(aDelegate(), cache(list('cache', ['bridge'])), undefined), ['cache', true], 'rather than none');
});

test("a reduced list is read anew from the node's files, and that is told", () => {
  const path = folder.write('netd/1.conflist', list('path'));
  folder.write('confdir/2.conflist', list('confdir'));
  const delegates = [parseNetworkConfig(list('delegates'), 'x')];
  assert.equal(source(aDelegate(), undefined, node({ delegates })), ['delegates', true]);
  assert.equal(source(aDelegate(), undefined, node({ clusterNetwork: path })), ['path', true]);
  assert.equal(source(aDelegate(), undefined, node({ defaultNetworks: [folder.at('netd')] })), ['path', true]);
  assert.equal(source(aDelegate(), undefined, node({ clusterNetwork: 'lan' })), ['confdir', true]);
});

test('a file of the node that is another network by now is not taken for it', () => {
  folder.write('confdir/2.conflist', list('other', ['macvlan', 'tuning']));
  folder.write('confdir/3.conflist', '{');
  const { config, doubt } = recoverConfig(aDelegate(), undefined, node({ clusterNetwork: '/absent' }));
  assert.is(config.plugins[0]?.config.value('from'), 'reduced');
  assert.is(
    doubt,
    'only the names of its plugins are known: what they keep outside the pod may stay, addresses above all',
  );
});

test.run();
