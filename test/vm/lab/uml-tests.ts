/**
 * Which tests run in user-mode Linux. A process costs there three to ten times what it costs outside, so those of
 * `test/node` are chosen by what another kernel could change.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const NODE_TESTS = join(import.meta.dirname, '..', '..', 'node');

/** Files of `test/node` that run: links, addresses, routes and namespaces of pods, made, compared, renamed, undone. */
const CHOSEN = ['attach', 'byte-exact', 'scope', 'verify'];

/** Those that do not, and why. */
const LEFT_OUT: Record<string, readonly string[]> = {
  'what it is about happens before a plugin runs, or outside of the kernel': [
    ...['bad-input', 'daemon-config', 'demo', 'devices', 'endpoints', 'logging', 'node-config', 'publish', 'skew'],
  ],
  'what it asks of the kernel is asked by a chosen one': [
    ...['first-install', 'foreign', 'hotplug', 'hotplug-built-in', 'networks', 'seeds', 'status', 'tke', 'weak-points'],
  ],
  'its plugins print 100 MB and its time limits are those of a fast machine': ['rollback'],
  'it ends and starts daemons many times, which takes minutes there': ['chaos', 'doors', 'install', 'upgrade'],
};

/** @throws Error when a file of `test/node` is in no list, or one of a list is not there */
function chosen(): string[] {
  const listed = [...CHOSEN, ...Object.values(LEFT_OUT).flat()].sort();
  const present = readdirSync(NODE_TESTS).map((file) => file.replace(/\.test\.ts$/, ''));
  const wrong = [...listed, ...present].filter((name) => !listed.includes(name) || !present.includes(name));
  if (wrong.length > 0) throw new Error(`test/vm/lab/uml-tests.ts and test/node differ in ${wrong.join(', ')}`);
  return CHOSEN.map((name) => `test/node/${name}.test.ts`);
}

/** Of 6.1: what differs there. A link is taken down to be renamed; no netdevsim; and it takes twice the time of 7.x. */
const BEFORE_RENAMES_OF_LIVE_LINKS = [
  'build/Release/core_test',
  'test/native/addresses-routes.test.ts',
  'test/native/links.test.ts',
  'test/native/netns.test.ts',
  'test/native/probe.test.ts',
  'test/vm/in-uml/links.test.ts',
  'test/node/verify.test.ts',
];

/** @param kernel one of `UML_KERNELS` */
export function umlTests(kernel: string): readonly string[] {
  if (kernel === '6.1') return BEFORE_RENAMES_OF_LIVE_LINKS;
  return ['build/Release/core_test', 'test/native', 'test/vm/in-uml', ...chosen()];
}
