/** What a pod may ask of a network, and how networks are named (NPWG 1.3, section 4.1). */
import { CniCode, CniError } from '../cni/errors.ts';
import { plainNameRule } from '../cni/names.ts';
import { show } from '../cni/quote.ts';
import type { RawValue } from '../cni/raw-json.ts';

/** Annotation that lists a pod's additional networks. */
export const NETWORKS_ANNOTATION = 'k8s.v1.cni.cncf.io/networks';
/** Annotation that names a pod's default network, instead of the node's. */
export const DEFAULT_NETWORK_ANNOTATION = 'v1.multus-cni.io/default-network';
/** Annotation of the TKE fork: all networks of a pod. */
export const TKE_ANNOTATION = 'tke.cloud.tencent.com/networks';

/** NPWG section 4.1.2.1.7, as the `portMappings` capability has it. */
export interface PortMapping {
  hostPort: number;
  containerPort: number;
  /** Lower-case. */
  protocol: 'tcp' | 'udp' | 'sctp';
  hostIP?: string;
}

/** NPWG section 4.1.2.1.8, as the `bandwidth` capability has it: bits per second, and bits. */
export interface Bandwidth {
  ingressRate?: number;
  ingressBurst?: number;
  egressRate?: number;
  egressBurst?: number;
}

/** What a pod asks of one of its networks. */
export interface SelectionRequests {
  /** '' = let us choose. */
  ifName: string;
  /** IP addresses or CIDRs, as written. */
  ips: string[];
  /** Lower-case, '' = none requested. */
  mac: string;
  /** Eight octets, lower-case, '' = none requested. */
  infinibandGuid: string;
  portMappings: PortMapping[];
  bandwidth: Bandwidth | undefined;
  /** A device that the pod's author names, '' = none requested. */
  deviceId: string;
  /** Name of an IPAMClaim: for the IPAM of the network, which finds it in the annotation itself. '' = none. */
  ipamClaim: string;
  /** Merged into the delegate's args.cni. */
  cniArgs: Record<string, RawValue> | undefined;
  /** Gateways; undefined = not set, [] = this pod gets no default route. */
  defaultRoute: string[] | undefined;
  /** Fields that nobody knows: ignored, as the specification wants it, but not silently. */
  unknownFields: string[];
}

/** One requested attachment. */
export interface NetworkSelection extends SelectionRequests {
  /** '' for a configuration of the node. */
  namespace: string;
  name: string;
}

export const NO_REQUESTS: SelectionRequests = {
  ifName: '',
  ips: [],
  mac: '',
  infinibandGuid: '',
  portMappings: [],
  bandwidth: undefined,
  deviceId: '',
  ipamClaim: '',
  cniArgs: undefined,
  defaultRoute: undefined,
  unknownFields: [],
};

/** Where a text comes from and how its names are read. */
export interface SelectionContext {
  /** For errors, e.g. `annotation k8s.v1.cni.cncf.io/networks of pod default/web`. */
  origin: string;
  /** Namespace of names without one; undefined: names are those of CNI configurations, and have no namespace. */
  namespace: string | undefined;
}

export function refuseSelection({ origin }: SelectionContext, problem: string): CniError {
  return new CniError(CniCode.invalidConfig, `Cannot use ${origin}: ${problem}`);
}

/** RFC 1123 label or subdomain: what Kubernetes accepts as the name of a namespace or a definition. */
const DNS_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function checkDnsName(context: SelectionContext, where: string, value: string): string {
  if (value.length <= 253 && DNS_NAME.test(value)) return value;
  const rule = 'must be a DNS-1123 name (lower-case letters, digits, "-", ".")';
  throw refuseSelection(context, `${where} ${rule}, got ${show(value)}`);
}

/** Namespace and name of a reference. A node's configurations have no namespace; one that is written is ignored. */
export function checkReference(
  context: SelectionContext,
  reference: { namespace: string; name: string },
  where: { namespace: string; name: string },
): { namespace: string; name: string } {
  const { name } = reference;
  if (context.namespace === undefined) {
    const rule = plainNameRule(name);
    if (rule !== undefined) throw refuseSelection(context, `${where.name} is ${show(name)}: ${rule}`);
    return { namespace: '', name };
  }
  return {
    namespace: checkDnsName(context, where.namespace, reference.namespace || context.namespace),
    name: checkDnsName(context, where.name, name),
  };
}
