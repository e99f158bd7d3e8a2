import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildTestApp, NOW } from './testing/test-app.ts';

/** An identity provider: one RS256 key, its key set over HTTP. */
let provider: Server;
let url: URL;
let keySet: string;
let pair: Awaited<ReturnType<typeof generateKeyPair>>;

beforeAll(async () => {
  pair = await generateKeyPair('RS256');
});

beforeEach(async () => {
  keySet = JSON.stringify({
    keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }],
  });
  provider = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(keySet);
  });
  await new Promise<void>((resolve) => {
    provider.listen(0, '127.0.0.1', resolve);
  });
  url = new URL(`http://127.0.0.1:${portOf(provider)}/keys`);
});

afterEach(async () => {
  provider.closeAllConnections();
  await new Promise((resolve) => {
    provider.close(resolve);
  });
});

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

function claims(): SignJWT {
  return new SignJWT({ sub: 'test_user', exp: NOW.getTime() / 1_000 + 60 });
}

async function balance(token: string) {
  const app = buildTestApp({ tokens: { keys: { kind: 'jwks', url } }, devLogin: false });
  const response = await app.inject({
    url: '/user/points/consumption/balance',
    headers: { authorization: `Bearer ${token}`, 'accept-language': 'en' },
  });
  await app.close();
  return response;
}

test('a token signed with a key of the set lets pass', async () => {
  const token = await claims()
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .sign(pair.privateKey);
  expect((await balance(token)).statusCode).toBe(200);
});

test('a token signed with another key is refused', async () => {
  const other = await generateKeyPair('RS256');
  const token = await claims()
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .sign(other.privateKey);
  expect((await balance(token)).statusCode).toBe(401);
});

test('a token that names a key that is not in the set is refused', async () => {
  const token = await claims()
    .setProtectedHeader({ alg: 'RS256', kid: 'two' })
    .sign(pair.privateKey);
  expect((await balance(token)).statusCode).toBe(401);
});

test('the public key is no shared secret', async () => {
  const publicKey = new TextEncoder().encode(await exportSPKI(pair.publicKey));
  const token = await claims().setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(publicKey);
  expect((await balance(token)).statusCode).toBe(401);
});

test.each([
  ['away', () => (url = new URL('http://127.0.0.1:1/keys'))],
  ['not a key set', () => (keySet = '{"keys":"none"}')],
  ['not JSON', () => (keySet = '<html>')],
])('a key set that is %s is our trouble, not the token`s', async (_, spoil) => {
  spoil();
  const token = await claims()
    .setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .sign(pair.privateKey);
  const response = await balance(token);
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({
    code: 503,
    data: { error: 'service_unavailable', part: 'jwks' },
  });
});
