// timeout: 600s
// The daemon is killed while it attaches a pod, at a random moment, again and again. A user would otherwise lose pods,
// addresses or interfaces whenever the daemon is upgraded, evicted or runs out of memory.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isRoot, Lab } from '../lab/lab.ts';

const TRIES = Number(process.env['MULTUS_CHAOS_TRIES'] ?? 200);

/** Reproducible "random" moments: the seed is in the failure's message. */
const seed = Number(process.env['MULTUS_CHAOS_SEED'] ?? Date.now() % 1_000_000);
let state = seed;
function random(): number {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return state / 2 ** 31;
}

async function attachUnderFire(lab: Lab, attempt: number): Promise<void> {
  const where = `try ${attempt} with seed ${seed}`;
  await lab.startDaemon();
  const call = { container: `c${attempt}`, args: lab.podArgs('web') };
  const killAfterMs = random() * 160;
  let killed: Promise<unknown> = Promise.resolve();
  const reply = await lab.cni('ADD', {
    ...call,
    onSpawn: () => {
      killed = new Promise((resolve) => setTimeout(resolve, killAfterMs)).then(() => lab.endDaemon('SIGKILL'));
    },
  });
  await killed;
  const context = `${where}, killed after ${killAfterMs.toFixed(1)} ms`;
  assert.is(reply.code, 0, `${context}: ADD must succeed: ${reply.stdout} ${reply.stderr}`);
  const names = (await lab.links('pod1')).map(({ ifname }) => ifname).sort();
  assert.equal(names, ['eth0', 'net1', 'north'], context);
  assert.is(lab.reservations().length, 3, `${context}: ${lab.reservations().join(', ')}`);
  if (random() < 0.3) await lab.startDaemon(); // DEL through either door
  const del = await lab.cni('DEL', call);
  assert.is(del.code, 0, `${context}: DEL must succeed: ${del.stdout}`);
  await lab.endDaemon('SIGKILL');
  assert.equal(await lab.leftovers('pod1'), [], context);
}

if (isRoot) {
  test(`ADD succeeds and DEL leaves nothing when the daemon is killed meanwhile (${TRIES} times)`, async () => {
    const lab = await Lab.create();
    try {
      await lab.addNetns('pod1');
      lab.manifest(
        'all.yaml',
        lab.podManifest('web', 'one, two@north'),
        lab.nadManifest('one', lab.bridge('one', '10.211.0.0/24')),
        lab.nadManifest('two', lab.bridge('two', '10.212.0.0/24')),
      );
      for (let attempt = 1; attempt <= TRIES; attempt++) await attachUnderFire(lab, attempt);
    } finally {
      await lab.close();
    }
  });
} else {
  console.log('SKIPPED: chaos.test.ts: needs root');
  test.skip('needs root');
}

test.run();
