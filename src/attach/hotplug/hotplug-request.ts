/**
 * A request for one network of a pod that runs: `POST /delegate`, as Multus's dynamic networks controller asks for it, or
 * the daemon's own.
 */
import { parseArgs } from '../../cni/args.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import { decodeUtf8, RawObject } from '../../cni/raw-json.ts';
import { type CniRequest, type CommandNeeds, parseEnvironment } from '../../cni/request.ts';
import { NEWEST_VERSION } from '../../cni/versions.ts';
import type { NetworkSelection } from '../../pod/selection.ts';
import { type InterfaceAttributes, parseInterfaceAttributes } from '../../pod/selection-entry.ts';
import { parseWireRequest, type WireRequest } from '../../wire/http.ts';
import type { JournalRecord } from '../journal-record.ts';

/** GC is of no use here: there is no list of the valid attachments. */
type HotplugCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS';

export interface HotplugRequest extends CniRequest {
  command: HotplugCommand;
  /** Asked for beside the pod's annotation, and instead of it. */
  attributes: InterfaceAttributes;
  /** The daemon does it by itself, to a pod whose record it has read: without that record there is nothing to be done. */
  isOwn: boolean;
  /** The entry of the pod's annotation, with the name of its interface, where the daemon itself plugs it in. */
  selection: NetworkSelection | undefined;
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
    isOwn: false,
    selection: undefined,
  };
}

/** What the daemon does by itself to a pod that runs. */
export type OwnChange = { command: 'ADD'; selection: NetworkSelection } | { command: 'DEL'; ifName: string };

/** The daemon's own request for the container of a record; its plugins get the arguments that those of ADD got. */
export function ownRequest({ containerId, netnsPath, attachments }: JournalRecord, change: OwnChange): HotplugRequest {
  const isAdd = change.command === 'ADD';
  const argsText = (attachments.find(({ isDefault }) => isDefault) ?? attachments[0])?.args ?? '';
  return {
    command: change.command,
    containerId,
    netns: netnsPath,
    ifName: isAdd ? change.selection.ifName : change.ifName,
    args: parseArgs(argsText),
    argsText,
    path: [],
    trace: {},
    name: '',
    cniVersion: NEWEST_VERSION,
    config: RawObject.parse('{}', HOTPLUG_CONFIG),
    attributes: NO_ATTRIBUTES,
    isOwn: true,
    selection: isAdd ? change.selection : undefined,
  };
}
