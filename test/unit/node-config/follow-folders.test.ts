import { mkdirSync, renameSync, rmSync, watch } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { followFolders } from '../../../src/node-config/follow-folders.ts';
import { FakeLog } from '../../fakes/fake-log.ts';
import { until } from '../../lab/process.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);

/** Longer than any test: looks come by events only. */
const NEVER_MS = 600_000;

/** Follows while `work` runs. */
async function following(
  options: { folders: string[]; look?: () => Promise<void>; recheckMs?: number },
  work: (looks: () => number) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  let looks = 0;
  const look = async (): Promise<void> => {
    looks += 1;
    await options.look?.();
  };
  const { folders, recheckMs = NEVER_MS } = options;
  const end = followFolders({ folders, look, log: new FakeLog(), signal: ending.signal, recheckMs });
  try {
    await work(() => looks);
  } finally {
    ending.abort();
    await end;
  }
}

test('looks at once, and again when a file comes, changes, is replaced or goes', () =>
  following({ folders: [folder.path] }, async (looks) => {
    await until('it looked', () => looks() === 1);
    const steps: [string, () => void][] = [
      ['a file comes', () => folder.write('a', '1')],
      ['it changes', () => folder.write('a', '2')],
      ['it is replaced', () => renameSync(folder.write('../multus-unit-draft', '3'), folder.at('a'))],
      ['it goes', () => rmSync(folder.at('a'))],
    ];
    for (const [what, step] of steps) {
      const before = looks();
      step();
      await until(`it looked again after ${what}`, () => looks() > before);
    }
  }));

test('never looks twice at a time, and does not miss what changes during a look', async () => {
  let running = 0;
  let most = 0;
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const look = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await gate;
    running -= 1;
  };
  await following({ folders: [folder.path], look }, async (looks) => {
    await until('it looks', () => running === 1);
    let isSeen = false;
    const ownWatch = watch(folder.path, () => {
      isSeen = true;
    });
    folder.write('a', '1');
    await until('the event is there', () => isSeen);
    ownWatch.close();
    assert.is(looks(), 1);
    release();
    await until('it looked again', () => looks() > 1);
    assert.is(most, 1);
  });
});

test('looks regularly where there are no events', () =>
  following({ folders: [], recheckMs: 1 }, (looks) => until('it looked three times', () => looks() > 3)));

test('watches a folder that comes later, and one that was made anew', () =>
  following({ folders: [folder.path, folder.at('late')] }, async (looks) => {
    await until('it looked', () => looks() === 1);
    const again = async (step: () => void): Promise<void> => {
      const before = looks();
      step();
      await until('it looked again', () => looks() > before);
    };
    for (let i = 0; i < 2; i++) {
      await again(() => mkdirSync(folder.at('late')));
      await again(() => folder.write('late/a', '1'));
      await again(() => rmSync(folder.at('late'), { recursive: true }));
    }
  }));

test('ends at once when told to, also in the middle of a pause', () =>
  following({ folders: [folder.path] }, (looks) => until('it looked', () => looks() === 1)));

test.run();
