import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeFact, encodeFact, factOf, NotAFactError } from './facts.ts';
import type { EventInLog } from './facts.ts';
import { decodeStoredEvent } from './stored-events.ts';
import { parseStream } from './streams.ts';

const FIXTURES = new URL('../fixtures/', import.meta.url);
const ID = '0b0f3f0c-6a52-5d0e-9c37-6f1d3c1f9a11';

function golden(name: string): EventInLog {
  const stored = JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as EventInLog;
  return { ...stored, id: ID, position: 9_007_199_254_740_993n };
}

const ANCHOR = 'LedgerAnchored.v1.json';
const fixtures = readdirSync(FIXTURES)
  .filter((name) => name !== ANCHOR)
  .map((name) => ({ name, event: golden(name) }));
const account = fixtures.filter(({ event }) => parseStream(event.stream)?.category === 'account');

function held(): EventInLog {
  const fixture = fixtures.find(({ name }) => name === 'PointsHeld.v1.json');
  if (fixture === undefined) throw new Error('no such fixture');
  return fixture.event;
}

const encode = (event: EventInLog) => {
  const fact = factOf(event);
  if (fact === null) throw new Error('no fact');
  return encodeFact(fact);
};
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('a fact', () => {
  it.each(account)('of $name comes back whole and is read like the stored event', ({ event }) => {
    const fact = decodeFact(encode(event).body);
    expect(fact).toEqual({
      stream: event.stream,
      account_id: event.stream.slice('account-'.length),
      revision: event.revision,
      position: '9007199254740993',
      id: ID,
      type: event.type,
      data: event.data,
      metadata: event.metadata,
    });
    expect(decodeStoredEvent(fact)).toEqual(decodeStoredEvent(event));
  });

  it('says on its subject and in its headers what it is about', () => {
    const { subject, headers } = encode(held());
    expect(subject).toBe('ledger.v1.evt.PointsHeld.test_user');
    const { metadata } = held();
    expect(headers).toEqual({
      'Ledger-Event-Type': 'PointsHeld',
      'Ledger-Schema': 'PointsHeld.v1',
      'Ledger-Revision': '1',
      'Ledger-Position': '9007199254740993',
      'Ledger-Correlation-Id': metadata['$correlationId'],
      'Ledger-Causation-Id': metadata['$causationId'],
      'Ledger-Client': metadata['actor_id'],
    });
  });

  it('has one-line headers whatever its metadata say, and none for what they do not', () => {
    const { headers, body } = encode({
      ...held(),
      metadata: { actor_id: 'a\r\nNats-Msg-Id: x', $correlationId: 'Größe 三' },
    });
    expect(headers).toMatchObject({
      'Ledger-Client': 'a  Nats-Msg-Id: x',
      'Ledger-Correlation-Id': 'Größe 三',
    });
    expect(Object.keys(headers)).not.toContain('Ledger-Schema');
    expect(decodeFact(body).metadata['actor_id']).toBe('a\r\nNats-Msg-Id: x');
  });

  it('is made of accounts’ events only', () => {
    for (const { name, event } of fixtures) {
      const isAccount = account.some((other) => other.name === name);
      expect(factOf(event) !== null, name).toBe(isAccount);
    }
  });

  it('is never made of an anchor, which is no event of the ledger and does not come its way', () => {
    expect(() => factOf(golden(ANCHOR))).toThrow(NotAFactError);
  });

  it.each([
    ['a stream that is none of ours', { stream: 'account-a.b' }, /account_id/],
    ['a type that is no name', { type: 'Points*' }, /type must be the name of an event/],
    ['data that are no object', { data: [1] }, /data/],
    ['an id that is no UUID', { id: 'x' }, /id must be a UUID/],
  ])('is refused of %s, by name', (_what, change, message) => {
    const event = { ...held(), ...change };
    expect(() => factOf(event)).toThrow(NotAFactError);
    expect(() => factOf(event)).toThrow(/event 1 of account-.* cannot be published/);
    expect(() => factOf(event)).toThrow(message);
  });
});

describe('decodeFact', () => {
  it('ignores fields that it does not know', () => {
    const fact = factOf(held());
    expect(decodeFact(bytes({ ...fact, shard: 7 }))).toEqual(fact);
  });

  it.each([
    ['no JSON', new Uint8Array([0x7b]), 'the message is not JSON'],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'the message is not JSON'],
    ['another shape', bytes({ ok: true }), 'stream'],
    ['a position as a number', bytes({ ...factOf(held()), position: 7 }), 'position'],
  ])('refuses %s', (_what, body, message) => {
    expect(() => decodeFact(body)).toThrow(NotAFactError);
    expect(() => decodeFact(body)).toThrow(message);
  });
});
