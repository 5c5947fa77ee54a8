/** A request of `POST /delegate`: one network of a pod that runs, as Multus's dynamic networks controller asks for it. */
import { CniCode, CniError } from '../../cni/errors.ts';
import { decodeUtf8, RawObject } from '../../cni/raw-json.ts';
import { type CniRequest, type CommandNeeds, parseEnvironment } from '../../cni/request.ts';
import { NEWEST_VERSION } from '../../cni/versions.ts';
import { type InterfaceAttributes, parseInterfaceAttributes } from '../../pod/selection-entry.ts';
import { parseWireRequest, type WireRequest } from '../../wire/http.ts';

/** GC is of no use here: there is no list of the valid attachments. */
type HotplugCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS';

export interface HotplugRequest extends CniRequest {
  command: HotplugCommand;
  /** Asked for beside the pod's annotation, and instead of it. */
  attributes: InterfaceAttributes;
}

/** What errors call the configuration. */
export const HOTPLUG_CONFIG = 'configuration in key "config" of the request';

const BODY = 'request body';

const NEEDS: CommandNeeds<HotplugCommand> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  STATUS: [],
};

const NO_ATTRIBUTES: InterfaceAttributes = { ips: [], mac: '', cniArgs: undefined };

function wireRequest(body: Buffer): WireRequest {
  try {
    return parseWireRequest(body);
  } catch (error) {
    throw new CniError(CniCode.decodingFailure, (error as Error).message, { cause: error });
  }
}

/**
 * Read the request's body. `name` is '': the container's own network is not named in it. `cniVersion` is the one that the
 * result is answered in, as Multus does, whatever that of the configuration.
 * @throws CniError 4 for `env`, 6 for what is no JSON or no base64, 7 for `interfaceAttributes`; each names its field
 */
export function parseHotplugRequest(body: Buffer): HotplugRequest {
  const { env, config } = wireRequest(body);
  const environment = parseEnvironment(env, NEEDS);
  const attributes = RawObject.parse(body.toString(), BODY).object('interfaceAttributes', BODY);
  return {
    ...environment,
    name: '',
    cniVersion: NEWEST_VERSION,
    config: RawObject.parse(decodeUtf8(config, HOTPLUG_CONFIG), HOTPLUG_CONFIG),
    attributes: attributes === undefined ? NO_ATTRIBUTES : parseInterfaceAttributes(attributes),
  };
}
