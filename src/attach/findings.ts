/** Differences between what is promised of an attachment and what the kernel has, each treated by the mode of its fact. */
import { CniCode, CniError } from '../cni/errors.ts';
import type { VerifyFact, VerifyModes } from '../pod/multus-config.ts';
import type { PlannedAttachment } from '../pod/plan.ts';

/** By whose word a fact is expected: of a VF a plugin reports nothing. */
const PROMISE: Record<VerifyFact, string> = {
  link: 'as its plugin reports',
  name: 'as its plugin reports',
  mac: 'as its plugin reports',
  mtu: 'as its plugin reports',
  addresses: 'as its plugin reports',
  routes: 'as its plugin reports',
  vlan: 'as its configuration asks',
  inheritedVlan: 'as its configuration asks',
  vf: 'as its configuration asks',
};

/** Collects differences: enforce throws, warn keeps, off forgets. */
export class Findings {
  readonly warnings: string[] = [];
  readonly modes: VerifyModes;
  private readonly attachment: PlannedAttachment;

  constructor(modes: VerifyModes, attachment: PlannedAttachment) {
    this.modes = modes;
    this.attachment = attachment;
  }

  /** @throws CniError 102 in the mode `enforce` */
  report(fact: VerifyFact, message: string, hint: string): void {
    if (this.modes[fact] !== 'enforce') {
      this.tell([fact], message);
      return;
    }
    const plugins = this.attachment.steps.map((step) => step.type).join(', ');
    throw new CniError(
      CniCode.verificationFailed,
      `Network "${this.attachment.network}" (plugin ${plugins}) is not ${PROMISE[fact]}: ${message}`,
      { details: `${hint}; to accept it set "verify": {"${fact}": "warn"} in the multus configuration` },
    );
  }

  /** A warning that is never more, whatever the mode: of what cannot be told. Nothing where all of the facts are off. */
  tell(facts: readonly VerifyFact[], message: string): void {
    if (this.isAsked(facts)) this.warnings.push(message);
  }

  isAsked(facts: readonly VerifyFact[]): boolean {
    return facts.some((fact) => this.modes[fact] !== 'off');
  }
}
