/**
 * Which networks a pod asks for: the values of `k8s.v1.cni.cncf.io/networks` and `v1.multus-cni.io/default-network`
 * (Network Custom Resource Definition De-facto Standard 1.3, section 4.1), and of `tke.cloud.tencent.com/networks`, which
 * has the same two forms but names configuration files of the node.
 */
import { scanDocument, scanElements } from '../cni/json-scan.ts';
import { checkIfName } from '../cni/names.ts';
import { describe, show } from '../cni/quote.ts';
import {
  checkReference,
  type NetworkSelection,
  NO_REQUESTS,
  refuseSelection,
  type SelectionContext,
} from './selection.ts';
import { parseJsonEntry } from './selection-entry.ts';

/** More entries are refused: the annotation is written by any pod author. */
const MAX_SELECTIONS = 64;

/** `[namespace/]name[@interface]` */
function parseShortItem(item: string, position: number, context: SelectionContext): NetworkSelection {
  const where = `item ${position} (${show(item)})`;
  const [reference = '', ifName = '', ...moreAt] = item.split('@').map((part) => part.trim());
  const form = 'write [namespace/]name[@interface]';
  if (moreAt.length > 0) throw refuseSelection(context, `${where} has more than one "@"; ${form}`);
  const path = reference.split('/').map((part) => part.trim());
  if (path.length > 2) throw refuseSelection(context, `${where} has more than one "/"; ${form}`);
  const name = path.at(-1) ?? '';
  if (name === '') throw refuseSelection(context, `${where} names no network; remove the empty item`);
  if (path[0] === '') throw refuseSelection(context, `${where} has no namespace before "/"; ${form}`);
  const namespace = path.length === 2 ? (path[0] ?? '') : '';
  return {
    ...NO_REQUESTS,
    ...checkReference(context, { namespace, name }, { namespace: `namespace of ${where}`, name: `name of ${where}` }),
    ifName: ifName === '' ? '' : checkIfName(ifName, `interface of ${where} of ${context.origin}`),
  };
}

function parseJsonForm(text: string, context: SelectionContext): NetworkSelection[] {
  const { start } = scanDocument(text, context.origin);
  if (text[start] !== '[') {
    throw refuseSelection(context, `the JSON form must be a list of objects, got ${describe(JSON.parse(text))}`);
  }
  return scanElements(text, start).map((element, i) =>
    parseJsonEntry(text.slice(element.start, element.end), i + 1, context),
  );
}

/**
 * Parse a list of networks. Absent or blank means none.
 * A value that contains `[`, `{` or `"` is JSON, anything else the comma-separated short form.
 * @throws CniError 6 naming the place where JSON ends to be JSON, 7 naming origin, entry, field and value.
 */
export function parseSelections(text: string | undefined, context: SelectionContext): NetworkSelection[] {
  if (text === undefined || text.trim() === '') return [];
  const selections = /[[{"]/.test(text)
    ? parseJsonForm(text, context)
    : text.split(',').map((item, i) => parseShortItem(item.trim(), i + 1, context));
  if (selections.length > MAX_SELECTIONS) {
    throw refuseSelection(context, `it asks for ${selections.length} networks, at most ${MAX_SELECTIONS} are allowed`);
  }
  return selections;
}

/**
 * Parse the value of the default-network annotation: exactly one network. Absent means none.
 * @throws CniError as parseSelections
 */
export function parseDefaultNetwork(text: string | undefined, context: SelectionContext): NetworkSelection | undefined {
  if (text === undefined) return undefined;
  const selections = parseSelections(text, context);
  const [first] = selections;
  if (first !== undefined && selections.length === 1) return first;
  const remedy = 'to use the default network of the node, remove the annotation';
  throw refuseSelection(context, `it must name exactly one network, it names ${selections.length}; ${remedy}`);
}
