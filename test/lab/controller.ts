/** Multus's dynamic networks controller, as far as the daemon can see it: its requests to `POST /delegate`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Lab } from './lab.ts';
import { type HttpCall, type HttpReply, send } from './post.ts';
import { parseJson } from './process.ts';

export interface PlugCall {
  /** CNI_IFNAME. */
  ifName?: string;
  /** The network's configuration; a text is sent as it is. */
  config?: unknown;
  attributes?: unknown;
  container?: string;
  pod?: string;
  /** Changes to the environment; undefined removes. */
  env?: Record<string, string | undefined>;
  /** Given a function that ends the connection. */
  onSent?: (hangUp: () => void) => void;
}

export interface DelegateReply extends HttpReply {
  /** The body as JSON, undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into results and errors
  json: any;
}

/** Send a body as it is. */
export async function postDelegate(lab: Lab, body: string, call: Partial<HttpCall> = {}): Promise<DelegateReply> {
  const reply = await send(lab, { path: '/delegate', body, ...call });
  return { ...reply, json: parseJson(reply.body) };
}

/** The body that the controller sends: the sandbox and its namespace by CRI, the pod by its API object. */
export function delegateBody(lab: Lab, command: string, call: PlugCall = {}): string {
  const { ifName = 'hot0', config = {}, container = 'c1', pod = 'pod1' } = call;
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: lab.netns(pod),
    CNI_IFNAME: ifName,
    CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_UID=uid-${pod}`,
    ...call.env,
  };
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  return JSON.stringify({
    env,
    config: Buffer.from(text).toString('base64'),
    interfaceAttributes: call.attributes ?? null,
  });
}

export function delegate(lab: Lab, command: string, call: PlugCall = {}): Promise<DelegateReply> {
  return postDelegate(lab, delegateBody(lab, command, call), { onSocket: call.onSent });
}

/** Start the daemon as the node has it: what `POST /delegate` goes by is in its own file. */
export async function startNodeDaemon(lab: Lab, keys: Record<string, unknown> = {}, ...options: string[]) {
  const file = join(lab.directory, 'daemon-config.json');
  writeFileSync(file, JSON.stringify({ binDir: lab.binDir, manifestsDir: lab.manifestsDir, ...keys }));
  await lab.startDaemon('--config', file, ...options);
}

/** Success of ADD: a result that the controller can read, never null. @returns it */
export function assertPlugged({ status, body, json }: DelegateReply): DelegateReply['json'] {
  assert.is(status, 200, body);
  assert.equal(Object.keys(json), ['Result']);
  assert.is(json.Result.cniVersion, '1.1.0');
  return json.Result;
}

/** Success of DEL, CHECK and STATUS. */
export function assertDone({ status, body }: HttpReply): void {
  assert.equal([status, body], [200, '']);
}

/** A CNI error object with this code, whose message has all of `parts`. */
export function assertRefused({ status, body, json }: DelegateReply, code: number, ...parts: string[]): void {
  assert.is(status, 400, body);
  assert.equal([json?.code, typeof json?.msg, json?.cniVersion], [code, 'string', '1.1.0'], body);
  for (const part of parts) assert.ok(json.msg.includes(part), `message must have ${part}: ${json.msg}`);
}
