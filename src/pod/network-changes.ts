/**
 * From what a running pod has to what its annotation asks for. Pure: it decides by what is there and what is wanted alone,
 * so that whoever starts late, or again, comes to the same end.
 */
import { askedText } from './asked.ts';
import { assignIfNames } from './if-names.ts';
import type { NetworkSelection } from './selection.ts';

/** A network that the pod has, or that is left of one. */
export interface PresentNetwork {
  /** `namespace/name`, or the configuration's own name. */
  network: string;
  ifName: string;
  /** By askedText; '' when no entry of the annotation asked for it: it is the node's, and stays. */
  asked: string;
  /** `coming`: somebody may be about to attach it, or was when they ended. `leaving`: it could not be detached. */
  state: 'attached' | 'coming' | 'leaving';
}

export interface NetworkChanges {
  /** Interfaces, those that came last first. */
  detach: string[];
  /** In the order of the annotation; every one with the name of its interface. */
  attach: NetworkSelection[];
}

const labelOf = ({ namespace, name }: NetworkSelection): string => `${namespace}/${name}`;

/**
 * What is to be done. First everything that goes: its interface, its addresses and its device may be those of what comes.
 *
 * An entry that names its interface is that interface. One that names none is a network that is there, with what the entry
 * asks for, in their order; else the interface of one of which something else is asked now; else a new one, which is named
 * as ADD would, past the names of what is still to go. What is coming need not be detached where it is to be attached:
 * whoever attaches it waits for the other, and undoes what that left.
 * @param present the default network first; without auxiliary chains
 * @throws CniError 7 when entries ask for the same name, or for one of the node's own networks
 */
export function networkChanges(
  present: readonly PresentNetwork[],
  wanted: readonly NetworkSelection[],
): NetworkChanges {
  const own = present.filter(({ asked }) => asked === '');
  const asked = present.filter((one) => one.asked !== '');
  const requested = new Set(wanted.map(({ ifName }) => ifName));
  const free = new Set(asked);
  const take = (state: PresentNetwork['state'], fits: (one: PresentNetwork) => boolean): PresentNetwork | undefined => {
    const found = [...free].find((one) => one.state === state && fits(one));
    if (found !== undefined) free.delete(found);
    return found;
  };
  const isUnnamed = (one: PresentNetwork): boolean => !requested.has(one.ifName);
  const same = (selection: NetworkSelection) => (one: PresentNetwork) =>
    one.network === labelOf(selection) && one.asked === askedText(selection);

  const kept = new Map<NetworkSelection, PresentNetwork>();
  const keep = (selection: NetworkSelection, one: PresentNetwork | undefined): void => {
    if (one !== undefined) kept.set(selection, one);
  };
  const unnamed = wanted.filter(({ ifName }) => ifName === '');
  for (const selection of wanted.filter(({ ifName }) => ifName !== '')) {
    keep(
      selection,
      take('attached', (one) => one.ifName === selection.ifName && same(selection)(one)),
    );
  }
  for (const selection of unnamed) {
    keep(
      selection,
      take('attached', (one) => isUnnamed(one) && same(selection)(one)),
    );
  }
  const changed = new Map<NetworkSelection, string>();
  for (const selection of unnamed.filter((one) => !kept.has(one))) {
    const earlier =
      take('attached', (one) => isUnnamed(one) && one.network === labelOf(selection)) ??
      take('coming', (one) => isUnnamed(one) && same(selection)(one));
    if (earlier !== undefined) changed.set(selection, earlier.ifName);
  }

  const staying = new Set(kept.values());
  const leaving = asked.filter((one) => !staying.has(one));
  const nameOf = (selection: NetworkSelection): string =>
    kept.get(selection)?.ifName ?? changed.get(selection) ?? selection.ifName;
  const spoken = new Set(wanted.map(nameOf));
  const { names } = assignIfNames({
    dialect: 'npwg',
    base: own,
    additional: [
      ...wanted.map((selection) => ({ network: labelOf(selection), ifName: nameOf(selection) })),
      ...leaving.filter(({ ifName }) => !spoken.has(ifName)),
    ],
    first: own[0]?.ifName ?? '',
  });
  const attach = wanted
    .map((selection, i) => ({ selection, ifName: names[own.length + i] ?? '' }))
    .filter(({ selection }) => !kept.has(selection))
    .map(({ selection, ifName }) => ({ ...selection, ifName }));
  const isAwaited = ({ state, ifName }: PresentNetwork): boolean =>
    state === 'coming' && attach.some((one) => one.ifName === ifName);
  return {
    detach: leaving
      .filter((one) => !isAwaited(one))
      .map(({ ifName }) => ifName)
      .reverse(),
    attach,
  };
}
