/** The option --sriov-dir: sriov-cni's folder. */
import { existsSync } from 'node:fs';
import { DEFAULT_SRIOV_DIR } from '../../sriov/claims/sriov-cni-files.ts';

/** Without its files a pod's VF is nobody's. A node without sriov-cni does not have the usual folder. @returns '' or a line */
export function missingSriovDir(sriovDir = DEFAULT_SRIOV_DIR): string {
  if (sriovDir === DEFAULT_SRIOV_DIR || existsSync(sriovDir)) return '';
  return `--sriov-dir ${sriovDir} is not there: whatever sriov-cni set up counts as nobody's\n`;
}
