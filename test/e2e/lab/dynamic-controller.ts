/**
 * Stands in for multus-dynamic-networks-controller, whose module the Go proxy refuses (403): which entries of an annotation
 * it adds and removes, how it finds the sandbox, and that it writes the status anew as it read it. Each of its requests is
 * made, sent and read by Multus's own package, the one that it uses.
 */
import { goTool } from '../../tools/go/build.mjs';
import type { ApiServer } from './api-server.ts';
import type { LabNode } from './node.ts';

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const STATUS = 'k8s.v1.cni.cncf.io/network-status';
const SOCKET = '/run/multus/multus.sock';

/** An entry of the annotation; it wants all of them to have an interface. */
export interface Wanted {
  name: string;
  interface: string;
  ips?: string[];
  mac?: string;
}

interface Told {
  name: string;
  interface: string;
  default?: boolean;
}

export class DynamicController {
  private readonly api: ApiServer;
  private readonly node: LabNode;
  private readonly program: string;

  private constructor(api: ApiServer, node: LabNode, program: string) {
    this.api = api;
    this.node = node;
    this.program = program;
  }

  static async start(api: ApiServer, node: LabNode): Promise<DynamicController> {
    return new DynamicController(api, node, await goTool('delegate'));
  }

  private async config(name: string): Promise<object> {
    const path = `/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/${name}`;
    return { name, ...JSON.parse((await this.api.get(path)).spec.config) };
  }

  /** One request. @returns the result, undefined when there is none. @throws Error with what the package says */
  // biome-ignore lint/suspicious/noExplicitAny: a CNI result
  async delegate(command: 'ADD' | 'DEL', uid: string, pod: string, one: Wanted): Promise<any> {
    const sandbox = (await this.node.runtime.list()).find((found) => found.uid === uid);
    if (sandbox === undefined) throw new Error(`no sandbox of pod ${pod}`);
    const { ips, mac } = one;
    const { netnsInside: netns } = await this.node.runtime.status(sandbox.id);
    const call = {
      ...{ command, containerID: sandbox.id, netns, ifName: one.interface, namespace: 'default', name: pod, uid },
      config: await this.config(one.name),
      attributes: ips === undefined && mac === undefined ? null : { ips, mac },
    };
    const input = JSON.stringify(call);
    const { code, stdout, stderr } = await this.node.runtime.machine.run(this.program, [SOCKET], { input });
    if (code !== 0) throw new Error(stderr.trim());
    return stdout === '' ? undefined : JSON.parse(stdout);
  }

  /**
   * What it does when a pod's annotation has changed: first what comes, then what goes, then the status.
   * @returns messages of the requests that failed
   */
  async sync(pod: string): Promise<string[]> {
    const path = `/api/v1/namespaces/default/pods/${pod}`;
    const { uid, annotations } = (await this.api.get(path)).metadata;
    const wanted: Wanted[] = JSON.parse(annotations[NETWORKS]);
    const told: Told[] = JSON.parse(annotations[STATUS] ?? '[]');
    const keyOf = (one: Told | Wanted): string => `${one.name.replace(/^default\//, '')}/${one.interface}`;
    const [isWanted, isTold] = [wanted, told].map((list) => new Set(list.map(keyOf))) as [Set<string>, Set<string>];
    const failures: string[] = [];
    const come: object[] = [];
    const gone = new Set<string>();
    for (const one of wanted.filter((each) => !isTold.has(keyOf(each)))) {
      try {
        const result = await this.delegate('ADD', uid, pod, one);
        const { mac } = result.interfaces.find((each: { name: string }) => each.name === one.interface);
        const ips = result.ips.map(({ address }: { address: string }) => address.replace(/\/.*/, ''));
        come.push({ name: `default/${one.name}`, interface: one.interface, ips, mac, dns: {} });
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    for (const one of told.filter((each) => each.default !== true && !isWanted.has(keyOf(each)))) {
      try {
        await this.delegate('DEL', uid, pod, { name: one.name.replace(/^default\//, ''), interface: one.interface });
        gone.add(keyOf(one));
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    if (come.length > 0 || gone.size > 0) {
      const status = JSON.stringify([...told.filter((one) => !gone.has(keyOf(one))), ...come], null, 4);
      await this.api.patch(`${path}/status`, { metadata: { annotations: { [STATUS]: status } } });
    }
    return failures;
  }
}
