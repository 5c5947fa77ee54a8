import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArgs } from '../../../src/cni/args.ts';
import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { CniError } from '../../../src/cni/errors.ts';
import { scanMembers } from '../../../src/cni/json-scan.ts';
import { RawObject, RawValue } from '../../../src/cni/raw-json.ts';
import { parseSelections } from '../../../src/pod/parse-selections.ts';
import { type Plan, type PlanInput, planAttachments, type RequestedNetwork } from '../../../src/pod/plan.ts';
import { onlyCniErrors, refusal } from '../cni/refusal.ts';
import { type GeneratedConfig, jsonForm, networkConfig, shortForm, shortWish, type Wish, wish } from './generated.ts';

const ALL = '"capabilities":{"ips":true,"mac":true}';

function network(label: string, text: string): RequestedNetwork {
  return { label, config: parseNetworkConfig(text, label), requests: undefined, device: undefined };
}

/** What every plan here has in common. */
const COMMON = { dialect: 'npwg', auxiliary: undefined, ifName: 'eth0', deviceInfoFile: () => '' } as const;

const NODE = network('node', '{"cniVersion":"1.0.0","name":"node","type":"bridge"}');

/** The plan of a pod with this annotation; every network has this configuration. */
function plan(annotation: string, config = `{"name":"n","type":"p",${ALL}}`, more: Partial<PlanInput> = {}): Plan {
  const selections = parseSelections(annotation, { origin: 'the annotation', namespace: 'prod' });
  const additional = selections.map((requests) => {
    const label = `${requests.namespace}/${requests.name}`;
    return { ...network(label, config), requests };
  });
  const args = parseArgs('IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=prod');
  return planAttachments({ ...COMMON, base: [NODE], additional, args, runtimeConfig: {}, ...more });
}

const stdins = (one: Plan): string[] => one.attachments.flatMap(({ steps }) => steps.map(({ stdin }) => stdin));

test('refuses addresses and a MAC that no plugin of the network would read: the pod would run with others', () => {
  const list = '{"name":"n","plugins":[{"type":"macvlan"},{"type":"tuning","capabilities":{"mac":false}}]}';
  const wants = (field: string, capability: string) =>
    `Cannot give network "prod/a" the requested ${field}: none of its plugins (macvlan, tuning) declares ` +
    `"capabilities": {"${capability}": true}`;
  const ips = refusal(() => plan('[{"name":"a","ips":["10.0.0.5","fd00::5/64"]}]', list));
  assert.equal(ips, { code: 7, message: wants('addresses 10.0.0.5, fd00::5/64', 'ips'), details: '' });
  const mac = refusal(() => plan('[{"name":"a","mac":"02:00:00:00:00:01"}]', list));
  assert.equal(mac, { code: 7, message: wants('MAC address 02:00:00:00:00:01', 'mac'), details: '' });
});

test('refuses ports, rates, a GUID and a device that no plugin of the network would read', () => {
  const wants: [string, string, string][] = [
    ['"portMappings":[{"hostPort":80,"containerPort":8080}]', 'port mappings 80:8080/tcp', 'portMappings'],
    ['"bandwidth":{"ingressRate":1000}', 'bandwidth', 'bandwidth'],
    ['"infiniband-guid":"c2:11:22:33:44:55:66:77"', 'GUID c2:11:22:33:44:55:66:77', 'infinibandGUID'],
    ['"deviceID":"0000:03:02.0"', 'device 0000:03:02.0', 'deviceID'],
  ];
  for (const [field, words, capability] of wants) {
    const { code, message } = refusal(() => plan(`[{"name":"a",${field}}]`));
    assert.is(code, 7);
    assert.ok(
      message.includes(
        `the requested ${words}: none of its plugins (p) declares "capabilities": {"${capability}": true}`,
      ),
      message,
    );
  }
});

test('refuses a name that is taken by the default network or asked for twice', () => {
  assert.match(refusal(() => plan('a@eth0')).message, 'network "prod/a" "eth0": network "node" has that name');
  assert.match(refusal(() => plan('a@x,b@x')).message, 'network "prod/b" "x": network "prod/a" has that name');
});

test('refuses pod arguments that CNI_ARGS cannot carry', () => {
  const args = { pairs: [['A', 'b;IP=10.0.0.9'] as [string, string]], get: () => undefined };
  assert.is(refusal(() => plan('', '{}', { args })).code, 4);
});

test('puts the default network first, then the further static ones, then the annotation, in order', () => {
  const extra = network('extra', '{"name":"extra","type":"ptp"}');
  const { attachments } = plan('kube-system/b@data,a', undefined, { base: [NODE, extra] });
  assert.equal(
    attachments.map((one) => [one.network, one.ifName, one.isDefault]),
    [
      ['node', 'eth0', true],
      ['extra', 'net1', false],
      ['kube-system/b', 'data', false],
      ['prod/a', 'net3', false],
    ],
  );
});

test('gives the capability arguments of the runtime to the default network only', () => {
  const text = '{"name":"d","type":"p","capabilities":{"portMappings":true,"ips":true}}';
  const base = [network('d', text), network('e', text)];
  const runtimeConfig = { portMappings: [{ hostPort: 80 }], ips: ['10.9.9.9'], other: 1 };
  assert.equal(stdins(plan('a', text, { base, runtimeConfig })), [
    `${text.slice(0, -1)},"runtimeConfig":{"portMappings":[{"hostPort":80}],"ips":["10.9.9.9"]}}`,
    text,
    text,
  ]);
});

test('gives what was requested as runtimeConfig and as arguments, each network its own', () => {
  const { attachments } = plan(
    '[{"name":"a","ips":["10.0.0.5/24","fd00::5"],"mac":"02-00-00-00-00-0A","cni-args":{"k":1}},{"name":"b"}]',
  );
  const [, a, b] = attachments;
  const text = `{"name":"n","type":"p",${ALL}`;
  assert.is(
    a?.steps[0]?.stdin,
    `${text},"args":{"cni":{"k":1}},"runtimeConfig":{"ips":["10.0.0.5/24","fd00::5"],"mac":"02:00:00:00:00:0a"}}`,
  );
  assert.equal([a?.requestedMac, a?.requestedIps], ['02:00:00:00:00:0a', ['10.0.0.5/24', 'fd00::5']]);
  assert.is(
    a?.args,
    'IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=prod;MAC=02:00:00:00:00:0a;IP=10.0.0.5/24,fd00::5',
  );
  assert.is(b?.steps[0]?.stdin, `${text}}`);
  assert.is(b?.args, 'IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=prod');
});

test("does not give the default network's static IP and MAC arguments to the others: addresses would clash", () => {
  const args = parseArgs('IP=10.9.9.9;MAC=02:00:00:00:00:99;K8S_POD_NAME=web');
  const [first, second] = plan('a', undefined, { args }).attachments;
  assert.is(first?.args, 'IgnoreUnknown=1;IP=10.9.9.9;MAC=02:00:00:00:00:99;K8S_POD_NAME=web');
  assert.is(second?.args, 'IgnoreUnknown=1;K8S_POD_NAME=web');
});

test('gives every request of an annotation to the plugins that declare its capability, and to no others', () => {
  const capabilities = ['ips', 'mac', 'infinibandGUID', 'portMappings', 'bandwidth', 'deviceID'];
  const plugins = capabilities.map((one) => `{"type":"${one}","capabilities":{"${one}":true}}`);
  const requests =
    '"ips":["10.0.0.5"],"mac":"02:00:00:00:00:01","infiniband-guid":"c2:11:22:33:44:55:66:77","deviceID":"dev-1",' +
    '"portMappings":[{"hostPort":80,"containerPort":8080}],"bandwidth":{"egressRate":5,"egressBurst":6}';
  const steps = plan(`[{"name":"a",${requests}}]`, `{"name":"n","plugins":[${plugins.join(',')}]}`).attachments[1]
    ?.steps;
  assert.equal(
    steps?.map(({ stdin }) => JSON.parse(stdin).runtimeConfig),
    [
      { ips: ['10.0.0.5'] },
      { mac: '02:00:00:00:00:01' },
      { infinibandGUID: 'c2:11:22:33:44:55:66:77' },
      { portMappings: [{ hostPort: 80, containerPort: 8080, protocol: 'tcp' }] },
      { bandwidth: { egressRate: 5, egressBurst: 6 } },
      { deviceID: 'dev-1' },
    ],
  );
  assert.is(
    JSON.parse(steps?.[0]?.stdin ?? '').deviceID,
    undefined,
    'a device of the annotation is for the capability only',
  );
});

test("gives a device of the kubelet's to the configuration of every plugin, and to those that declare it", () => {
  const text = '{"name":"n","plugins":[{"type":"sriov","capabilities":{"deviceID":true}},{"type":"tuning"}]}';
  const device = { id: '0000:03:02.0', resourceName: 'vendor.com/vf' };
  const { attachments } = plan('', undefined, { additional: [{ ...network('prod/a', text), device }] });
  const [sriov, tuning] = attachments[1]?.steps.map(({ stdin }) => JSON.parse(stdin)) ?? [];
  assert.equal([sriov.deviceID, sriov.pciBusID, sriov.runtimeConfig], [device.id, device.id, { deviceID: device.id }]);
  assert.equal([tuning.deviceID, tuning.pciBusID, tuning.runtimeConfig], [device.id, device.id, undefined]);
  assert.equal(attachments[1]?.device, device);
  const own = plan('', undefined, { base: [{ ...network('node', text), device }] }).attachments[0]?.steps[0];
  assert.equal(JSON.parse(own?.stdin ?? '').runtimeConfig, { deviceID: device.id }, 'the default network, too');
});

test('tells plugins that want it where to write what they know of a device', () => {
  const text = '{"name":"n","type":"p","capabilities":{"CNIDeviceInfoFile":true}}';
  const deviceInfoFile = (name: string, ifName: string) => `/info/${name.replace('/', '-')}_${ifName}`;
  const [node, a] = plan('a', text, { deviceInfoFile }).attachments;
  assert.equal(JSON.parse(a?.steps[0]?.stdin ?? '').runtimeConfig, { CNIDeviceInfoFile: '/info/prod-a_net1' });
  assert.equal([node?.deviceInfoFile, a?.deviceInfoFile], ['', '/info/prod-a_net1']);
});

test('gives a default network that the pod chose what the pod asked of it, beside what the runtime has for it', () => {
  const text = '{"name":"d","type":"p","capabilities":{"portMappings":true,"ips":true}}';
  const [requests] = parseSelections(
    '[{"name":"d","ips":["10.0.0.5"],"default-route":["10.0.0.1"],"interface":"up0"}]',
    {
      origin: 'the annotation',
      namespace: 'kube-system',
    },
  );
  const base = [{ ...network('kube-system/d', text), requests }];
  const runtimeConfig = { portMappings: [{ hostPort: 80 }], ips: ['10.9.9.9'] };
  const { attachments, defaultRoutes } = plan('a', undefined, { base, runtimeConfig });
  assert.equal(JSON.parse(attachments[0]?.steps[0]?.stdin ?? '').runtimeConfig, {
    portMappings: [{ hostPort: 80 }],
    ips: ['10.0.0.5'],
  });
  assert.equal([attachments[0]?.ifName, attachments[0]?.isDefault, attachments[1]?.ifName], ['up0', true, 'net1']);
  assert.equal(defaultRoutes, [{ family: 4, gateways: [{ gateway: '10.0.0.1', ifName: 'up0' }] }]);
});

test("adds the ports of the annotation to those of the pod's containers: a host port must not be lost", () => {
  const text = '{"name":"d","type":"p","capabilities":{"portMappings":true}}';
  const context = { origin: 'the annotation', namespace: 'kube-system' };
  const [requests] = parseSelections('[{"name":"d","portMappings":[{"hostPort":81,"containerPort":8081}]}]', context);
  const base = [{ ...network('kube-system/d', text), requests }];
  const runtimeConfig = { portMappings: new RawValue('[{"HostPort":80,"ContainerPort":8080,"Protocol":"tcp"}]') };
  assert.equal(JSON.parse(stdins(plan('', undefined, { base, runtimeConfig }))[0] ?? '').runtimeConfig.portMappings, [
    { HostPort: 80, ContainerPort: 8080, Protocol: 'tcp' },
    { hostPort: 81, containerPort: 8081, protocol: 'tcp' },
  ]);
});

test('puts the auxiliary chain last, on the interface of the default network, and gives it nothing of the pod', () => {
  const auxiliary = network('vendor', '{"name":"vendor","plugins":[{"type":"tuning","capabilities":{"ips":true}}]}');
  const { attachments } = plan('a', undefined, { auxiliary, runtimeConfig: { ips: ['10.9.9.9'] } });
  const last = attachments.at(-1);
  assert.equal([last?.network, last?.ifName, last?.auxiliary, last?.isDefault], ['vendor', 'eth0', true, false]);
  assert.is(JSON.parse(last?.steps[0]?.stdin ?? '').runtimeConfig, undefined);
});

test('names the annotation in which a pod looks for what it got', () => {
  const tke = { dialect: 'tke' } as const;
  const npwgKey = 'k8s.v1.cni.cncf.io/network-status';
  const tkeKey = 'tke.cloud.tencent.com/networks-status';
  assert.equal(plan('a').statusAnnotations, [npwgKey]);
  assert.equal(plan('', undefined, tke).statusAnnotations, [tkeKey]);
  assert.equal(plan('a', undefined, tke).statusAnnotations, [tkeKey, npwgKey]);
});

test('decides each plugin of a list, and keeps the text of its owner', () => {
  const text =
    '{"name":"n","cniVersion":"0.4.0","disableCheck":true,"disableGC":true, "plugins":[{"type":"x"},{"type":"y"}]}';
  const one = plan('a', text).attachments[1];
  assert.equal(one?.steps, [
    { type: 'x', stdin: '{"type":"x","name":"n","cniVersion":"0.4.0"}' },
    { type: 'y', stdin: '{"type":"y","name":"n","cniVersion":"0.4.0"}' },
  ]);
  assert.equal(
    [one?.configName, one?.cniVersion, one?.disableCheck, one?.disableGC, one?.source],
    ['n', '0.4.0', true, true, text],
  );
});

test('leaves default routes alone when nobody asks for any', () => {
  assert.equal(plan('a,b').defaultRoutes, []);
});

test('makes one default-route plan of all requests, by family and in order', () => {
  const routes = (text: string) => plan(text).defaultRoutes;
  assert.equal(routes('[{"name":"a","default-route":["10.0.0.1"]},{"name":"b"}]'), [
    { family: 4, gateways: [{ gateway: '10.0.0.1', ifName: 'net1' }] },
  ]);
  assert.equal(
    routes(
      '[{"name":"a"},{"name":"b","default-route":["fd00::1","10.0.0.1"]},{"name":"c","default-route":["10.1.0.1"]}]',
    ),
    [
      {
        family: 4,
        gateways: [
          { gateway: '10.0.0.1', ifName: 'net2' },
          { gateway: '10.1.0.1', ifName: 'net3' },
        ],
      },
      { family: 6, gateways: [{ gateway: 'fd00::1', ifName: 'net2' }] },
    ],
  );
});

test('an empty list takes both families away, except where another network gives a gateway', () => {
  assert.equal(plan('[{"name":"a","default-route":[]}]').defaultRoutes, [
    { family: 4, gateways: [] },
    { family: 6, gateways: [] },
  ]);
  assert.equal(plan('[{"name":"a","default-route":[]},{"name":"b","default-route":["10.0.0.1"]}]').defaultRoutes, [
    { family: 4, gateways: [{ gateway: '10.0.0.1', ifName: 'net2' }] },
    { family: 6, gateways: [] },
  ]);
});

/** A pod's wishes with a configuration for each, and the configuration of the default network. */
const pod = fc.record({
  wishes: fc.oneof(
    fc.array(shortWish, { maxLength: 5 }).map((wishes) => ({ wishes: wishes as Wish[], text: shortForm(wishes) })),
    fc.array(wish, { maxLength: 5 }).map((wishes) => ({ wishes, text: jsonForm(wishes) })),
  ),
  configs: fc.array(networkConfig, { minLength: 6, maxLength: 6 }),
});

/** What the runtime hands over; nothing of it may be seen in a selected network's input. */
const MARKER = 'only-for-the-default-network';
const runtimeConfig = { ips: [MARKER], mac: MARKER, portMappings: [{ description: MARKER }], marker: MARKER };

function planOf(text: string, configs: readonly GeneratedConfig[]): Plan {
  const networks = configs.map(({ text: config }, i) => network(`network-${i}`, config));
  const [first, ...others] = networks;
  if (first === undefined) throw new Error('no default network');
  const selections = parseSelections(text, { origin: 'the annotation', namespace: 'prod' });
  const additional = selections.map((requests, i) => {
    const { config } = others[i % others.length] ?? first;
    return { label: `${requests.namespace}/${requests.name}`, config, requests, device: undefined };
  });
  const args = parseArgs('K8S_POD_NAME=web;K8S_POD_NAMESPACE=prod');
  return planAttachments({ ...COMMON, base: [first], additional, args, runtimeConfig });
}

/** The plan, or undefined when it is refused because two networks ask for one name: then they must. */
function planUnlessClash(wishes: readonly Wish[], text: string, configs: readonly GeneratedConfig[]): Plan | undefined {
  const asked = wishes.flatMap((one) => one.interface ?? []);
  try {
    const decided = planOf(text, configs);
    assert.is(new Set(asked).size, asked.length, 'two networks ask for one name');
    return decided;
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    assert.match(error.message, 'has that name; request another one');
    assert.ok(new Set(asked).size < asked.length, 'nobody asks for one name twice');
    return undefined;
  }
}

test('drops no network, changes no order, gives no name twice and decides alike every time', () => {
  fc.assert(
    fc.property(pod, ({ wishes: { wishes, text }, configs }) => {
      const decided = planUnlessClash(wishes, text, configs);
      if (decided === undefined) return;
      assert.equal(
        decided.attachments.map((one) => one.network),
        ['network-0', ...wishes.map(({ namespace, name }) => `${namespace ?? 'prod'}/${name}`)],
      );
      const names = decided.attachments.map(({ ifName }) => ifName);
      assert.is(new Set(names).size, names.length);
      assert.is(names[0], 'eth0');
      wishes.forEach((one, i) => {
        if (one.interface !== undefined) assert.is(names[i + 1], one.interface);
      });
      assert.is(JSON.stringify(planOf(text, configs)), JSON.stringify(decided));
    }),
    { numRuns: 150 },
  );
});

test("hands a selected network what its pod asked for, and never the runtime's capability arguments", () => {
  fc.assert(
    fc.property(pod, ({ wishes: { wishes, text }, configs }) => {
      const decided = planUnlessClash(wishes, text, configs);
      const [first, ...selected] = decided?.attachments ?? [];
      if (first === undefined) return;
      assert.match(first.steps[0]?.stdin ?? '', MARKER);
      for (const [i, { steps, args }] of selected.entries()) {
        assert.not.match(args, MARKER);
        const { ips, mac, portMappings, bandwidth, deviceID, 'infiniband-guid': infinibandGUID } = wishes[i] ?? {};
        const asked = { ips, infinibandGUID, portMappings, bandwidth, deviceID };
        const wanted = {
          ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
          ...(mac === undefined ? {} : { mac: mac.toLowerCase().replaceAll('-', ':') }),
        };
        for (const { stdin } of steps) {
          assert.not.match(stdin, MARKER);
          assert.equal(RawObject.parse(stdin, 'stdin').value('runtimeConfig') ?? {}, wanted);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('passes every unknown key of a configuration byte for byte to its plugin, in its order', () => {
  fc.assert(
    fc.property(networkConfig, wish, (config, one) => {
      const { attachments } = planOf(jsonForm([one]), [config, config]);
      for (const { steps } of attachments) {
        assert.is(steps.length, config.plugins.length);
        for (const [i, { stdin }] of steps.entries()) {
          const unknown = config.plugins[i]?.unknown ?? [];
          const keys = new Set(unknown.map(({ key }) => key));
          const found = scanMembers(stdin, stdin.indexOf('{')).filter(({ key }) => keys.has(key));
          assert.equal(
            found.map(({ start, valueEnd }) => stdin.slice(start, valueEnd)),
            unknown.map(({ keyText, gap, value }) => keyText + gap + value),
          );
        }
      }
    }),
    { numRuns: 250 },
  );
});

test('throws only CniError for annotations that are nearly right', () => {
  fc.assert(
    fc.property(pod, fc.nat(), fc.string({ unit: 'binary', maxLength: 3 }), ({ wishes, configs }, at, noise) => {
      const cut = at % (wishes.text.length + 1);
      onlyCniErrors(() => planOf(wishes.text.slice(0, cut) + noise + wishes.text.slice(cut + 1), configs));
    }),
    { numRuns: 250 },
  );
});

test.run();
