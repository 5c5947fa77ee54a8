// A lock file that names its holder, so that a lock left by a killed process is seen through.
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Pid and start time: a pid alone may by now belong to another process. '' when the process is gone. */
function identify(pid) {
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) return '';
  // The command name (field 2) may hold spaces, so count from its closing parenthesis: field 22 is the start time.
  const fields = readFileSync(stat, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return `${pid} ${fields[19]}`;
}

function readHolder(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function tryTake(file) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, identify(process.pid));
  try {
    linkSync(draft, file); // unlike open-then-write, never shows a lock without its holder
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

/** Put a dead holder's lock aside; put it back if somebody took the lock in between. */
function removeStale(file, holder) {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    if (readFileSync(aside, 'utf8') !== holder) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(aside, { force: true });
}

/** Run `work` while holding `file`; `onWait(pid)` is called once when another process holds it. */
export async function withLock(file, work, onWait) {
  mkdirSync(dirname(file), { recursive: true });
  for (let told = false; !tryTake(file); ) {
    const holder = readHolder(file);
    if (holder === undefined) continue;
    const pid = Number(holder.split(' ')[0]);
    if (identify(pid) !== holder) {
      removeStale(file, holder);
      continue;
    }
    if (!told) onWait(pid);
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
