/**
 * Names that become file names, interface names and arguments: checked once, where they enter.
 * Each `xRule` returns the rule that a value breaks, or undefined; each `checkX` returns the value or throws.
 */
import { CniCode, CniError } from './errors.ts';
import { quote } from './quote.ts';

const PLAIN_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const PLAIN_NAME_RULE =
  'it must start with a letter or digit, followed by letters, digits, "_", "." or "-" (ASCII) only';

/**
 * CNI section 2, CNI_CONTAINERID: "must start with an alphanumeric character, optionally followed by…".
 * @throws CniError 4
 */
export function checkContainerId(value: string): string {
  return accept(value, 'CNI_CONTAINERID', plainNameRule(value), CniCode.invalidEnvironment);
}

/**
 * An interface name that we ask a plugin to create: what the kernel accepts, without the names it treats specially
 * ("%" is a template for it; "all" and "default" are sysctl directories; "lo" always exists).
 * @param what names the origin, e.g. 'CNI_IFNAME' or 'interface of network default/macvlan-a'
 * @param code 4 when the name comes from the environment @default 7
 * @throws CniError with that code
 */
export function checkIfName(value: string, what: string, code: number = CniCode.invalidConfig): string {
  return accept(value, what, ifNameRule(value), code);
}

/** The rule for container IDs and network names. */
export function plainNameRule(value: string): string | undefined {
  if (value === '') return 'it must not be empty';
  return PLAIN_NAME.test(value) ? undefined : PLAIN_NAME_RULE;
}

/** The rule for plugin types. */
export function pluginTypeRule(value: string): string | undefined {
  if (value === '') return 'it must not be empty';
  if (value === '.' || value === '..') return 'it must not be "." or ".."';
  if (value.includes('/')) return 'it must be a bare file name without "/"';
  if (value.includes('\0')) return 'it must not contain a NUL character';
  return undefined;
}

const IF_NAME_BYTES = 15;
const RESERVED_IF_NAMES = new Set(['.', '..', 'all', 'default', 'lo']);
/** A space, or a control character. (Classes like \p{Cc} make V8 load ICU's tables, up to 5 ms of a program's start.) */
function isSpaceOrControl(character: string): boolean {
  const code = character.charCodeAt(0);
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || /\s/.test(character);
}

/** The rule for interface names. */
export function ifNameRule(value: string): string | undefined {
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.length === 0) return 'it must not be empty';
  if (bytes.length > IF_NAME_BYTES) return `the name is ${bytes.length} bytes, at most ${IF_NAME_BYTES} are allowed`;
  if (RESERVED_IF_NAMES.has(value)) return 'the name is reserved';
  const character = /[/:%]/.exec(value)?.[0];
  if (character !== undefined) return `it must not contain "${character}"`;
  if (Array.from(value).some(isSpaceOrControl)) return 'it must not contain whitespace or control characters';
  // The kernel tests single bytes and takes 0xa0 for a space, also inside the UTF-8 form of another character.
  if (bytes.includes(0xa0)) return 'it must not contain a character whose UTF-8 form has the byte 0xa0';
  if (bytes.toString('utf8') !== value) return 'it must not contain half of a surrogate pair';
  return undefined;
}

function accept(value: string, what: string, rule: string | undefined, code: number): string {
  if (rule === undefined) return value;
  throw new CniError(code, `Cannot use ${what} ${quote(value)}: ${rule}`);
}
