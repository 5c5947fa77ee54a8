/** Interface names of a pod's attachments. */
import { CniCode, CniError } from '../cni/errors.ts';

/**
 * Name every attachment: its requested name, else `first` for the first one and `net<position>` for the others,
 * where the position counts named attachments too (as Multus does: eth0, foo, net2). A generated name that
 * somebody requested is passed over for the next free number.
 *
 * @param requested names in attachment order, '' = none requested
 * @param first CNI_IFNAME
 * @param networks names of the networks, for the error message
 * @throws CniError 7 when two attachments ask for the same name
 */
export function assignIfNames(requested: readonly string[], first: string, networks: readonly string[]): string[] {
  const owner = new Map<string, number>();
  const wanted = requested.map((name, i) => (i === 0 && name === '' ? first : name));
  for (const [i, name] of wanted.entries()) {
    if (name === '') continue;
    const other = owner.get(name);
    if (other !== undefined) {
      throw new CniError(
        CniCode.invalidConfig,
        `Cannot name the interface of network "${networks[i]}" "${name}": network "${networks[other]}" has that name; request another one`,
      );
    }
    owner.set(name, i);
  }
  return wanted.map((name, i) => {
    if (name !== '') return name;
    let number = i;
    while (owner.has(`net${number}`)) number += 1;
    owner.set(`net${number}`, i);
    return `net${number}`;
  });
}
