// An operator who means one VF must not be told of another one, nor that all is well because none was looked at.
import { statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { selectionOf, UsageError } from '../../../../src/cli/sriov/verify-selection.ts';

function refusal(options: Parameters<typeof selectionOf>[0]): string {
  try {
    return JSON.stringify(selectionOf(options));
  } catch (error) {
    assert.instance(error, UsageError);
    return (error as Error).message;
  }
}

test('exactly one selector is wanted, and what narrows it goes with its own only', () => {
  assert.match(refusal({}), 'exactly one of --pod, --netns, --pf, --pci, --node must be given, got none');
  assert.match(refusal({ node: true, pf: 'eth1' }), 'got --pf and --node');
  assert.match(refusal({ node: true, vf: 0 }), "option '--vf' goes with --pf only");
  assert.match(refusal({ pf: 'eth1', network: 'x' }), "option '--network' goes with --pod only");
  assert.match(refusal({ pod: 'a', ifname: 'x' }), "option '--ifname' goes with --netns only");
});

test('a pod without a namespace is in "default"; what is no name of a pod is refused', () => {
  assert.equal(selectionOf({ pod: 'web', network: 'north' }), { kind: 'pod', pod: 'default/web', network: 'north' });
  assert.equal(selectionOf({ pod: 'prod/web' }), { kind: 'pod', pod: 'prod/web' });
  for (const pod of ['', '/', 'a/', '/a', 'a/b/c'])
    assert.match(refusal({ pod }), "option '--pod' must be [namespace/]name", pod);
});

test('PCI addresses are taken as lspci prints them; what is none is refused, and may be the name of a PF', () => {
  assert.equal(selectionOf({ pci: '01:10.0' }), { kind: 'pci', address: '0000:01:10.0' });
  assert.equal(selectionOf({ pci: '0001:0A:10.7' }), { kind: 'pci', address: '0001:0a:10.7' });
  assert.match(refusal({ pci: 'eth1' }), 'must be a PCI address such as 0000:01:10.0, got "eth1"');
  assert.equal(selectionOf({ pf: '01:00.0', vf: 0 }), { kind: 'pf', pf: '0000:01:00.0', vf: 0 });
  assert.equal(selectionOf({ pf: 'enp2s0' }), { kind: 'pf', pf: 'enp2s0' });
});

test('a namespace is given by process, path or name; what leads to none is told apart from one without VFs', () => {
  const { dev, ino } = statSync('/proc/self/ns/net', { bigint: true });
  const netns = { dev: String(dev), ino: String(ino) };
  const path = `/proc/${process.pid}/ns/net`;
  assert.equal(selectionOf({ netns: String(process.pid) }), { kind: 'netns', path, netns });
  assert.equal(selectionOf({ netns: path, ifname: 'net1' }), { kind: 'netns', path, netns, ifName: 'net1' });
  assert.equal(selectionOf({ netns: 'gone' }), { kind: 'netns', path: '/run/netns/gone', netns: undefined });
  assert.equal(selectionOf({ netns: '/etc/passwd' }), { kind: 'netns', path: '/etc/passwd', netns: undefined });
});

test.run();
