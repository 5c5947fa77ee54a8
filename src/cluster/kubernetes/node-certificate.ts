/**
 * A certificate of the node's own, as Multus has it: asked of the cluster's signer with the bootstrap kubeconfig, later
 * with the certificate itself, and renewed before it ends. Who approves the request is for the cluster to say.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../node/make-folder.ts';
import { writeWholeFile } from '../../node/whole-file.ts';
import { field } from '../object-fields.ts';
import type { SourceLog } from '../source.ts';
import type { ApiClient } from './api-client.ts';
import { ApiError } from './api-error.ts';
import { BackOff, pause } from './back-off.ts';
import { makeCertificateRequest } from './certificate-request.ts';

const PATH = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const SIGNER = 'kubernetes.io/kube-apiserver-client';

/** The signer gives no shorter ones. */
const SHORTEST_SECONDS = 600;

/** Between looks at the clock; a certificate has ten minutes at least. */
const LOOK_MS = 10_000;

/** Of a certificate's time that is left when it is renewed: enough for an API server that is away for a while. */
const RENEW_BELOW = 0.3;

/** Certificate and key in one file, under Multus's name. */
export function certificatePath(certDir: string): string {
  return join(certDir, 'multus-client-current.pem');
}

export interface NodeCertificateSettings {
  certDir: string;
  node: string;
  /** How long a certificate is to hold. */
  seconds: number;
  log: SourceLog;
}

export interface NodeCertificateTimes {
  /** Between looks at a request; twice as long each time. */
  pollMs: number;
  /** When it is told that nobody has approved the request yet. */
  approvalMs: number;
  firstMs: number;
  longestMs: number;
}

const TIMES: NodeCertificateTimes = { pollMs: 1000, approvalMs: 120_000, firstMs: 1000, longestMs: 60_000 };

export class NodeCertificate {
  private readonly client: ApiClient;
  private readonly settings: NodeCertificateSettings;
  private readonly times: NodeCertificateTimes;
  private said = '';
  /** What the cluster was asked to sign. It is asked once: each request stays there for a day when nobody approves it. */
  private pending: { name: string; key: string } | undefined;

  /** @param client with the bootstrap credentials, or the certificate once it is there */
  constructor(client: ApiClient, settings: NodeCertificateSettings, times = TIMES) {
    this.client = client;
    this.settings = settings;
    this.times = times;
  }

  /** Keep a certificate that holds until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const backOff = new BackOff(this.times);
    while (!signal.aborted) {
      let wait = LOOK_MS;
      try {
        if (this.isDue(Date.now())) {
          await this.renew(AbortSignal.any([signal, AbortSignal.timeout(this.times.approvalMs)]));
          this.said = '';
          this.settings.log.info(
            { file: this.path, node: this.settings.node },
            'the node has a certificate of its own',
          );
        }
        backOff.reset();
      } catch (error) {
        if (signal.aborted) return;
        wait = backOff.next();
        const { message } = error as Error;
        if (message !== this.said) this.settings.log.warn({ reason: message }, 'cannot get a certificate of the node');
        this.said = message;
      }
      await pause(wait, signal);
    }
  }

  private get path(): string {
    return certificatePath(this.settings.certDir);
  }

  /** Is there none that holds long enough? @param now Date.now() */
  private isDue(now: number): boolean {
    try {
      const { validFrom, validTo } = new X509Certificate(readFileSync(this.path));
      const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
      return to - now < RENEW_BELOW * (to - from);
    } catch {
      return true; // none yet, or none that can be used
    }
  }

  /** @throws ApiError, CniError 5, or Error when the request is denied or not approved yet */
  private async renew(signal: AbortSignal): Promise<void> {
    const { certDir } = this.settings;
    this.pending ??= await this.ask(signal);
    const { name, key } = this.pending;
    const certificate = await this.signed(name, signal);
    makeFolder(certDir, 0o700);
    await writeWholeFile(this.path, `${certificate.trim()}\n${key}`, 0o600);
    this.pending = undefined;
  }

  private async ask(signal: AbortSignal): Promise<{ name: string; key: string }> {
    const { node, seconds } = this.settings;
    const { request, key } = makeCertificateRequest(`system:multus:${node}`, 'system:multus');
    const body = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { generateName: 'multus-' },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: SIGNER,
        usages: ['digital signature', 'client auth'],
        expirationSeconds: Math.max(SHORTEST_SECONDS, seconds),
      },
    };
    const made = await this.client.json({ method: 'POST', path: PATH, body, signal });
    return { name: String(field(field(made, 'metadata'), 'name')), key };
  }

  private async request(name: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.client.json({ path: `${PATH}/${name}`, signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.pending = undefined; // the cluster has given it up
      throw error;
    }
  }

  /** @returns PEM */
  private async signed(name: string, signal: AbortSignal): Promise<string> {
    const backOff = new BackOff({ firstMs: this.times.pollMs, longestMs: this.times.longestMs });
    for (;;) {
      const status = field(await this.request(name, signal), 'status');
      const certificate = field(status, 'certificate');
      if (typeof certificate === 'string' && certificate !== '') {
        return Buffer.from(certificate, 'base64').toString();
      }
      const conditions = (field(status, 'conditions') ?? []) as unknown[];
      const refused = conditions.find((one) => ['Denied', 'Failed'].includes(String(field(one, 'type'))));
      if (refused !== undefined) {
        this.pending = undefined;
        throw new Error(`request ${name} was refused: ${String(field(refused, 'message'))}`);
      }
      await pause(backOff.next(), signal);
      if (signal.aborted) throw new Error(`request ${name} is not approved yet`);
    }
  }
}
