/** Who uses which VF of this node, and what was asked for it: everything that the node has written down of it. */
import { loadConfPath } from '../../cluster/conf-files.ts';
import { CniCode, CniError } from '../../cni/errors.ts';
import type { VfSettings } from '../../pod/vf-settings.ts';
import { type Claims, claimOf } from '../../sriov/claims/claim.ts';
import { joinFiles } from '../../sriov/claims/join-claims.ts';
import { DEFAULT_SRIOV_DIR, readSriovCniFiles } from '../../sriov/claims/sriov-cni-files.ts';
import { vfPluginOf } from '../../sriov/claims/vf-plugin.ts';
import type { VfClaim } from '../../sriov/model.ts';
import { type DefinitionOptions, definitionClaims } from './definition-claims.ts';
import { journalClaims, type VfAttachment } from './journal-claims.ts';

export interface ClaimOptions extends DefinitionOptions {
  /** sriov-cni's folder. */
  sriovDir?: string;
  /** A configuration whose settings the selected VFs are to have: file, or folder whose first one counts. */
  conf?: string;
  /** Settings that the selected VFs are to have. */
  expect?: VfSettings;
}

/** @throws CniError 5 to 7 when it cannot be read, or takes no VF */
function claimOfConf(path: string): VfClaim {
  const config = loadConfPath(path);
  const plugins = config.plugins.map((plugin) => ({ type: plugin.type, stdin: plugin.config.text }));
  const found = vfPluginOf(plugins);
  if (found?.settings === undefined) {
    const types = plugins.map(({ type }) => type).join(', ');
    const problem = `none of its plugins (${types}) is known to set up a VF`;
    throw new CniError(
      CniCode.invalidConfig,
      `Cannot use --conf ${path}: ${problem}; one of type sriov must be among them`,
    );
  }
  return claimOf('conf', `--conf ${path}`, { address: found.address, network: config.name, settings: found.settings });
}

/** What the command line asks for: of the VF that the configuration names, else of every VF that is selected. */
function given({ conf, expect }: ClaimOptions): VfClaim[] {
  const ofConf = conf === undefined ? [] : [claimOfConf(conf)];
  const ofExpect = expect === undefined ? [] : [claimOf('expect', '--expect', { settings: expect })];
  return [...ofConf, ...ofExpect];
}

/**
 * The claims of containers alone, by sriov-cni's files and the journal: who has which VF. No definition is looked up.
 * @throws CniError 105 when the journal cannot be listed
 */
export async function collectUses({
  cniDir,
  sriovDir = DEFAULT_SRIOV_DIR,
}: Pick<ClaimOptions, 'cniDir' | 'sriovDir'>): Promise<Claims & { attachments: VfAttachment[] }> {
  const { attachments, problems, pods } = await journalClaims(cniDir);
  const ofJournal = attachments.map(({ claim }) => claim);
  const files = readSriovCniFiles(sriovDir, [...pods.keys()]);
  const ofFiles = joinFiles(files.claims, ofJournal, pods);
  return { claims: [...ofFiles, ...ofJournal], problems: [...files.problems, ...problems], attachments };
}

/**
 * Every claim on a VF of this node, in the order of their sources (a later one overrules an earlier one).
 *
 * A claim of --conf or --expect has neither container nor index: it is on every VF that is looked at. One that the journal
 * has of an old plugin has no address: its VF is the one in namespace `netns` named `ifName`.
 * @returns `problems`: files, records and definitions that cannot be used, each with its name and the reason
 * @throws CniError 105 when the journal cannot be listed, 5 to 7 when --conf cannot be used
 */
export async function collectClaims(options: ClaimOptions): Promise<Claims> {
  const asked = given(options);
  const { claims, problems, attachments } = await collectUses(options);
  const definitions = await definitionClaims(attachments, options);
  return { claims: [...claims, ...definitions.claims, ...asked], problems: [...problems, ...definitions.problems] };
}
