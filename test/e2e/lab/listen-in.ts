/** A server of this process that listens in another network namespace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server } from 'node:net';

/** A socket belongs to the namespace in which it was made: one process makes it there, hands it over, and ends. */
const LISTEN = `
const server = require('node:net').createServer();
process.on('disconnect', () => process.exit());
server.listen(Number(process.argv[1]), '127.0.0.1', () => process.send('listening', server));
`;

/**
 * Listen on 127.0.0.1.
 * @param netns path of the namespace
 * @throws Error when the port is taken there, or `lo` is down
 */
export async function listenIn(netns: string, port: number): Promise<Server> {
  const words = [`--net=${netns}`, process.execPath, '-e', LISTEN, String(port)];
  const child = spawn('nsenter', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`Cannot listen on port ${port} of ${netns}: the process ended with ${code}`);
  });
  const [, server] = (await Promise.race([once(child, 'message'), ended])) as [string, Server];
  child.disconnect();
  await ended.catch(() => undefined);
  return server;
}
