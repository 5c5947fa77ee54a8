/** An error that users are told of in words of their own: what they named is not there. */
import { CniCode, CniError } from '../../cni/errors.ts';

/** A network that a pod selects is not defined, for certain. */
export class NetworkNotFoundError extends CniError {
  readonly namespace: string;
  /** The definition's. */
  readonly definition: string;
  readonly reason: string;

  constructor(namespace: string, definition: string, reason: string) {
    super(CniCode.invalidConfig, `Cannot find network "${namespace}/${definition}": ${reason}`);
    this.namespace = namespace;
    this.definition = definition;
    this.reason = reason;
  }
}
