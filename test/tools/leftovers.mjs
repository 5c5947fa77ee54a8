// What tests must not leave on the machine: network namespaces, processes, cgroups, folders.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const NETNS_DIR = '/run/netns';
const CGROUPS = '/sys/fs/cgroup';
/** How long something may take to go away after the test that made it. */
const GRACE_MS = 3000;

/** Processes of this run inherit this, namespaces, cgroups and folders have it in their names: others' are not ours. */
const MARK = `MULTUS_TEST_RUN=${process.pid}`;
process.env.MULTUS_TEST_RUN = String(process.pid);
const NAME_PREFIX = `mn${process.pid}-`;

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process ended meanwhile
  }
}

/** A process of ours: marked, or named multus* (a plugin gets no more environment than its caller chose). */
function isOurs(pid) {
  const command = read(`/proc/${pid}/cmdline`);
  if (command === '') return false; // kernel thread, zombie, or gone
  const environment = read(`/proc/${pid}/environ`).split('\0');
  if (environment.includes(MARK)) return true;
  const isOther = environment.some((entry) => entry.startsWith('MULTUS_TEST_RUN='));
  return !isOther && /^multus/.test(read(`/proc/${pid}/comm`));
}

/** Names of a folder that have the run's prefix in them; none where it cannot be listed. */
function namesIn(folder) {
  try {
    return readdirSync(folder).filter((name) => name.includes(NAME_PREFIX));
  } catch {
    return [];
  }
}

/** Runtimes of tests make cgroups named for their machine, in every hierarchy there is. */
function cgroups() {
  const hierarchies = existsSync(CGROUPS) ? readdirSync(CGROUPS).map((name) => `${CGROUPS}/${name}`) : [];
  return [CGROUPS, ...hierarchies].flatMap((folder) => namesIn(folder).map((name) => `${folder}/${name}`));
}

/** What exists now: an identity, and how to describe it. */
export function takeInventory() {
  const netns = namesIn(NETNS_DIR);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return new Map([
    ...netns.map((name) => [`netns ${name}`, `network namespace ${NETNS_DIR}/${name}`]),
    ...cgroups().map((path) => [`cgroup ${path}`, `cgroup ${path}`]),
    ...namesIn(tmpdir()).map((name) => [`folder ${name}`, `folder ${tmpdir()}/${name}`]),
    ...pids
      .filter(isOurs)
      .map((pid) => [`process ${pid}`, `process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`]),
  ]);
}

/** Descriptions of what exists now, did not at `before`, and stays. */
export async function findLeftovers(before) {
  let left = [...takeInventory()].filter(([id]) => !before.has(id));
  for (const deadline = Date.now() + GRACE_MS; left.length > 0 && Date.now() < deadline; ) {
    await sleep(100);
    const now = takeInventory();
    left = left.filter(([id]) => now.has(id));
  }
  return left.map(([, description]) => description.trim());
}
