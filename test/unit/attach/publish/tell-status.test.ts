import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Outbox } from '../../../../src/attach/publish/outbox.ts';
import { tellStatus } from '../../../../src/attach/publish/tell-status.ts';
import { CniCode } from '../../../../src/cni/errors.ts';
import { bootId } from '../../../../src/node/boot-id.ts';
import { FakeLog } from '../../../fakes/fake-log.ts';
import { fakeSource } from '../../../fakes/fake-source.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { folderFor } from '../../folder.ts';
import { aRecord } from '../records.ts';

const folder = folderFor(test);

function tell(netnsPath: string): Promise<boolean> {
  const options = { openSource: () => fakeSource({}), log: new FakeLog(), signal: new AbortController().signal };
  return tellStatus(aRecord({ bootId: bootId(), netnsPath }), undefined, {
    ...options,
    outbox: new Outbox(folder.path),
  });
}

test('a container whose namespace is gone has nothing to tell', async () => {
  assert.is(await tell(folder.at('gone')), false);
});

// In a container without the mount every pod looks dead: its status would be settled, and never told by anybody.
test('a namespace that cannot be seen from here stays owed', async () => {
  const { code, message } = await laterRefusal(() => tell(folder.at('not-mounted', 'pod')));
  assert.is(code, CniCode.invalidNetns);
  assert.match(message, /not-mounted\/pod of pod prod\/web/);
});

test.run();
