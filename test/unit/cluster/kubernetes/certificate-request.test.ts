import { createPublicKey, createSign, createVerify } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeCertificateRequest } from '../../../../src/cluster/kubernetes/certificate-request.ts';
import { must } from '../../../lab/process.ts';
import { folderFor } from '../../folder.ts';

const folder = folderFor(test);

// A signer refuses what it cannot verify, and an approver what has another name.
test('openssl verifies the request, and reads the names and the key that belongs to it, of names of any length', async () => {
  for (const name of ['a', `system:multus:${'node.'.repeat(20)}example`, `system:multus:${'x'.repeat(250)}`]) {
    const { request, key } = makeCertificateRequest(name, 'system:multus');
    const file = folder.write('r.csr', request);
    const shown = await must(
      'openssl',
      'req',
      '-in',
      file,
      '-verify',
      '-noout',
      '-subject',
      '-pubkey',
      '-nameopt',
      'multiline',
    );
    assert.match(shown, new RegExp(`commonName += ${name.replaceAll('.', '\\.')}\n`));
    assert.match(shown, /organizationName += system:multus\n/);
    const data = 'x';
    const signature = createSign('sha256').update(data).sign(key);
    const publicKey = createPublicKey(shown.slice(shown.indexOf('-----BEGIN')));
    assert.ok(createVerify('sha256').update(data).verify(publicKey, signature));
  }
});

test.run();
