/** Pods' wishes and networks' configurations, generated: for properties of the way from annotation to plan. */
import fc from 'fast-check';
import { type MemberText, space, stringText, valueText } from '../cni/json-text.ts';

/** Keys that we read or write: what a configuration says under another name is none of our business. */
const OURS = new Set([
  ...['name', 'type', 'cniversion', 'cniversions', 'capabilities', 'plugins', 'args', 'runtimeconfig', 'prevresult'],
  ...['disablecheck', 'disablegc', 'loadonlyinlinedplugins', 'ipam', 'dns'],
]);

/** Members under keys that are not ours, duplicates and odd spellings included. */
export const unknownMembers: fc.Arbitrary<MemberText[]> = fc.array(
  fc
    .tuple(
      space,
      fc.oneof(stringText, fc.constantFrom('"master"', '"mode"', '"x"', '"X"', '"\\u0078"', '"__proto__"')),
      fc.constantFrom(':', ' : ', ':\n'),
      valueText,
      space,
    )
    .map(([before, keyText, gap, value, after]) => ({
      key: JSON.parse(keyText) as string,
      before,
      keyText,
      gap,
      value,
      after,
    }))
    .filter(({ key }) => !OURS.has(key.toLowerCase()) && !/[ıſ]/.test(key)),
  { maxLength: 4 },
);

/** One plugin's object: what is ours in it, and the unknown members around that. */
export interface GeneratedPlugin {
  text: string;
  unknown: MemberText[];
}

/** @param own members that are ours, as text */
const pluginOf = (own: string): fc.Arbitrary<GeneratedPlugin> =>
  fc.tuple(unknownMembers, unknownMembers).map(([before, after]) => {
    const write = ({ before: space, keyText, gap, value, after: end }: MemberText) =>
      space + keyText + gap + value + end;
    return { text: `{${[...before.map(write), own, ...after.map(write)].join(',')}}`, unknown: [...before, ...after] };
  });

export interface GeneratedConfig {
  text: string;
  plugins: GeneratedPlugin[];
}

const CAPABILITIES =
  '"capabilities":{"ips":true,"mac":true,"portMappings":true,"bandwidth":true,"infinibandGUID":true,"deviceID":true,"marker":true}';
const version = fc.constantFrom('0.3.1', '0.4.0', '1.0.0', '1.1.0');

const conf: fc.Arbitrary<GeneratedConfig> = version
  .chain((one) => pluginOf(`"cniVersion":"${one}","name":"net","type":"p",${CAPABILITIES}`))
  .map((plugin) => ({ text: plugin.text, plugins: [plugin] }));

const conflist: fc.Arbitrary<GeneratedConfig> = fc
  .tuple(version, fc.array(pluginOf(`"type":"p", ${CAPABILITIES}`), { minLength: 1, maxLength: 3 }), unknownMembers)
  .map(([one, plugins, unknown]) => {
    const head = unknown.map(({ keyText, value }) => `${keyText}:${value},`).join('');
    const list = plugins.map(({ text }) => text).join(' , ');
    return { text: `{${head}"cniVersion":"${one}","name":"net","plugins":[${list}]}`, plugins };
  });

/** A conf or a conflist whose plugins declare every capability. */
export const networkConfig: fc.Arbitrary<GeneratedConfig> = fc.oneof(conf, conflist);

/** One network as a pod asks for it. */
export interface Wish {
  name: string;
  namespace?: string | undefined;
  interface?: string | undefined;
  ips?: string[] | undefined;
  mac?: string | undefined;
  'infiniband-guid'?: string | undefined;
  portMappings?: readonly { hostPort: number; containerPort: number; protocol: string }[] | undefined;
  bandwidth?: { ingressRate: number; ingressBurst: number } | undefined;
  deviceID?: string | undefined;
  'default-route'?: string[] | undefined;
  'cni-args'?: unknown;
}

const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const address = fc.constantFrom('10.0.0.5', '10.0.0.6/24', 'fd00::5', 'FD00:0::6/64');

export const shortWish: fc.Arbitrary<Wish> = fc.record({
  name: fc.constantFrom('a', 'b', 'c-1', 'd.x'),
  namespace: maybe(fc.constantFrom('prod', 'kube-system')),
  interface: maybe(fc.constantFrom('net1', 'net2', 'net3', 'data', 'ib0', 'eth1')),
});

export const wish: fc.Arbitrary<Wish> = fc
  .tuple(
    shortWish,
    fc.record({
      ips: maybe(fc.array(address, { minLength: 1, maxLength: 3 })),
      mac: maybe(fc.constantFrom('02:00:00:00:00:01', '02-AB-00-00-00-02')),
      'infiniband-guid': maybe(fc.constant('c2:11:22:33:44:55:66:77')),
      portMappings: maybe(fc.constant([{ hostPort: 80, containerPort: 8080, protocol: 'udp' }])),
      bandwidth: maybe(fc.constant({ ingressRate: 1000, ingressBurst: 2000 })),
      deviceID: maybe(fc.constantFrom('0000:03:02.0', 'dev-2')),
      'default-route': maybe(fc.uniqueArray(fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1'), { maxLength: 2 })),
      'cni-args': maybe(fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 })),
    }),
  )
  .map(([short, more]) => ({ ...short, ...more }));

export const shortForm = (wishes: readonly Wish[]): string =>
  wishes
    .map(({ name, namespace, interface: ifName }) => {
      const path = namespace === undefined ? name : `${namespace}/${name}`;
      return ifName === undefined ? path : `${path}@${ifName}`;
    })
    .join(' ,');

export const jsonForm = (wishes: readonly Wish[]): string => JSON.stringify(wishes);
