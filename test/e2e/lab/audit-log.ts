/** The API server's audit log: who asked for what, to count what an ADD costs. */
import { readFileSync } from 'node:fs';

/** One line a request: of watches when they begin, of others when they are answered. */
export const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', users: ['system:apiserver'] },
    { level: 'None', nonResourceURLs: ['/readyz*'] },
    { level: 'Metadata' },
  ],
};

export interface LoggedRequest {
  /** The server's own number of it. */
  id: string;
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  verb: string;
  /** With its query. */
  path: string;
  user: string;
  userAgent: string;
  code: number;
  /** When it arrived: milliseconds of Date.now(). */
  at: number;
}

export interface RequestFilter {
  userAgent?: RegExp;
  user?: string;
  /** Date.now() of the mark. */
  since?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: an audit event
function loggedRequest(event: any): LoggedRequest {
  return {
    id: event.auditID,
    verb: event.verb,
    path: event.requestURI,
    user: event.user.username,
    userAgent: event.userAgent ?? '',
    code: event.responseStatus?.code ?? 0,
    at: Date.parse(event.requestReceivedTimestamp),
  };
}

/** All requests in the log, each once. */
export function readAuditLog(file: string): LoggedRequest[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1); // the last may be half written
  const events = lines.map((line) => JSON.parse(line));
  return [...new Map(events.reverse().map((event) => [event.auditID, event])).values()].reverse().map(loggedRequest);
}

export function matches(request: LoggedRequest, { userAgent, user, since }: RequestFilter): boolean {
  if (userAgent !== undefined && !userAgent.test(request.userAgent)) return false;
  return (user === undefined || request.user === user) && request.at >= (since ?? 0);
}
