/** The plugins of one attachment in their order (CNI spec section 3, "Lifecycle & Ordering"). */
import { CniCode, CniError, toCniError } from '../cni/errors.ts';
import { quote } from '../cni/quote.ts';
import { RawObject } from '../cni/raw-json.ts';
import { type Invocation, type RunOptions, runPlugin } from './run-plugin.ts';

/** One plugin of the chain, with its stdin except for prevResult. */
export interface ChainStep {
  type: string;
  stdin: string;
}

export type ChainInvocation = Omit<Invocation, 'command' | 'plugin'>;

function withPrevResult(stdin: string, prevResult: string | undefined): string {
  if (prevResult === undefined) return stdin;
  return RawObject.parse(stdin, 'stored plugin input').with({ prevResult }).text;
}

/** @throws CniError 100 when the plugin printed nothing, 6 with what it printed when that is not a JSON object */
function requireObject(text: string, what: string): void {
  if (text.trim() === '') throw new CniError(CniCode.delegateFailed, `Cannot use the ${what}: it printed nothing`);
  try {
    RawObject.parse(text, what);
  } catch (error) {
    const { code, message } = toCniError(error);
    throw new CniError(code, message, { details: `it printed ${quote(text)}`, cause: error });
  }
}

/**
 * ADD: each plugin gets the result of the one before it.
 * @param before the result that the first plugin gets, for a chain that runs behind another network
 * @returns the last plugin's result, its own bytes.
 */
export async function addChain(
  steps: readonly ChainStep[],
  invocation: ChainInvocation,
  options: RunOptions,
  before?: string,
): Promise<string> {
  let result = before;
  for (const step of steps) {
    const one: Invocation = { ...invocation, command: 'ADD', plugin: step.type };
    // In order: a chain is defined by it.
    result = await runPlugin(one, withPrevResult(step.stdin, result), options);
    requireObject(result, `result of plugin "${step.type}" of network "${invocation.network}"`);
  }
  if (result === undefined) throw new CniError(CniCode.internal, `network "${invocation.network}" has no plugin`);
  return result;
}

/**
 * What a plugin gets for DEL. A result that cannot be put into the configuration (nested too deep) is left out: DEL
 * must go on without.
 */
export function stdinForDel(stdin: string, prevResult: string | undefined): string {
  try {
    return withPrevResult(stdin, prevResult);
  } catch {
    return stdin;
  }
}

/**
 * DEL: in reverse order, with the result of ADD where the version knows it (>= 0.4.0). Goes on past failures, so that
 * one plugin that cannot be deleted does not keep the addresses of the others; a retry runs them all again.
 * @throws the first error
 */
export async function delChain(
  steps: readonly ChainStep[],
  invocation: ChainInvocation,
  prevResult: string | undefined,
  options: RunOptions,
): Promise<void> {
  let first: unknown;
  for (const step of [...steps].reverse()) {
    const one: Invocation = { ...invocation, command: 'DEL', plugin: step.type };
    try {
      await runPlugin(one, stdinForDel(step.stdin, prevResult), options);
    } catch (error) {
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}

/** CHECK: in the order of ADD, each with the final result of ADD. */
export async function checkChain(
  steps: readonly ChainStep[],
  invocation: ChainInvocation,
  prevResult: string,
  options: RunOptions,
): Promise<void> {
  for (const step of steps) {
    const one: Invocation = { ...invocation, command: 'CHECK', plugin: step.type };
    await runPlugin(one, withPrevResult(step.stdin, prevResult), options);
  }
}
