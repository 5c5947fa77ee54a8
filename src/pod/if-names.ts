/** Interface names of a pod's attachments. */
import { CniCode, CniError } from '../cni/errors.ts';

export interface NameRequest {
  /** Network as users know it, for the error message. */
  network: string;
  /** '' = none requested. */
  ifName: string;
}

export interface NamesInput {
  /** `npwg`: the first network is the default one. `tke`: whoever has CNI_IFNAME is. */
  dialect: 'npwg' | 'tke';
  /** The networks among which the default one is. At least one. */
  base: readonly NameRequest[];
  /** Networks behind these, named as Multus names them. */
  additional: readonly NameRequest[];
  /** CNI_IFNAME. */
  first: string;
}

export interface AssignedNames {
  /** In the order of base, then additional. */
  names: string[];
  /** Position of the network that answers the request. */
  defaultPosition: number;
}

/**
 * Name every attachment: its requested name, else CNI_IFNAME for the default network, else a generated one:
 *
 * - `net<position>`, where the position counts named attachments too (as Multus does: eth0, foo, net2);
 * - for the base of dialect `tke`, `eth<n>` behind the highest `eth<n>` that the base has. (The fork took any name's
 *   characters from the fourth on for a number: `net5` made the next one `eth6`.)
 *
 * A generated name that somebody requested is passed over for the next free number.
 * @throws CniError 7 when two attachments ask for the same name, or nobody is left for CNI_IFNAME
 */
export function assignIfNames(input: NamesInput): AssignedNames {
  const { dialect, base, first } = input;
  const requests = [...base, ...input.additional];
  const defaultPosition = dialect === 'npwg' ? 0 : tkeDefault(base, first);
  const wanted = requests.map(({ ifName }, i) => (i === defaultPosition && ifName === '' ? first : ifName));
  const taken = takenNames(wanted, requests);
  let lastEth = Math.max(0, ...wanted.slice(0, base.length).map(ethNumber));
  const names = wanted.map((name, i) => {
    if (name !== '') return name;
    if (dialect === 'tke' && i < base.length) {
      const number = freeNumber('eth', lastEth + 1, taken);
      lastEth = number;
      return `eth${number}`;
    }
    return `net${freeNumber('net', i, taken)}`;
  });
  return { names, defaultPosition };
}

/** The network that asks for CNI_IFNAME, else the first that asks for no name. */
function tkeDefault(base: readonly NameRequest[], first: string): number {
  const holder = base.findIndex(({ ifName }) => ifName === first);
  const position = holder >= 0 ? holder : base.findIndex(({ ifName }) => ifName === '');
  if (position >= 0) return position;
  const names = base.map(({ network, ifName }) => `"${network}" asks for "${ifName}"`).join(', ');
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot choose the default network: the pod needs interface "${first}", and ${names}; leave one without a name`,
  );
}

function takenNames(wanted: readonly string[], requests: readonly NameRequest[]): Set<string> {
  const owner = new Map<string, number>();
  for (const [i, name] of wanted.entries()) {
    if (name === '') continue;
    const other = owner.get(name);
    if (other !== undefined) {
      throw new CniError(
        CniCode.invalidConfig,
        `Cannot name the interface of network "${requests[i]?.network}" "${name}": network "${requests[other]?.network}" has that name; request another one`,
      );
    }
    owner.set(name, i);
  }
  return new Set(owner.keys());
}

/** The first free number from `start`; takes it. */
function freeNumber(prefix: string, start: number, taken: Set<string>): number {
  let number = start;
  while (taken.has(`${prefix}${number}`)) number += 1;
  taken.add(`${prefix}${number}`);
  return number;
}

/** 5 of "eth5"; 0 of any other name. Longer numbers would not leave room for the next one in 15 characters. */
function ethNumber(name: string): number {
  return Number(/^eth(\d{1,10})$/.exec(name)?.[1] ?? 0);
}
