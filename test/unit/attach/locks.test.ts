/** Who works on a container does so alone. A user loses: interfaces of a pod that two operations tear apart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type LockRequest, withContainerLock } from '../../../src/attach/locks.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);
const request = (command: string): LockRequest => ({
  cniDir: folder.at('state'),
  command,
  signal: AbortSignal.timeout(10_000),
});

test('what goes on after the answer keeps the next operation out, also when it fails', async () => {
  for (const end of ['well', 'badly']) {
    const order: string[] = [];
    let settle: () => void = () => undefined;
    const later = new Promise<void>((resolve, reject) => {
      settle = () => (end === 'well' ? resolve() : reject(new Error('EIO')));
    });
    const answer = await withContainerLock('c0ffee', request('ADD'), async (until) => {
      until(later.finally(() => order.push('settled')));
      return 'answer';
    });
    assert.is(answer, 'answer');
    const next = withContainerLock('c0ffee', request('DEL'), async () => order.push('next'));
    await withContainerLock('another', request('ADD'), async () => order.push('another container'));
    settle();
    await next;
    assert.equal(order, ['another container', 'settled', 'next']);
  }
});

test.run();
