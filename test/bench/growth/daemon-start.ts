/** Our daemon, started anew on a node where it was. */
import { request } from 'node:http';
import { until } from '../../lab/process.ts';
import type { BenchNode } from '../targets/bench-node.ts';
import { OUR_OPTIONS } from '../targets/target.ts';

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/healthz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

export interface Start {
  /** Milliseconds of Date.now(). */
  startedAt: number;
  /** Until its socket answered, in milliseconds. */
  answeredMs: number;
}

export async function restartDaemon({ node }: BenchNode): Promise<Start> {
  await node.endOurs();
  const startedAt = Date.now();
  const started = performance.now();
  const answered = until('the daemon answers', () => answers(node.socket), 60_000);
  const [answeredMs] = await Promise.all([
    answered.then(() => performance.now() - started),
    node.runOurs('thick', OUR_OPTIONS),
  ]);
  return { startedAt, answeredMs };
}
