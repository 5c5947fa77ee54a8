/** The way from a lab's host namespace, in which daemon and shim run, to a server on 127.0.0.1 of the machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Lab } from '../../lab/lab.ts';
import { must } from '../../lab/process.ts';

/** Listens inside, on a port of its own choice, and passes each connection on to a Unix socket, which no namespace hides. */
const INSIDE = `
const net = require('node:net');
const server = net.createServer((client) => {
  const out = net.connect(process.argv[1]);
  client.pipe(out).pipe(client);
  for (const [one, other] of [[client, out], [out, client]]) one.on('error', () => other.destroy()).on('close', () => other.destroy());
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

export class Tunnel {
  /** Of the server, as the lab's host namespace reaches it. */
  readonly url: string;
  private readonly child: ChildProcess;
  private readonly server: Server;
  private readonly open: Set<Socket>;

  private constructor(url: string, child: ChildProcess, server: Server, open: Set<Socket>) {
    this.url = url;
    this.child = child;
    this.server = server;
    this.open = open;
  }

  /** @param url "https://127.0.0.1:6443" */
  static async into(lab: Lab, url: string): Promise<Tunnel> {
    const port = Number(new URL(url).port);
    const path = join(lab.directory, 'tunnel.sock');
    const open = new Set<Socket>();
    const server = createServer((inside) => {
      const outside = connect(port, '127.0.0.1');
      inside.pipe(outside).pipe(inside);
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        open.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          open.delete(one);
          other.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const netns = `--net=${lab.netns('host')}`;
    await must('nsenter', netns, 'ip', 'link', 'set', 'lo', 'up');
    const child = spawn('nsenter', [netns, process.execPath, '-e', INSIDE, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const inner = await new Promise<string>((resolve) =>
      child.stdout?.once('data', (data) => resolve(String(data).trim())),
    );
    return new Tunnel(`https://127.0.0.1:${inner}`, child, server, open);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    for (const socket of this.open) socket.destroy();
    await Promise.all([ended, new Promise((resolve) => this.server.close(resolve))]);
  }
}
