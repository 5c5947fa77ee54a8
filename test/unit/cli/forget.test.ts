import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../../src/attach/journal.ts';
import { forget } from '../../../src/cli/forget.ts';
import { bootId } from '../../../src/node/boot-id.ts';
import { aDefaultAttachment, aRecord } from '../attach/records.ts';
import { folderFor } from '../folder.ts';

const folder = folderFor(test);
const journal = () => new Journal(folder.path);

async function refusal(...prefixes: string[]): Promise<string> {
  try {
    await forget(prefixes, { cniDir: folder.path });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

// A pod that runs would keep its links and addresses for ever: its runtime's DEL would find nothing to detach.
test('a container that is attached and in order is kept, unless it is forced', async () => {
  const attachments = [aDefaultAttachment()];
  await journal().write(
    aRecord({ containerId: 'alive', bootId: bootId(), netnsPath: '/proc/self/ns/net', attachments }),
  );
  assert.match(await refusal('al'), 'Cannot forget "alive": it is attached and in order');
  assert.ok(existsSync(folder.at('alive')));
  assert.match(await forget(['al'], { cniDir: folder.path, force: true }), 'forgot alive; what the plugins left');
  assert.not(existsSync(folder.at('alive')));
});

test('what can never be detached is dropped, several at once', async () => {
  for (const containerId of ['k1', 'k2', 'k3']) {
    await journal().write(
      aRecord({ containerId, attachments: [aDefaultAttachment({ state: 'detaching', result: '' })] }),
    );
  }
  assert.match(await refusal('k'), 'several do: k1, k2, k3');
  assert.match(await forget(['k1', 'k2', 'k3'], { cniDir: folder.path }), 'forgot k1, k2, k3;');
  assert.equal(journal().list(), []);
});

test('a prefix that no container has drops none of the others', async () => {
  await journal().write(aRecord({ containerId: 'k1' }));
  assert.match(await refusal('k1', 'x'), 'no container has an ID that begins so');
  assert.equal(journal().list(), ['k1']);
});

test.run();
