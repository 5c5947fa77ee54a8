/** Requests for certificates (PKCS #10, RFC 2986), which Node can sign but not write: of one kind of key and of name. */
import { generateKeyPairSync, sign } from 'node:crypto';

/** An element of DER: tag, length, content. */
function element(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

const sequence = (...contents: Buffer[]): Buffer => element(0x30, ...contents);
const oid = (hex: string): Buffer => element(0x06, Buffer.from(hex, 'hex'));

const ORGANIZATION = oid('55040a'); // 2.5.4.10
const COMMON_NAME = oid('550403'); // 2.5.4.3
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302')); // 1.2.840.10045.4.3.2
const VERSION_1 = element(0x02, Buffer.from([0]));
const NO_ATTRIBUTES = element(0xa0);

function named(type: Buffer, value: string): Buffer {
  return element(0x31, sequence(type, element(0x0c, Buffer.from(value)))); // SET of one, UTF8String
}

export interface CertificateRequest {
  /** PEM, "CERTIFICATE REQUEST". */
  request: string;
  /** PEM, PKCS #8. */
  key: string;
}

/** A new key (ECDSA, P-256), and the request for a certificate of it. */
export function makeCertificateRequest(commonName: string, organization: string): CertificateRequest {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(named(ORGANIZATION, organization), named(COMMON_NAME, commonName));
  const info = sequence(VERSION_1, subject, publicKey.export({ type: 'spki', format: 'der' }), NO_ATTRIBUTES);
  const signature = element(0x03, Buffer.from([0]), sign('sha256', info, privateKey));
  const base64 = sequence(info, ECDSA_WITH_SHA256, signature).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return {
    request: `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`,
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}
