/** What a source needs to talk to an API server. */
import type { SourceLog } from '../source.ts';
import type { CredentialsOrigin } from './access.ts';
import { ApiClient } from './api-client.ts';
import { Credentials } from './credentials.ts';
import { Delivery } from './delivery.ts';
import { LiveQueries } from './live-queries.ts';

export interface ConnectionSettings {
  origin: CredentialsOrigin;
  /** Name of the node in the cluster. */
  node: string;
  /** "multus-native/1.2.3 (daemon)" */
  userAgent: string;
  log: SourceLog;
}

export interface Connection {
  client: ApiClient;
  queries: LiveQueries;
  delivery: Delivery;
}

/** Nothing is read or asked yet. */
export function connect({ origin, node, userAgent, log }: ConnectionSettings): Connection {
  const client = new ApiClient(new Credentials(origin, log), userAgent);
  return { client, queries: new LiveQueries(client), delivery: new Delivery(client, node) };
}
