import { createServer, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { podDevices } from '../../../../src/node/kubelet/pod-devices.ts';
import {
  answerWith,
  FakeKubelet,
  type FakePod,
  grpcFrame,
  podResourcesAnswer,
  refuseWith,
} from '../../../fakes/fake-kubelet.ts';
import { laterRefusal } from '../../cni/refusal.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);
const NEVER = new AbortController().signal;
const WEB = { namespace: 'prod', name: 'web', uid: 'u-1' };
const RESOURCE = 'intel.com/sriov';
const web: FakePod = {
  namespace: 'prod',
  name: 'web',
  containers: [{ devices: [[RESOURCE, ['0000:3b:02.3', '0000:3b:02.1']]] }],
};
const WEBS_DEVICES = new Map([[RESOURCE, ['0000:3b:02.1', '0000:3b:02.3']]]);

let kubelet: FakeKubelet;
test.before.each(async () => {
  kubelet = await FakeKubelet.start(folder.path);
  kubelet.pods = [{ ...web, name: 'other' }, web];
});
test.after.each(() => kubelet.stop());

const socket = () => folder.at('pod-resources', 'kubelet.sock');
const ask = (pod = WEB) => podDevices(pod, folder.path, NEVER);

/** Error 11 about the socket: its reason. */
async function reason(work: () => Promise<unknown> = ask): Promise<string> {
  const { code, message } = await laterRefusal(work);
  assert.is(code, 11, message);
  const prefix = `Cannot ask the kubelet at ${socket()} for the devices of pod prod/web: `;
  assert.ok(message.startsWith(prefix), message);
  return message.slice(prefix.length);
}

const writeCheckpoint = () => {
  const entries = [{ PodUID: 'u-1', ResourceName: RESOURCE, DeviceIDs: { 0: ['b'], 1: ['a'] } }];
  return folder.write(
    'device-plugins/kubelet_internal_checkpoint',
    JSON.stringify({ Data: { PodDeviceEntries: entries } }),
  );
};

test('asks for the one pod, and gives its devices in the same order every time', async () => {
  assert.equal(await ask(), WEBS_DEVICES);
  assert.equal(kubelet.calls, ['Get prod/web']);
});

// Every node with a kubelet before 1.27, or with the feature switched off.
for (const get of ['absent', 'disabled'] as const) {
  test(`lists all pods where Get is ${get}, and then does not ask for it again`, async () => {
    kubelet.get = get;
    assert.equal(await ask(), WEBS_DEVICES);
    assert.equal(kubelet.calls, ['Get prod/web', 'List']);
    assert.equal(await ask(), WEBS_DEVICES);
    assert.equal(kubelet.calls.slice(2), ['List']);
  });
}

test('a pod that the kubelet does not have is "try again later", and does not count against Get', async () => {
  kubelet.pods = [];
  assert.is(await reason(), 'it does not have the pod');
  kubelet.pods = [web];
  assert.equal(await ask(), WEBS_DEVICES);
  assert.equal(kubelet.calls, ['Get prod/web', 'List', 'Get prod/web']);
});

test('an answer to Get that is about no pod, or another one, is not believed', async () => {
  for (const answer of [podResourcesAnswer(), podResourcesAnswer({ ...web, namespace: 'dev' })]) {
    kubelet.instead = (method, stream) => {
      if (method === 'Get') answerWith(stream, grpcFrame(answer));
      return method === 'Get';
    };
    assert.equal(await ask(), WEBS_DEVICES);
  }
});

// The kubelet takes 100 calls a second: pods that start together would fail for that.
test('waits when the kubelet says that it is asked too often', async () => {
  let refusals = 3;
  kubelet.instead = (_, stream) => {
    if (refusals === 0) return false;
    refusals -= 1;
    refuseWith(stream, 8, 'rejected by rate limit');
    return true;
  };
  assert.equal(await ask(), WEBS_DEVICES);
  assert.equal(kubelet.calls, Array(4).fill('Get prod/web'));
  refusals = Number.POSITIVE_INFINITY;
  const late = () => podDevices(WEB, folder.path, NEVER, 100);
  assert.is(await reason(late), 'it answered with gRPC status 8, "rejected by rate limit"');
});

const ANSWERS: { what: string; answer: (...args: Parameters<FakeKubelet['instead']>) => void; expected: string }[] = [
  {
    what: 'a status without a message',
    answer: (_, stream) => refuseWith(stream, 13, 'no 100% of "it"\n'),
    expected: 'it answered with gRPC status 13, "no 100% of \\"it\\"\\n"',
  },
  {
    what: 'a status behind a message',
    answer: (_, stream) =>
      answerWith(stream, grpcFrame(podResourcesAnswer(web)), { 'grpc-status': '14', 'grpc-message': '100% broken' }),
    expected: 'it answered with gRPC status 14, "100% broken"',
  },
  {
    what: 'no status at all',
    answer: (_, stream) => answerWith(stream, grpcFrame(podResourcesAnswer(web)), {}),
    expected: 'it ended the answer without a gRPC status',
  },
  {
    what: 'a page of HTTP',
    answer: (_, stream) => {
      stream.respond({ ':status': 404, 'content-type': 'text/html' });
      stream.end('<html>');
    },
    expected: 'it answered with HTTP status 404',
  },
  {
    what: 'success without a message',
    answer: (_, stream) => refuseWith(stream, 0, ''),
    expected: 'its answer ends after 0 bytes',
  },
  {
    what: 'a compressed message',
    answer: (_, stream) => answerWith(stream, grpcFrame(podResourcesAnswer(web), 1)),
    expected: 'its answer is compressed, though nobody asked for that',
  },
  {
    what: 'a message that is cut off',
    answer: (_, stream) => answerWith(stream, grpcFrame(podResourcesAnswer(web).subarray(0, 5), 0, 200)),
    expected: 'its answer says that it has 200 bytes, it has 5',
  },
  {
    what: 'two messages',
    answer: (_, stream) => answerWith(stream, Buffer.concat([grpcFrame(Buffer.alloc(0)), grpcFrame(Buffer.alloc(0))])),
    expected: 'its answer says that it has 0 bytes, it has 5',
  },
  {
    what: 'more than anybody can want',
    answer: (_, stream) => answerWith(stream, grpcFrame(Buffer.alloc(16 * 1024 * 1024 + 1))),
    expected: 'its answer has more than 16777216 bytes',
  },
  {
    what: 'a reset stream',
    answer: (_, stream) => stream.close(2),
    expected: 'Stream closed with error code NGHTTP2_INTERNAL_ERROR',
  },
];
for (const { what, answer, expected } of ANSWERS) {
  test(`${what} is an error that names socket and reason`, async () => {
    kubelet.instead = (...args) => {
      answer(...args);
      return true;
    };
    assert.is(await reason(), expected);
  });
}

test('an answer that is no message is refused as such', async () => {
  kubelet.instead = (_, stream) => {
    answerWith(stream, grpcFrame(Buffer.from([0x0a, 5, 1])));
    return true;
  };
  const { code, message } = await laterRefusal(ask);
  assert.is(code, 6);
  assert.is(
    message,
    `Cannot parse answer of the kubelet at ${socket()} to Get: 5 bytes must follow at byte 2, there are 1`,
  );
});

test('reads an answer of many megabytes, as List gives on a large node', async () => {
  kubelet.get = 'absent';
  const ids = Array.from({ length: 1000 }, (_, i) => `0000:${i.toString(16).padStart(8, '0')}:00.0`);
  const others = Array.from({ length: 400 }, (_, i) => ({
    ...web,
    name: `n${i}`,
    containers: [{ devices: [['r', ids] as [string, string[]]] }],
  }));
  kubelet.pods = [...others, web];
  assert.equal(await ask(), WEBS_DEVICES);
});

/** Something else on the kubelet's socket, for one test. */
async function withServer(onSocket: (socket: Socket) => void, work: () => Promise<void>): Promise<void> {
  await kubelet.stop();
  const sockets = new Set<Socket>();
  const server = createServer((one) => {
    sockets.add(one);
    one.on('error', () => undefined);
    onSocket(one);
  });
  await new Promise<void>((resolve) => server.listen(socket(), resolve));
  try {
    await work();
  } finally {
    for (const one of sockets) one.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('a kubelet that is silent is waited for as long as was said, and no longer', async () => {
  await withServer(
    () => undefined,
    async () => {
      assert.is(await reason(() => podDevices(WEB, folder.path, NEVER, 50)), 'it did not answer within 50 ms');
    },
  );
});

test('a socket that is closed in the middle of it, or speaks something else, is an error at once', async () => {
  await withServer(
    (one) => one.once('data', () => one.destroy()),
    async () => {
      assert.match(await reason(), /closed|hang up|reset|canceled|without a gRPC status/);
    },
  );
  await withServer(
    (one) => one.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    async () => {
      assert.match(await reason(), 'Protocol error');
    },
  );
});

// The request's own deadline, or its caller being gone, must be told as such.
test("gives up with the caller's reason when the caller does", async () => {
  const controller = new AbortController();
  const stop = new Error('the caller is gone');
  const askAborted = () => podDevices(WEB, folder.path, controller.signal).catch((thrown: unknown) => thrown);
  await withServer(
    (one) => one.once('data', () => controller.abort(stop)),
    async () => {
      assert.is(await askAborted(), stop);
      assert.is(await askAborted(), stop, 'also when it did before');
    },
  );
});

test('leaves no connection behind, however it ends', async () => {
  await ask();
  kubelet.pods = [];
  await reason();
  const closed = new Promise<void>((resolve) => {
    const look = () => (kubelet.connections === 0 ? resolve() : setImmediate(look));
    look();
  });
  await closed;
});

// Two lists of who has which device: the one that is not kept any more would hand out another pod's.
test('does not fall back on the checkpoint when there is a socket', async () => {
  writeCheckpoint();
  await kubelet.stop();
  folder.write('pod-resources/kubelet.sock', ''); // as a killed kubelet leaves it, but for its kind
  assert.match(await reason(), /ECONNREFUSED|ENOTSOCK/);
  assert.match(await reason(), socket());
});

test('reads the checkpoint where there is no socket', async () => {
  await kubelet.stop();
  const path = writeCheckpoint();
  assert.equal(await ask(), new Map([[RESOURCE, ['a', 'b']]]));
  const { code, message } = await laterRefusal(() => ask({ ...WEB, uid: '' }));
  assert.is(code, 4);
  assert.is(
    message,
    `Cannot tell the devices of pod prod/web: CNI_ARGS has no K8S_POD_UID, and ${path} knows pods by UID only`,
  );
});

test('a node that has neither is "try again later", and both paths are named', async () => {
  await kubelet.stop();
  const { code, message } = await laterRefusal(ask);
  assert.is(code, 11);
  assert.match(message, `there is neither the kubelet's socket ${socket()} nor its checkpoint (ENOENT`);
  assert.match(message, folder.at('device-plugins', 'kubelet_internal_checkpoint'));
  assert.match(message, 'set "kubeletDir"');
});

test.run();
