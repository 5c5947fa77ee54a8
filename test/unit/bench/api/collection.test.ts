import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Collection } from '../../../bench/api/collection.ts';

interface List {
  metadata: { continue?: string };
  items: { metadata: { name: string } }[];
}

function listed(pods: Collection, query: string): [names: string, next: string | undefined] {
  const { metadata, items } = pods.list(new URLSearchParams(query)) as List;
  return [items.map(({ metadata: { name } }) => name).join(), metadata.continue];
}

// A daemon that gets a part for the whole would be measured with fewer pods than there are.
test('Collection.list() has pages, in all of which each object of the node is once', () => {
  const pods = new Collection('v1', 'Pod');
  for (const [i, nodeName] of ['a', 'b', 'a', 'a'].entries()) {
    pods.put({ metadata: { name: `p${i}` }, spec: { nodeName } });
  }
  const ofNode = 'fieldSelector=spec.nodeName%3Da';
  assert.equal(listed(pods, ''), ['p0,p1,p2,p3', undefined]);
  assert.equal(listed(pods, `${ofNode}&limit=3`), ['p0,p2,p3', undefined]);
  assert.equal(listed(pods, `${ofNode}&limit=2`), ['p0,p2', '2']);
  assert.equal(listed(pods, `${ofNode}&limit=2&continue=2`), ['p3', undefined]);
});

test.run();
