/** `--expect`: settings of a VF as an operator writes them on a command line. */
import { CniCode, CniError } from '../../cni/errors.ts';
import { quote } from '../../cni/quote.ts';
import type { VfSettings } from '../../pod/vf-settings.ts';

/** How one setting is read; `undefined` from `read` = not a value of it. */
interface Setting {
  wanted: string;
  read: (text: string) => VfSettings | undefined;
}

const LARGEST_VLAN = 4094;
const LARGEST_RATE = 2 ** 32 - 1;

function number(key: 'vlan' | 'qos' | 'minTxRate' | 'maxTxRate', largest: number, unit = ''): Setting {
  const read = (text: string): VfSettings | undefined =>
    /^\d{1,10}$/.test(text) && Number(text) <= largest ? { [key]: Number(text) } : undefined;
  return { wanted: `a number from 0 to ${largest}${unit}`, read };
}

function flag(key: 'spoofCheck' | 'trust'): Setting {
  const read = (text: string): VfSettings | undefined =>
    text === 'on' || text === 'off' ? { [key]: text === 'on' } : undefined;
  return { wanted: 'on or off', read };
}

function word(key: 'protocol' | 'linkState', words: readonly string[]): Setting {
  const read = (text: string): VfSettings | undefined => (words.includes(text) ? { [key]: text } : undefined);
  return { wanted: words.join(' or '), read };
}

function readMac(text: string): VfSettings | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text) ? { mac: text } : undefined;
}

/** By the name that operators give it; 0 is untagged also where a driver (mlx4) shows 4095 for that. */
const SETTINGS = new Map<string, Setting>([
  ['vlan', number('vlan', LARGEST_VLAN)],
  ['qos', number('qos', 7)],
  ['proto', word('protocol', ['802.1q', '802.1ad'])],
  ['mac', { wanted: 'six bytes in hexadecimal like 02:00:00:00:00:10', read: readMac }],
  ['spoofchk', flag('spoofCheck')],
  ['trust', flag('trust')],
  ['link-state', word('linkState', ['auto', 'enable', 'disable'])],
  ['max-tx-rate', number('maxTxRate', LARGEST_RATE, ' (Mbit/s)')],
  ['min-tx-rate', number('minTxRate', LARGEST_RATE, ' (Mbit/s)')],
]);

function refuse(problem: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `Cannot use --expect: ${problem}`);
}

function parseOne(part: string): [string, VfSettings] {
  const split = part.indexOf('=');
  const name = split < 0 ? part : part.slice(0, split);
  const setting = SETTINGS.get(name.toLowerCase());
  if (setting === undefined) throw refuse(`${quote(name)} is no setting; use ${[...SETTINGS.keys()].join(', ')}`);
  if (split < 0) throw refuse(`"${name}" has no value; write ${name}=${setting.wanted}`);
  const value = part.slice(split + 1);
  const settings = setting.read(value.toLowerCase());
  if (settings === undefined) throw refuse(`"${name}" must be ${setting.wanted}, got ${quote(value)}`);
  return [name.toLowerCase(), settings];
}

/**
 * Read "vlan=210,qos=2,proto=802.1q,mac=02:00:00:00:00:10,spoofchk=on,trust=off,link-state=auto,max-tx-rate=100": each
 * at most once, in any letter case.
 * @throws CniError 4 naming the setting, its value and what it may be
 */
export function parseExpect(text: string): VfSettings {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw refuse('it is empty; write for instance vlan=210,trust=off');
  const given = new Map<string, VfSettings>();
  for (const [name, settings] of parts.map(parseOne)) {
    if (given.has(name)) throw refuse(`"${name}" stands in it twice`);
    given.set(name, settings);
  }
  return Object.assign({}, ...given.values());
}
