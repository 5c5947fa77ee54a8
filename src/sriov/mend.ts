/** What would mend a check that fails: the command that an operator would type, and the same for `--fix`. */
import type { VfSettings } from '../pod/vf-settings.ts';
import { ipLinkSet, shellWord, vfWords } from './ip-command.ts';
import type { Fix, PfState, PlacedLink, VfState } from './model.ts';

function ip({ netns, link }: PlacedLink, what: string): string {
  return ipLinkSet({ name: link.name, netnsPath: netns.isHost ? '' : netns.path }, what);
}

/**
 * Set a VF on its PF.
 * @param isIdle no container has it: `--fix` may do it, too, unless its interface was found nowhere: it may be in a virtual
 *   machine, or where we could not look
 * @returns undefined when nobody knows where the PF is, or nothing is to be set
 */
export function setVf(pf: PfState, vf: VfState, settings: VfSettings, isIdle: boolean): Fix | undefined {
  const what = vfWords(settings);
  if (pf.place === undefined || what === '') return undefined;
  const { index, device, places } = vf;
  const command = ip(pf.place, `vf ${index} ${what}`);
  const isFree = isIdle && (device === undefined || places.length > 0);
  return { command, action: isFree ? { kind: 'set-vf', pf: pf.place, vf: index, settings, places } : undefined };
}

/** Give an interface its name back. */
export function rename(place: PlacedLink, name: string, isIdle: boolean): Fix {
  return {
    command: ip(place, `name ${shellWord(name)}`),
    action: isIdle ? { kind: 'rename', place, name } : undefined,
  };
}

/** Bring an interface back to the namespace of pid 1, under this name. */
export function moveToHost(place: PlacedLink, name: string, isIdle: boolean): Fix {
  const command = ip(place, `netns 1 name ${shellWord(name)}`);
  return { command, action: isIdle ? { kind: 'move-to-host', place, name } : undefined };
}

/** Remove a file that says what is not so. */
export function removeFile(path: string, isIdle: boolean): Fix | undefined {
  if (!path.startsWith('/')) return undefined;
  return { command: `rm ${shellWord(path)}`, action: isIdle ? { kind: 'remove-file', path } : undefined };
}

/** What only a person may do, in whose place no program knows better. */
export function advise(command: string): Fix {
  return { command, action: undefined };
}
