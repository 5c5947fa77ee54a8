/** The daemon's socket without our shim. */
import { request } from 'node:http';
import type { Lab } from './lab.ts';

export interface HttpReply {
  status: number;
  body: string;
}

/** POST /cni with the lab's configuration: what Multus's own shim sends, or any program that reaches the socket. */
export function post(lab: Lab, env: Record<string, string>, onSocket?: (end: () => void) => void): Promise<HttpReply> {
  const body = JSON.stringify({ env, config: Buffer.from(JSON.stringify(lab.config)).toString('base64') });
  return new Promise((resolve, reject) => {
    const options = { socketPath: lab.socketPath, path: '/cni', method: 'POST' };
    const sent = request(options, (response) => {
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
