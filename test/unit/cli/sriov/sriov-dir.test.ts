import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { missingSriovDir } from '../../../../src/cli/sriov/sriov-dir.ts';
import { DEFAULT_SRIOV_DIR } from '../../../../src/sriov/claims/sriov-cni-files.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

// A misspelt folder makes the VFs of living pods look like nobody's.
test('a folder that was named and is not there is told; the usual one need not be there', () => {
  const told = "--sriov-dir /nowhere is not there: whatever sriov-cni set up counts as nobody's\n";
  assert.is(missingSriovDir('/nowhere'), told);
  assert.equal([missingSriovDir(folder.path), missingSriovDir(DEFAULT_SRIOV_DIR), missingSriovDir()], ['', '', '']);
});

test.run();
