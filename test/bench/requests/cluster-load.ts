/** From one pod's requests to what the API server of a cluster has to do: pods × nodes. */
import type { PhaseCount } from './count-requests.ts';

/** In a second, of all nodes. */
export interface ClusterLoad {
  scenario: string;
  target: string;
  nodes: number;
  requests: number;
  /** Of them those that etcd has to keep. */
  writes: number;
  receivedBytes: number;
  /** Answers, without what watches deliver. */
  sentBytes: number;
  /** Delivered by watches. */
  events: number;
  eventBytes: number;
}

const WRITES = ['create', 'update', 'patch', 'delete'];

/** @param podsPerSecond that come, and as many that go, on each node */
export function clusterLoad(counts: readonly PhaseCount[], nodes: number, podsPerSecond: number): ClusterLoad[] {
  const ofPods = counts.filter(({ phase }) => phase !== 'start');
  const cells = [...new Set(counts.map(({ scenario, target }) => `${scenario} ${target}`))];
  return cells.map((cell) => {
    const own = ofPods.filter((one) => `${one.scenario} ${one.target}` === cell);
    const [scenario = '', target = ''] = cell.split(' ');
    const isWatch = ({ verb }: PhaseCount): boolean => verb === 'watch' || verb === 'stream';
    const rate = (value: (one: PhaseCount) => number): number =>
      own.reduce((sum, one) => sum + value(one), 0) * nodes * podsPerSecond;
    return {
      ...{ scenario, target, nodes },
      requests: rate(({ requests }) => requests),
      writes: rate(({ verb, requests }) => (WRITES.includes(verb) ? requests : 0)),
      receivedBytes: rate(({ received }) => received),
      sentBytes: rate((one) => (isWatch(one) ? 0 : one.sent)),
      events: rate(({ events }) => events),
      eventBytes: rate((one) => (isWatch(one) ? one.sent : 0)),
    };
  });
}
