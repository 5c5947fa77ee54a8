/**
 * The credentials of a program, as their files have them now. Files that are half written or gone for a while (rotation,
 * a swap of symbolic links) change nothing: the last good ones stay in memory, and the API server says when they end.
 */
import { statSync } from 'node:fs';
import type { SourceLog } from '../source.ts';
import type { Access, CredentialsOrigin, LoadedCredentials } from './access.ts';
import { ApiError } from './api-error.ts';
import { PlainConfig } from './plain-config.ts';

/** A program that a kubeconfig names to get a token may hang. */
const LIMIT_MS = 20_000;

/** Tells each content of a file from the next one; links are followed, so that a swap of them counts. */
function stampOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return `${path} ${stat?.ino} ${stat?.mtimeNs} ${stat?.size}`;
    })
    .join('\n');
}

/** Whose content decides which credentials there are. */
function filesOf(origin: CredentialsOrigin): string[] {
  if (!('kubeconfig' in origin)) return [];
  return origin.certificate === undefined ? [origin.kubeconfig] : [origin.kubeconfig, origin.certificate];
}

/** What it cannot use, it explains. @throws what reading and parsing throws */
async function readByClient(origin: CredentialsOrigin): Promise<LoadedCredentials> {
  const { LoadedConfig } = await import('./kube-config.ts');
  return new LoadedConfig(origin);
}

async function limited<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`they were not there within ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

/**
 * Parsers show what they cannot read, and that may be a token, which must get into no log and no pod's event: YAML's behind
 * the first line; JSON's, which is what programs print, anywhere.
 */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'what its program printed is not JSON';
  return (error as Error).message.trim().split('\n')[0] ?? '';
}

export class Credentials {
  /** For messages: "kubeconfig /etc/…". */
  readonly description: string;
  private readonly origin: CredentialsOrigin;
  private readonly log: SourceLog;
  private loaded: LoadedCredentials | undefined;
  private stamp = '';
  private good: Access | undefined;
  private pending: Promise<Access> | undefined;
  private said = '';

  constructor(origin: CredentialsOrigin, log: SourceLog) {
    this.origin = origin;
    this.log = log;
    this.description = 'kubeconfig' in origin ? `kubeconfig ${origin.kubeconfig}` : `credentials in ${origin.folder}`;
  }

  /** @throws ApiError 0 when there have never been any that could be used */
  access(): Promise<Access> {
    this.pending ??= this.renewed().finally(() => {
      this.pending = undefined;
    });
    return this.pending;
  }

  /** The API server did not take them: what was read is read anew, and programs are asked anew. */
  refused(): void {
    this.stamp = '';
  }

  private async renewed(): Promise<Access> {
    try {
      this.good = await limited(this.current());
      this.say('');
      return this.good;
    } catch (error) {
      const reason = `cannot use ${this.description}: ${reasonOf(error)}`;
      this.say(reason);
      if (this.good === undefined) throw new ApiError(0, reason, { isTold: true });
      return this.good;
    }
  }

  private async current(): Promise<Access> {
    const ownStamp = stampOf(filesOf(this.origin));
    if (this.loaded !== undefined && ownStamp + stampOf(this.loaded.files) === this.stamp) return this.loaded.access();
    const loaded = PlainConfig.read(this.origin) ?? (await readByClient(this.origin));
    const stamp = ownStamp + stampOf(loaded.files); // before they are read: what changes meanwhile is seen next time
    const access = await loaded.access(this.loaded);
    if (this.good !== undefined && this.good.agent !== access.agent) closeIdle(this.good);
    this.loaded = loaded;
    this.stamp = stamp;
    return access;
  }

  /** Each state once, not each request. */
  private say(reason: string): void {
    if (reason === this.said) return;
    this.said = reason;
    if (reason === '') this.log.info({ credentials: this.description }, 'credentials in use again');
    else if (this.good === undefined) this.log.warn({ reason }, 'no credentials for the API server');
    else this.log.warn({ reason }, 'going on with the last good credentials');
  }
}

/** Connections of earlier credentials are for requests that are under way. */
function closeIdle({ agent }: Access): void {
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}
