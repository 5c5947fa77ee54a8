/**
 * A shim's request, told from others. A user loses: an ADD that is answered to somebody else's words, or a caller of
 * another kind that nobody answers.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readShimRequest } from '../../../src/daemon/shim-request.ts';

const HEADERS = [
  'Host: multus',
  'Content-Type: application/json',
  'Content-Length: 4',
  'Connection: Upgrade',
  'Upgrade: multus-exec/1',
  'Expect: 100-continue',
  'X-Multus-Shim: 0.1.0',
  'X-Multus-Operation: 17-abc',
  'X-Multus-Pidns: 4026531836',
];

const bytes = (headers: string[], { line = 'POST /cni HTTP/1.1', body = 'body' } = {}): Buffer =>
  Buffer.from(`${[line, ...headers].join('\r\n')}\r\n\r\n${body}`);

const without = (name: string): string[] => HEADERS.filter((one) => !one.startsWith(`${name}:`));

test('reads what a shim says of itself, and leaves what follows as it is', () => {
  const request = readShimRequest(bytes(HEADERS, { body: 'body and frames' }));
  assert.equal(
    { ...request, rest: request?.rest.toString() },
    { operation: '17-abc', pidNamespace: '4026531836', bodyLength: 4, rest: 'body and frames' },
  );
});

test('headers count in any order and letter case; an older shim says less', () => {
  const request = readShimRequest(
    bytes(['UPGRADE: multus-exec/1', 'connection: Upgrade', 'content-length: 0'], { body: '' }),
  );
  assert.equal({ ...request, rest: '' }, { operation: '', pidNamespace: '', bodyLength: 0, rest: '' });
});

test("everything else is left to Node's server, which answers it", () => {
  const others: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['a head that is not whole', bytes(HEADERS).subarray(0, 100)],
    ['another path', bytes(HEADERS, { line: 'POST /delegate HTTP/1.1' })],
    ['another method', bytes(HEADERS, { line: 'GET /cni HTTP/1.1' })],
    ['another version', bytes(HEADERS, { line: 'POST /cni HTTP/1.0' })],
    ['no offer', bytes(without('Upgrade'))],
    ['another protocol', bytes([...without('Upgrade'), 'Upgrade: multus-exec/2'])],
    ['several protocols', bytes([...without('Upgrade'), 'Upgrade: multus-exec/2, multus-exec/1'])],
    ['no upgrade', bytes(without('Connection'))],
    ['no length', bytes(without('Content-Length'))],
    ['a length that is no number', bytes([...without('Content-Length'), 'Content-Length: 4x'])],
    ['a negative length', bytes([...without('Content-Length'), 'Content-Length: -4'])],
    ['a length beyond the limit', bytes([...without('Content-Length'), 'Content-Length: 99999999'])],
    ['two lengths', bytes([...HEADERS, 'content-length: 5'])],
    ['chunks', bytes([...HEADERS, 'Transfer-Encoding: chunked'])],
    ['a header over two lines', bytes([...HEADERS, ' and more'])],
    ['a line that is no header', bytes([...HEADERS, 'x'])],
    ['a head without end', Buffer.from(`POST /cni HTTP/1.1\r\n${'a: b\r\n'.repeat(1000)}`)],
    ['a request of TLS', Buffer.from([22, 3, 1, 2, 0, 1])],
  ];
  for (const [what, received] of others) assert.is(readShimRequest(received), undefined, what);
});

test.run();
