import { describe, expect, it } from 'vitest';
import { checkConnectionString } from './eventstoredb-connection.ts';

describe('checkConnectionString', () => {
  it.each([
    'esdb://127.0.0.1:2113?tls=false',
    'esdb://127.0.0.1:2113/?tls=false&keepAliveInterval=10000',
    'esdb://127.0.0.1',
    'esdb://user:pass%3Aword@a.example:2113,b.example:2113?nodePreference=leader&TLS=true',
    'esdb+discover://cluster.example:2113?tls=true&keep_alive_timeout=20000',
  ])('accepts %s', (url) => {
    expect(() => checkConnectionString(url)).not.toThrow();
  });

  it.each([
    ['', /expected esdb:\/\//],
    ['127.0.0.1:2113', /expected esdb:\/\//],
    ['kurrentdb://127.0.0.1:2113', /expected esdb:\/\//],
    ['esdb://127.0.0.1:port', /expected port number/],
    ['esdb://127.0.0.1:2113?tls=no', /expected true or false/],
    ['esdb://127.0.0.1:2113?keepAliveInterval=soon', /expected Integer/],
    ['esdb://127.0.0.1:2113?tsl=false', /unknown setting "tsl"/],
    ['esdb://127.0.0.1:2113?tlsVerifyCert=false', /tlsVerifyCert=false has no effect/],
    ['esdb://127.0.0.1:2113?tls=true&tlsCAFile=/nowhere/ca.pem', /certificate file/],
  ])('refuses %j and says why', (url, reason) => {
    expect(() => checkConnectionString(url)).toThrow(reason);
  });

  it.each([
    'esdb://admin:secret@127.0.0.1:port',
    'esdb://admin:secret@host?tsl=false',
    'esdb://admin:secret@host?tlsVerifyCert=false',
    'x://admin:secret@host',
  ])('never repeats a password: %s', (url) => {
    expect(() => checkConnectionString(url)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
  });
});
