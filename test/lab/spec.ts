/** What the CNI specification says of a plugin's stdout (section 5), as assertions. */
import { isIP } from 'node:net';
import * as assert from 'uvu/assert';
import type { CniReply, Lab } from './lab.ts';
import { until } from './process.ts';

function assertCidr(value: unknown, what: string): void {
  const [address = '', prefix = ''] = String(value).split('/');
  assert.ok(isIP(address) !== 0 && /^\d+$/.test(prefix), `${what} must be a CIDR, got ${value}`);
}

/** An ADD's success: a result of exactly that version. */
export function assertResult(reply: CniReply, cniVersion: string): void {
  assert.is(reply.code, 0, reply.stdout + reply.stderr);
  const { json } = reply;
  assert.type(json, 'object', reply.stdout);
  assert.is(json.cniVersion, cniVersion);
  if (cniVersion < '0.3.0') {
    assertCidr(json.ip4.ip, 'ip4.ip');
    assert.is(json.interfaces, undefined);
    assert.is(json.ips, undefined);
    return;
  }
  for (const { name, mac, sandbox } of json.interfaces ?? []) {
    assert.match(name, /^[^/\s]{1,15}$/);
    if (mac !== undefined) assert.match(mac, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    if (sandbox !== undefined) assert.match(sandbox, /^\/|^$/);
  }
  for (const ip of json.ips ?? []) {
    assertCidr(ip.address, 'ips[].address');
    if (cniVersion < '1.0.0') assert.match(ip.version, /^[46]$/);
    else assert.is(ip.version, undefined);
    if (ip.gateway !== undefined) assert.not.equal(isIP(ip.gateway), 0);
    if (ip.interface !== undefined) assert.ok(json.interfaces[ip.interface], `no interface ${ip.interface}`);
  }
  for (const route of json.routes ?? []) assertCidr(route.dst, 'routes[].dst');
}

/** Success of DEL, CHECK, STATUS, GC: nothing on stdout. */
export function assertSilent(reply: CniReply): void {
  assert.is(reply.code, 0, reply.stdout + reply.stderr);
  assert.is(reply.stdout, '');
}

/** An error object with this code, whose message has all of `parts`. */
export function assertError(reply: CniReply, code: number, ...parts: (string | RegExp)[]): void {
  assert.is(reply.code, 1, `exit code ${reply.code}: ${reply.stdout}${reply.stderr}`);
  assert.type(reply.json, 'object', `stdout must be JSON, got ${reply.stdout}${reply.stderr}`);
  const { cniVersion, code: got, msg, details, ...rest } = reply.json;
  assert.match(cniVersion, /^\d+\.\d+\.\d+$/);
  assert.type(msg, 'string');
  if (details !== undefined) assert.type(details, 'string');
  assert.equal(rest, {}, 'an error object has no other keys');
  assert.is(got, code, reply.stdout);
  for (const part of parts) {
    if (typeof part === 'string') assert.ok(msg.includes(part), `message must have ${part}: ${msg}`);
    else assert.match(msg, part);
  }
}

/** Nothing is left of any pod; processes that were killed may take a moment to be gone. */
export async function assertClean(lab: Lab, ...pods: string[]): Promise<void> {
  await until('all processes are gone', () => lab.processes().length === 0, 3000).catch(() => undefined);
  assert.equal(await lab.leftovers(...pods), []);
}
