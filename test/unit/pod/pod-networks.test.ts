import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AnnotationPolicy } from '../../../src/pod/multus-config.ts';
import { podNetworks } from '../../../src/pod/pod-networks.ts';
import { refusal } from '../cni/refusal.ts';

const TKE = 'tke.cloud.tencent.com/networks';
const NPWG = 'k8s.v1.cni.cncf.io/networks';
const DEFAULT = 'v1.multus-cni.io/default-network';

interface Options {
  annotationPolicy?: AnnotationPolicy;
  dialect?: 'npwg' | 'tke';
}

function networks(annotations: Record<string, string>, { annotationPolicy = 'reject', dialect = 'tke' }: Options = {}) {
  const pod = { namespace: 'prod', name: 'web', uid: '' };
  return podNetworks(annotations, pod, { annotationPolicy, dialect, multusNamespace: 'kube-system' });
}

/** "tke: a; default: kube-system/b; additional: prod/c", with what is not set left out. */
function shown(annotations: Record<string, string>, options?: Options): string {
  const { tke, defaultNetwork, additional } = networks(annotations, options);
  const names = (list: readonly { namespace: string; name: string }[]) =>
    list.map(({ namespace, name }) => (namespace === '' ? name : `${namespace}/${name}`)).join(',');
  return [
    ...(tke === undefined ? [] : [`tke: ${names(tke)}`]),
    ...(defaultNetwork === undefined ? [] : [`default: ${names([defaultNetwork])}`]),
    ...(additional.length === 0 ? [] : [`additional: ${names(additional)}`]),
  ].join('; ');
}

const BOTH = { [TKE]: 'a,b', [NPWG]: 'x,lab/y' };

test('both annotations on one pod are refused by default: one of them would be lost, and nobody would know which', () => {
  for (const dialect of ['tke', 'npwg'] as const) {
    assert.equal(
      refusal(() => networks(BOTH, { dialect })),
      {
        code: 7,
        message:
          `Cannot tell which networks pod prod/web wants: it has both annotation ${TKE} and ${NPWG}; ` +
          'remove one, or set "annotationPolicy" to "tke", "npwg" or "merge" in the multus configuration',
        details: '',
      },
    );
  }
  assert.match(refusal(() => networks({ [TKE]: 'a', [DEFAULT]: 'b' })).message, `and ${DEFAULT}; remove one`);
});

test("the TKE annotation on a node of Multus's is refused by default: it would replace the node's default network", () => {
  assert.equal(
    refusal(() => networks({ [TKE]: 'a' }, { dialect: 'npwg' })),
    {
      code: 7,
      message:
        `Cannot use annotation ${TKE} of pod prod/web: this node's configuration names its networks by "delegates" or "clusterNetwork"; ` +
        'set "annotationPolicy" to "tke" or "merge" to let pods choose by it, to "npwg" to ignore it',
      details: '',
    },
  );
});

test('an empty list in the TKE annotation is refused on every node that reads it', () => {
  for (const annotationPolicy of ['reject', 'tke', 'merge'] as const) {
    const { code, message } = refusal(() => networks({ [TKE]: ' [ ] ' }, { annotationPolicy }));
    assert.is(code, 7);
    assert.match(message, `Cannot use annotation ${TKE} of pod prod/web: it must name at least one network`);
  }
});

test('a default-network annotation where the TKE list or the TKE node has eth0 is refused', () => {
  const message = `Cannot use annotation ${DEFAULT} of pod prod/web: the default network of this pod is named by the rules of ${TKE}; name it there`;
  assert.is(refusal(() => networks({ [DEFAULT]: 'b' })).message, message);
  const both = { [TKE]: 'a', [DEFAULT]: 'b' };
  assert.is(refusal(() => networks(both, { annotationPolicy: 'merge', dialect: 'npwg' })).message, message);
});

/** What each policy makes of the pods of both kinds of nodes. */
const POLICIES: { annotations: Record<string, string>; options: Options; wanted: string }[] = [
  { annotations: {}, options: {}, wanted: '' },
  { annotations: { [TKE]: 'a,b' }, options: {}, wanted: 'tke: a,b' },
  { annotations: { [NPWG]: 'x,lab/y' }, options: {}, wanted: 'additional: prod/x,lab/y' },
  { annotations: { [NPWG]: 'x' }, options: { dialect: 'npwg' }, wanted: 'additional: prod/x' },
  { annotations: { [DEFAULT]: 'd' }, options: { dialect: 'npwg' }, wanted: 'default: kube-system/d' },

  { annotations: BOTH, options: { annotationPolicy: 'tke' }, wanted: 'tke: a,b' },
  { annotations: BOTH, options: { annotationPolicy: 'tke', dialect: 'npwg' }, wanted: 'tke: a,b' },
  { annotations: { [NPWG]: 'x' }, options: { annotationPolicy: 'tke' }, wanted: 'additional: prod/x' },
  { annotations: { [TKE]: 'a' }, options: { annotationPolicy: 'tke', dialect: 'npwg' }, wanted: 'tke: a' },
  { annotations: { [TKE]: 'a', [DEFAULT]: 'd' }, options: { annotationPolicy: 'tke' }, wanted: 'tke: a' },

  { annotations: BOTH, options: { annotationPolicy: 'npwg' }, wanted: 'additional: prod/x,lab/y' },
  { annotations: { [TKE]: 'a' }, options: { annotationPolicy: 'npwg', dialect: 'npwg' }, wanted: '' },
  { annotations: { [TKE]: '[]' }, options: { annotationPolicy: 'npwg', dialect: 'npwg' }, wanted: '' },
  { annotations: { [TKE]: 'a' }, options: { annotationPolicy: 'npwg' }, wanted: 'tke: a' },

  { annotations: BOTH, options: { annotationPolicy: 'merge' }, wanted: 'tke: a,b; additional: prod/x,lab/y' },
  {
    annotations: BOTH,
    options: { annotationPolicy: 'merge', dialect: 'npwg' },
    wanted: 'tke: a,b; additional: prod/x,lab/y',
  },
  { annotations: { [NPWG]: 'x' }, options: { annotationPolicy: 'merge' }, wanted: 'additional: prod/x' },
  { annotations: { [TKE]: 'a' }, options: { annotationPolicy: 'merge', dialect: 'npwg' }, wanted: 'tke: a' },
];
for (const { annotations, options, wanted } of POLICIES) {
  const { annotationPolicy = 'reject', dialect = 'tke' } = options;
  // A pod would get the networks of an annotation that its operator decided against, or not those that it has.
  test(`${annotationPolicy} on a node of ${dialect}: ${Object.keys(annotations).join(' and ') || 'none'} → ${wanted || 'nothing'}`, () => {
    assert.is(shown(annotations, options), wanted);
  });
}

test('names the annotations that the policy leaves out: nobody would know why a network is not there', () => {
  const ignored = (annotations: Record<string, string>, options: Options) => networks(annotations, options).ignored;
  assert.equal(ignored(BOTH, { annotationPolicy: 'tke' }), [NPWG]);
  assert.equal(ignored({ ...BOTH, [DEFAULT]: 'd' }, { annotationPolicy: 'tke' }), [NPWG, DEFAULT]);
  assert.equal(ignored(BOTH, { annotationPolicy: 'npwg' }), [TKE]);
  assert.equal(ignored({ [TKE]: 'a' }, { annotationPolicy: 'npwg', dialect: 'npwg' }), [TKE]);
  for (const annotations of [{}, { [TKE]: 'a' }, { [NPWG]: 'x' }]) assert.equal(ignored(annotations, {}), []);
  assert.equal(ignored(BOTH, { annotationPolicy: 'merge' }), []);
});

test('an annotation that is set and empty does not count, neither for the pod nor against the other one', () => {
  assert.is(shown({ [TKE]: ' ', [NPWG]: 'x' }), 'additional: prod/x');
  assert.is(shown({ [TKE]: 'a', [NPWG]: '\n' }), 'tke: a');
  assert.is(shown({ [DEFAULT]: ' ', [NPWG]: 'x' }, { dialect: 'npwg' }), 'additional: prod/x');
});

test('a wrong annotation that the policy ignores does no harm; one that counts is refused by its key', () => {
  const wrong = { [TKE]: 'a@@', [NPWG]: 'x' };
  assert.is(shown(wrong, { annotationPolicy: 'npwg' }), 'additional: prod/x');
  for (const annotationPolicy of ['tke', 'merge'] as const) {
    assert.match(
      refusal(() => networks(wrong, { annotationPolicy })).message,
      `Cannot use annotation ${TKE} of pod prod/web`,
    );
  }
});

test.run();
