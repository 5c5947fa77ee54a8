/** What targets ask of the API server: of one pod, and in clusters. */
import { type ClusterLoad, clusterLoad } from '../requests/cluster-load.ts';
import type { PhaseCount } from '../requests/count-requests.ts';
import { figure, type Table, type Titled } from './tables.ts';

/** The rate that is asked of a node, and clusters of 100, 1,000 and 5,000 of them. */
const PODS_PER_SECOND = 10;
const NODES = [100, 1000, 5000];

/** What was not, or was not there, is no figure. */
const counted = (value: number, digits = 2): string => (value === 0 ? '–' : figure(value, digits));

const perPodTable = (counts: readonly PhaseCount[]): Table => ({
  headings: ['SCENARIO', 'TARGET', 'PHASE', 'VERB', 'RESOURCE', 'REQUESTS', 'RECEIVED B', 'SENT B', 'EVENTS'],
  cells: counts.map(({ scenario, target, phase, verb, resource, requests, received, sent, events }) => [
    ...[scenario, target, phase, verb, resource, counted(requests), counted(received, 0), counted(sent, 0)],
    counted(events),
  ]),
});

const clusterTable = (loads: readonly ClusterLoad[]): Table => ({
  headings: [
    ...['SCENARIO', 'TARGET', 'NODES', 'REQUESTS', 'WRITES', 'RECEIVED MB', 'SENT MB', 'WATCH EVENTS', 'EVENTS MB'],
  ],
  cells: loads.map((one) => [
    ...[one.scenario, one.target, String(one.nodes), counted(one.requests, 0), counted(one.writes, 0)],
    ...[counted(one.receivedBytes / 1e6, 1), counted(one.sentBytes / 1e6, 1), counted(one.events, 0)],
    counted(one.eventBytes / 1e6, 1),
  ]),
});

export function requestTables(counts: readonly PhaseCount[]): Titled[] {
  const loads = NODES.flatMap((nodes) => clusterLoad(counts, nodes, PODS_PER_SECOND));
  const title = `In a second, at ${PODS_PER_SECOND} pods a second that come, and go, on each node`;
  return [
    ['Of one pod, and of one node that starts', perPodTable(counts)],
    [title, clusterTable(loads)],
  ];
}
