/** Certificates of a lab, made by openssl: an authority of its own, and what it signs. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/process.ts';

export interface Certificate {
  certFile: string;
  keyFile: string;
}

export interface Authority {
  caFile: string;
  /** A server's certificate for localhost, 127.0.0.1 and `names` (host names only). */
  server(name: string, ...names: string[]): Promise<Certificate>;
  /** A client's certificate: to an API server the user's name, and the groups it is in. */
  client(user: string, ...groups: string[]): Promise<Certificate>;
}

/** openssl's own file would mark all that it signs as authorities. */
const CONFIG = '[req]\ndistinguished_name = names\n[names]\n';

/** @param folder where all files go; made when it does not exist */
export async function makeAuthority(folder: string): Promise<Authority> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'openssl.conf');
  writeFileSync(config, CONFIG);
  const caFile = join(folder, 'ca.crt');
  const caKey = join(folder, 'ca.key');

  const request = (subject: string, certFile: string, keyFile: string, ...args: string[]) =>
    must(
      'openssl',
      ...['req', '-x509', '-config', config, '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '2', '-subj', subject, '-out', certFile, '-keyout', keyFile],
      ...args.flatMap((extension) => (extension.startsWith('-') ? extension.split(' ') : ['-addext', extension])),
    );
  await request('/CN=multus-native lab', caFile, caKey, 'basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign');

  const sign = async (name: string, subject: string, ...extensions: string[]): Promise<Certificate> => {
    const file = join(folder, name.replaceAll(/[^\w.-]/g, '_'));
    const made = { certFile: `${file}.crt`, keyFile: `${file}.key` };
    const signed = [`-CA ${caFile}`, `-CAkey ${caKey}`, 'basicConstraints=critical,CA:FALSE', ...extensions];
    await request(subject, made.certFile, made.keyFile, ...signed);
    return made;
  };
  return {
    caFile,
    server: (name, ...names) => {
      const alternatives = ['localhost', ...names].map((one) => `DNS:${one}`).join(',');
      return sign(name, `/CN=${name}`, `subjectAltName=IP:127.0.0.1,${alternatives}`, 'extendedKeyUsage=serverAuth');
    },
    client: (user, ...groups) => {
      const subject = [...groups.map((group) => `/O=${group}`), `/CN=${user}`].join('');
      return sign(user, subject, 'extendedKeyUsage=clientAuth');
    },
  };
}

/** A key that signs service accounts' tokens. @returns its file */
export function makeTokenKey(folder: string): string {
  const file = join(folder, 'service-accounts.key');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  return file;
}
