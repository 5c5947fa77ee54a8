/**
 * The credentials of a pod's service account as a kubeconfig on the node: what the standalone program, which runs outside
 * of the pod, asks the API server with. The token is replaced every hour or so, and the file with it.
 */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, join } from 'node:path';
import type { Log } from '../attach/operation.ts';
import { makeFolder } from '../node/make-folder.ts';
import { systemReason } from '../node/system-reason.ts';
import { writeWholeFile } from '../node/whole-file.ts';
import { followFolders } from '../node-config/follow-folders.ts';
import { readInstallRecord } from '../node-config/install-record.ts';

/** Where Kubernetes mounts it. */
export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface ServiceAccount {
  /** Has the files `token` and `ca.crt`. */
  folder: string;
  /** Of the API server: KUBERNETES_SERVICE_HOST and _PORT. */
  host: string;
  port: string;
}

const NAME = 'multus';

function readPart(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const remedy = 'run it in a pod with a service account';
    throw new Error(`Cannot write a kubeconfig: ${path}: ${systemReason(error)}; ${remedy}`, { cause: error });
  }
}

/**
 * As JSON, which is YAML. The token is in it: a path would be one of the pod's file system.
 * @throws Error naming what is missing
 */
export function kubeconfigOf({ folder, host, port }: ServiceAccount): string {
  if (host === '') throw new Error('Cannot write a kubeconfig: KUBERNETES_SERVICE_HOST is not set; this is no pod');
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port || '443'}`;
  const authority = readPart(join(folder, 'ca.crt')).toString('base64');
  const token = readPart(join(folder, 'token')).toString('utf8').trim();
  if (token === '') throw new Error(`Cannot write a kubeconfig: ${join(folder, 'token')} is empty`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: NAME, cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: NAME, user: { token } }],
    contexts: [{ name: NAME, context: { cluster: NAME, user: NAME } }],
    'current-context': NAME,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // what matters then is whether it can be written
  }
}

/** For root only; not touched when it is as it has to be. @throws Error, CniError 5, system errors of mkdir */
export async function writeKubeconfig(path: string, account: ServiceAccount): Promise<void> {
  const text = kubeconfigOf(account);
  if (readIfThere(path) === text) return;
  makeFolder(dirname(path), 0o700);
  await writeWholeFile(path, text, 0o600);
}

export interface FollowedAccount {
  /** Of the kubeconfig. */
  path: string;
  account: ServiceAccount;
  /** State directory: `multus uninstall` removes the kubeconfig, and credentials must not come back. */
  cniDir: string;
  log: Log;
  signal: AbortSignal;
}

/** Follow the service account until `signal` aborts; the file stays then. What fails is logged, and tried again. */
export function followServiceAccount({ path, account, cniDir, log, signal }: FollowedAccount): Promise<void> {
  let said = '';
  const look = async (): Promise<void> => {
    // Pods that are still attached need it until they are gone.
    if (readInstallRecord(cniDir) === undefined) return;
    try {
      await writeKubeconfig(path, account);
      said = '';
    } catch (error) {
      const { message } = error as Error;
      if (said !== message) log.error({ file: path, reason: message }, 'kubeconfig left as it is');
      said = message;
    }
  };
  return followFolders({ folders: [account.folder, dirname(path)], look, log, signal });
}
