/** The steps from what a pod has to what its annotation asks for. Pure. */
import type { OwnChange } from '../../attach/hotplug/hotplug-request.ts';
import type { JournalAttachment, JournalRecord } from '../../attach/journal-record.ts';
import { askedText } from '../../pod/asked.ts';
import type { NetworkChanges, PresentNetwork } from '../../pod/network-changes.ts';
import type { NetworkSelection } from '../../pod/selection.ts';

const STATES: Record<JournalAttachment['state'], PresentNetwork['state']> = {
  planned: 'coming',
  attaching: 'coming',
  attached: 'attached',
  detaching: 'leaving',
};

/** What a pod has, as networkChanges wants it. */
export function presentNetworks({ attachments }: JournalRecord): PresentNetwork[] {
  return attachments
    .filter(({ auxiliary }) => !auxiliary)
    .map(({ network, ifName, asked = '', state }) => ({ network, ifName, asked, state: STATES[state] }));
}

/** Everything that goes, then everything that comes. */
export function stepsOf({ detach, attach }: NetworkChanges): OwnChange[] {
  return [
    ...detach.map((ifName) => ({ command: 'DEL', ifName }) as const),
    ...attach.map((selection) => ({ command: 'ADD', selection }) as const),
  ];
}

/** Steps of one key are the same. */
export function keyOf(step: OwnChange): string {
  if (step.command === 'DEL') return `DEL ${step.ifName}`;
  const { namespace, name, ifName } = step.selection;
  return `ADD ${namespace}/${name} ${ifName} ${askedText(step.selection)}`;
}

/** Does an entry ask for what is being attached? */
export function isAsked(coming: NetworkSelection, wanted: readonly NetworkSelection[]): boolean {
  return wanted.some(
    (one) =>
      one.namespace === coming.namespace &&
      one.name === coming.name &&
      (one.ifName === '' || one.ifName === coming.ifName) &&
      askedText(one) === askedText(coming),
  );
}
