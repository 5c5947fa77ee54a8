// The daemon's socket as kubelets, probes and other programs see it.
import { constants, openSync, statSync, writeSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inLab } from '../lab/doors.ts';
import { EMPTY_RESULT, Fakes } from '../lab/fakes.ts';
import type { Lab } from '../lab/lab.ts';
import { must, until } from '../lab/process.ts';
import { assertClean, assertResult, assertSilent } from '../lab/spec.ts';

/** Status and body of a request; the code of the system error when nobody listens. */
function ask(lab: Lab, method: string, path: string): Promise<[number | string | undefined, string]> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: lab.socketPath, path, method }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.once('end', () => resolve([response.statusCode, body]));
    });
    asked.once('error', (error: NodeJS.ErrnoException) => resolve([error.code, '']));
    asked.end();
  });
}

// A liveness probe would restart a daemon that is well, or leave one that is not.
inLab('what is asked of the socket is answered by method and path', async (lab) => {
  await lab.startDaemon();
  for (const path of ['/healthz', '/readyz', '/healthz?verbose']) {
    for (const method of ['GET', 'POST']) assert.equal(await ask(lab, method, path), [200, ''], `${method} ${path}`);
  }
  for (const method of ['GET', 'PUT', 'DELETE']) assert.is((await ask(lab, method, '/cni'))[0], 405, method);
  for (const path of ['/', '/metrics', '/cni/', '/debug/pprof/']) {
    assert.equal(await ask(lab, 'GET', path), [404, `no such endpoint: ${path}\n`]);
  }
  const [status, body] = await ask(lab, 'POST', '/cni');
  assert.is(status, 400);
  assert.match(body, 'it is not JSON');
});

// Every user of the node could attach pods, and read what they have.
inLab('the socket is for root only', async (lab) => {
  await lab.startDaemon();
  assert.is(statSync(lab.socketPath).mode & 0o777, 0o600);
  assert.is(statSync(lab.socketDir).mode & 0o777, 0o700);
});

// Requests would be sent to a daemon that takes no more.
inLab('a daemon that was told to end is not ready any more, though it finishes what it has begun', async (lab) => {
  const fakes = new Fakes(lab);
  const gate = join(lab.directory, 'gate');
  await must('mkfifo', gate);
  lab.config['delegates'] = [fakes.plugin('slow', { ADD: `read released < ${gate}\n${EMPTY_RESULT}` })];
  await lab.addNetns('pod1');
  await lab.startDaemon();
  const adding = lab.cni('ADD');
  await until('the plugin runs', () => fakes.has('ADD slow'));
  const ending = lab.endDaemon('SIGTERM');
  // A connection that was taken at the very end may still be told so (500); it never is told to be ready.
  await until('it is not ready', async () => (await ask(lab, 'GET', '/readyz'))[0] !== 200);
  const gone = async () => ['ENOENT', 'ECONNREFUSED'].includes(String((await ask(lab, 'GET', '/readyz'))[0]));
  await until('nobody listens', gone);
  writeSync(openSync(gate, constants.O_RDWR), '\n');
  assertResult(await adding, '1.0.0');
  await ending;
  assertSilent(await lab.cni('DEL'));
  await assertClean(lab, 'pod1');
});

test.run();
