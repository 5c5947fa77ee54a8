import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { type AccessRules, authorisePlugins, authoriseReference } from '../../../src/pod/authorise.ts';
import { refusal } from '../cni/refusal.ts';

const OPEN: AccessRules = { namespaceIsolation: false, globalNamespaces: ['default'], allowedPlugins: undefined };
const ISOLATED: AccessRules = { ...OPEN, namespaceIsolation: true };

const refer = (namespace: string, rules: AccessRules) =>
  authoriseReference({ podNamespace: 'shop', namespace, name: 'lan' }, rules);

// Any pod author could join the network of another tenant.
test('refuses the definition of another namespace under isolation, and says what is allowed and what to do', () => {
  assert.equal(
    refusal(() => refer('bank', ISOLATED)),
    {
      code: 7,
      message:
        'Cannot use network "bank/lan" in a pod of namespace "shop": "namespaceIsolation" allows definitions of "shop", "default" only; ' +
        'move the definition, or add its namespace to "globalNamespaces"',
      details: '',
    },
  );
});

// Pods would lose the networks that everybody shares.
test('allows the own namespace and the global ones; a list of these replaces "default"', () => {
  refer('shop', ISOLATED);
  refer('default', ISOLATED);
  const others = { ...ISOLATED, globalNamespaces: ['nets', 'more'] };
  refer('more', others);
  assert.match(refusal(() => refer('default', others)).message, 'allows definitions of "shop", "nets", "more" only');
  refer('bank', OPEN);
});

const network = (text: string) => parseNetworkConfig(text, 'the definition');
const LIST = network('{"name":"n","plugins":[{"type":"macvlan","ipam":{"Type":"dhcp"}},{"type":"tuning"}]}');
const allowing = (entries: Record<string, string[]>): AccessRules => ({
  ...OPEN,
  allowedPlugins: new Map(Object.entries(entries)),
});
const refused = (entries: Record<string, string[]>) =>
  refusal(() => authorisePlugins('shop/lan', 'shop', LIST, allowing(entries))).message;

// Who may write definitions could run any program of the node's plugin folder as root.
test('refuses a plugin that is not listed for the namespace of the definition, its IPAM plugin included', () => {
  assert.is(
    refused({ shop: ['macvlan', 'dhcp'] }),
    'Cannot use network "shop/lan": namespace "shop" may not run plugin "tuning"; "allowedPlugins" has macvlan, dhcp for "shop"; add it there, or use another plugin',
  );
  assert.match(refused({ shop: ['macvlan', 'tuning'] }), 'may not run plugin "dhcp"');
  assert.match(refused({ '*': ['macvlan', 'tuning', 'dhcp'], shop: [] }), '"allowedPlugins" has none for "shop"');
  assert.match(refused({ bank: ['macvlan', 'tuning', 'dhcp'] }), '"allowedPlugins" has none for "*"');
});

// Go reads the second object into the first, and null as nothing: "dhcp" would run all the same.
test('refuses a plugin that a plugin would run, however its key is written, and one inside flannel’s delegate', () => {
  const hidden = [
    '"ipam":{"type":"dhcp"},"ipam":null',
    '"ipam":{"type":"dhcp"},"IPAM":{}',
    '"ipam":{"type":"dhcp"},"ipam":{"type":"static"}',
    '"ipam":{"type":"dhcp","Type":null}',
    '"delegate":{"type":"dhcp"}',
    '"delegate":{"type":"static","ipam":{"type":"dhcp"}}',
  ];
  const rules = allowing({ shop: ['macvlan', 'static'] });
  for (const members of hidden) {
    const one = network(`{"name":"n","type":"macvlan",${members}}`);
    assert.match(refusal(() => authorisePlugins('shop/lan', 'shop', one, rules)).message, 'may not run plugin "dhcp"');
  }
  for (const members of ['"ipam":{"type":"static"}', '"ipam":"dhcp"', '"ipam":[]', '"ipam":{"type":7}', '"ipam":{}']) {
    authorisePlugins('shop/lan', 'shop', network(`{"name":"n","type":"macvlan",${members}}`), rules);
  }
});

test('allows what is listed for the namespace, or for any other one', () => {
  const all = ['macvlan', 'tuning', 'dhcp'];
  authorisePlugins('shop/lan', 'shop', LIST, allowing({ shop: all, '*': [] }));
  authorisePlugins('shop/lan', 'shop', LIST, allowing({ bank: [], '*': all }));
  authorisePlugins('shop/lan', 'shop', LIST, OPEN);
});

test.run();
