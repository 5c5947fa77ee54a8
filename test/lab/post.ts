/** The daemon's socket without our shim. */
import { request } from 'node:http';
import type { Lab } from './lab.ts';

export interface HttpReply {
  status: number;
  body: string;
}

export interface HttpCall {
  path: string;
  body: string;
  /** @default POST */
  method?: string;
  /** Given a function that ends the connection. */
  onSocket?: ((end: () => void) => void) | undefined;
}

export function send(lab: Lab, call: HttpCall): Promise<HttpReply> {
  return sendTo(lab.socketPath, call);
}

export function postTo(socketPath: string, path: string, body: string): Promise<HttpReply> {
  return sendTo(socketPath, { path, body });
}

function sendTo(socketPath: string, { path, body, method = 'POST', onSocket }: HttpCall): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject);
    onSocket?.(() => sent.destroy());
    sent.end(body);
  });
}

/** POST /cni with the lab's configuration: what Multus's own shim sends, or any program that reaches the socket. */
export function post(lab: Lab, env: Record<string, string>, onSocket?: (end: () => void) => void): Promise<HttpReply> {
  const body = JSON.stringify({ env, config: Buffer.from(JSON.stringify(lab.config)).toString('base64') });
  return send(lab, { path: '/cni', body, onSocket });
}
