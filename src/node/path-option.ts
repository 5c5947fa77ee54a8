/** Options of commands that are paths. */
import { isAbsolute } from 'node:path';
import { InvalidArgumentError } from 'commander';

/**
 * A path that another program reads later, or from elsewhere, is the same for everybody.
 * @throws InvalidArgumentError, to which the option and its value are added
 */
export function absolutePath(text: string): string {
  if (!isAbsolute(text)) throw new InvalidArgumentError('It must be an absolute path.');
  return text;
}
