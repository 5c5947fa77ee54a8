// A node has the shim of one version and the daemon of another while it is upgraded, in either order: no pod may fail.
import { connect, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inLab } from '../lab/doors.ts';
import { Fakes } from '../lab/fakes.ts';
import type { Lab } from '../lab/lab.ts';
import { until } from '../lab/process.ts';
import { assertClean } from '../lab/spec.ts';

/** A shim of another version. */
class OtherShim {
  received = Buffer.alloc(0);
  ended = false;
  private readonly socket: Socket;

  isSent = false;

  /** @param missing bytes of the request that are not sent */
  constructor(lab: Lab, headers: readonly string[], { missing = 0 } = {}) {
    const env = {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: lab.netns('pod1'),
      CNI_IFNAME: 'eth0',
      CNI_PATH: lab.binDir,
    };
    const body = JSON.stringify({ env, config: Buffer.from(JSON.stringify(lab.config)).toString('base64') });
    const head = [
      'POST /cni HTTP/1.1',
      'Host: multus',
      `Content-Length: ${Buffer.byteLength(body) + missing}`,
      ...headers,
    ];
    this.socket = connect(lab.socketPath);
    this.socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.socket.on('close', () => {
      this.ended = true;
    });
    this.socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => {
      this.isSent = true;
    });
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  end(): void {
    this.socket.destroy();
  }
}

async function makePod(lab: Lab): Promise<Fakes> {
  await lab.startDaemon();
  await lab.addNetns('pod1');
  const fakes = new Fakes(lab);
  lab.config['delegates'] = [fakes.plugin('one')];
  return fakes;
}

/** After 101, a frame that starts the plugin; it is sent while the record is written. */
const isStarted = (shim: OtherShim): boolean => /^HTTP\/1\.1 101 .*\r\n\r\n.*one/s.test(shim.text);

inLab('a shim that offers only a later protocol is served plainly', async (lab) => {
  const fakes = await makePod(lab);
  const shim = new OtherShim(lab, ['Connection: Upgrade', 'Upgrade: multus-exec/9', 'Expect: 100-continue']);
  await until('it is answered', () => shim.ended);
  assert.match(
    shim.text,
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n.*\r\n\r\n{"Result":{"cniVersion":"1.0.0"/s,
  );
  assert.equal(fakes.history(), ['ADD one']);
  assert.is((await lab.cni('DEL')).code, 0);
  await assertClean(lab, 'pod1');
});

inLab('of the protocols that a later shim offers the daemon takes the one that it knows', async (lab) => {
  await makePod(lab);
  const shim = new OtherShim(lab, ['Connection: Upgrade', 'Upgrade: multus-exec/9, multus-exec/1']);
  await until('the daemon waits for the plugin', () => isStarted(shim) && lab.stateFiles().length > 0);
  assert.match(shim.text, /^HTTP\/1\.1 101 .*\r\nUpgrade: multus-exec\/1\r\n\r\n/s);
  shim.end();
  await until('it is forgotten', () => lab.stateFiles().length === 0);
  await assertClean(lab, 'pod1');
});

// Multus's shim of 4.0 and 4.1 is made with libcni 1.1.2, which refuses a result of 1.1.0 when the runtime asked for less;
// every shim of Multus takes 1.0.0 and makes of it what the runtime asked for.
inLab("Multus's shims are answered in 1.0.0, and in 1.1.0 only when the runtime asks for that", async (lab) => {
  await makePod(lab);
  for (const [asked, answered] of [
    ['0.2.0', '1.0.0'],
    ['0.4.0', '1.0.0'],
    ['1.0.0', '1.0.0'],
    ['1.1.0', '1.1.0'],
  ]) {
    lab.config['cniVersion'] = asked;
    const shim = new OtherShim(lab, ['Connection: close']);
    await until('it is answered', () => shim.ended);
    assert.match(shim.text, `\r\n\r\n{"Result":{"cniVersion":"${answered}"`);
    assert.is((await lab.cni('DEL')).code, 0);
  }
  await assertClean(lab, 'pod1');
});

inLab('headers that the daemon does not know, and those that are missing, make no difference', async (lab) => {
  await makePod(lab);
  for (const more of [[], ['X-Multus-Tomorrow: yes', 'X-Multus-Shim: 99.0', 'X-Multus-Pidns: none']]) {
    const shim = new OtherShim(lab, ['Connection: Upgrade', 'Upgrade: multus-exec/1', ...more]);
    await until('the daemon waits for the plugin', () => isStarted(shim) && lab.stateFiles().length > 0);
    shim.end();
    await until('it is forgotten', () => lab.stateFiles().length === 0);
  }
  await assertClean(lab, 'pod1');
});

// What the frame means is not known, so neither is what the shim does: better the standalone program than a wrong pod.
inLab(
  'a frame of a type that the daemon does not know ends the operation, and what it began is undone',
  async (lab) => {
    await makePod(lab);
    const shim = new OtherShim(lab, ['Connection: Upgrade', 'Upgrade: multus-exec/1']);
    await until('the daemon waits for the plugin', () => isStarted(shim) && lab.stateFiles().length > 0);
    const frame = Buffer.alloc(12);
    frame.writeUInt8(99, 4);
    shim.write(frame);
    await until('the connection ends', () => shim.ended);
    await until('it is forgotten', () => lab.stateFiles().length === 0);
    await assertClean(lab, 'pod1');
  },
);

// The runtime kills a shim that it gives up on; nobody would ever detach what its ADD attaches.
inLab('an ADD of a later shim that is killed is undone, as one of this version', async (lab) => {
  const fakes = await makePod(lab);
  lab.config['delegates'] = [fakes.plugin('slow', { ADD: 'sleep 1000' })];
  const shim = new OtherShim(lab, ['Connection: Upgrade', 'Upgrade: multus-exec/9']);
  await until('the plugin runs', () => fakes.has('ADD slow'));
  shim.end();
  await until('it is undone', () => fakes.has('DEL slow') && lab.stateFiles().length === 0);
  await assertClean(lab, 'pod1');
});

// Each would take a descriptor of the daemon's for ever, and its end, or the hand-over to the next one, all the time there is.
for (const offer of ['multus-exec/1', 'multus-exec/9']) {
  inLab(`a shim that offers ${offer} and is killed before its request is whole is forgotten`, async (lab) => {
    await makePod(lab);
    const shim = new OtherShim(lab, ['Connection: Upgrade', `Upgrade: ${offer}`], { missing: 1 });
    await until('the daemon has it', () => shim.isSent);
    shim.end();
    const started = performance.now();
    await lab.endDaemon('SIGTERM');
    assert.ok(performance.now() - started < 5000, 'it waits 10 s for operations');
  });
}

test.run();
