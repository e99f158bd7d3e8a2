import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue, StoredEvent } from './event-log.ts';
import { chainEvents, GENESIS_HASH, verifyEvent } from './hash-chain.ts';
import type { EventDraft } from './hash-chain.ts';

/** The reference implementation. Loaded this way because its type file does not match what it exports. */
const require = createRequire(import.meta.url);
const canonicalize: (value: unknown) => string | undefined = require('canonicalize');

const drafts: readonly EventDraft[] = [
  {
    type: 'PointsRecharged',
    data: { source: 'order', points: 100, description: '充值 100 积分', expires_at: null },
    metadata: {
      schema: '1',
      command_id: '0198f3a2-7c1d-7e3a-9f00-1234567890ad',
      $correlationId: 'c-1',
    },
  },
  {
    type: 'PointsHeld',
    data: { amount: 10, allocations: [{ batch_id: 'b:0', points: 10 }], note: undefined },
    metadata: { schema: '1', command_id: '0198f3a2-7c1d-7e3a-9f00-1234567890ae' },
  },
];

const FIRST_HASH = '7cc7ad2ba85e4d4d2b748444516ac32abe721bd4df3fa6a66fca5302d2bffa52';

describe('chainEvents', () => {
  it('gives the golden hashes and ids (they are storage format and never change)', () => {
    const events = chainEvents('account-u1', 0, GENESIS_HASH, drafts);
    expect(
      events.map(({ id, metadata }) => ({
        id,
        hash: metadata['hash'],
        prev: metadata['prev_hash'],
      })),
    ).toEqual([
      { id: 'a496d792-0c58-57c1-b288-5cd4cf0a0339', hash: FIRST_HASH, prev: GENESIS_HASH },
      {
        id: 'e5455e78-d694-5879-bffb-9ce8e921687e',
        hash: '1daee8f740fae35dd8f2b67b280658236f4e91b970dd7688a0da574b4e2e80c6',
        prev: FIRST_HASH,
      },
    ]);
  });

  it('hashes the canonical JSON of stream, revision, type, data and metadata', () => {
    const [event] = chainEvents('account-u1', 7, 'ab'.repeat(32), drafts.slice(1));
    const hashed = {
      stream: 'account-u1',
      revision: 7,
      type: 'PointsHeld',
      data: drafts[1]?.data,
      metadata: { ...drafts[1]?.metadata, prev_hash: 'ab'.repeat(32) },
    };
    expect(event?.metadata['hash']).toBe(
      createHash('sha256')
        .update(canonicalize(hashed) ?? '')
        .digest('hex'),
    );
  });

  it('chains one by one as it chains together', () => {
    const [first, second] = chainEvents('account-u1', 0, GENESIS_HASH, drafts);
    const again = chainEvents('account-u1', 1, first?.metadata['hash'] ?? '', drafts.slice(1));
    expect(again).toEqual([second]);
  });

  it('gives another id for another stream, revision, predecessor, type, data or metadata', () => {
    const [draft] = drafts;
    if (draft === undefined) throw new Error('no draft');
    const ids = [
      chainEvents('account-u1', 0, GENESIS_HASH, [draft]),
      chainEvents('account-u2', 0, GENESIS_HASH, [draft]),
      chainEvents('account-u1', 1, GENESIS_HASH, [draft]),
      chainEvents('account-u1', 0, 'ab'.repeat(32), [draft]),
      chainEvents('account-u1', 0, GENESIS_HASH, [{ ...draft, type: 'PointsHeld' }]),
      chainEvents('account-u1', 0, GENESIS_HASH, [
        { ...draft, data: { ...draft.data, points: 101 } },
      ]),
      chainEvents('account-u1', 0, GENESIS_HASH, [
        { ...draft, metadata: { ...draft.metadata, schema: '2' } },
      ]),
    ].map(([event]) => event?.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(['hash', 'prev_hash', '$schema.name'])(
    'refuses a draft that sets metadata.%s itself',
    (name) => {
      const draft = { type: 'PointsHeld', data: {}, metadata: { [name]: 'x' } };
      expect(() => chainEvents('account-u1', 0, GENESIS_HASH, [draft])).toThrow(`metadata.${name}`);
    },
  );

  it('refuses data that JSON cannot carry unchanged', () => {
    const draft = { type: 'PointsHeld', data: { points: Number.NaN }, metadata: {} };
    expect(() => chainEvents('account-u1', 0, GENESIS_HASH, [draft])).toThrow(TypeError);
  });
});

const text = fc.string({ unit: 'binary', maxLength: 10 });
const anyData = fc.dictionary(text, fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' }), {
  maxKeys: 5,
});
const ownName = fc.string({
  unit: fc.constantFrom('a', 'b', '_', '$'),
  minLength: 1,
  maxLength: 5,
});
const anyDraft = fc.record({
  type: text,
  data: anyData,
  metadata: fc.dictionary(ownName, text, { maxKeys: 4 }),
});

/** A whole chain of one stream as a reader gets it, starting at some revision. */
const anyChain = fc
  .record({
    stream: text,
    firstRevision: fc.nat(1_000_000),
    previousHash: fc.constantFrom(GENESIS_HASH, 'ab'.repeat(32)),
    drafts: fc.array(anyDraft, { minLength: 1, maxLength: 4 }),
  })
  .map(({ stream, firstRevision, previousHash, drafts: written }) => ({
    previousHash,
    events: chainEvents(stream, firstRevision, previousHash, written).map(
      (event, index): StoredEvent => ({
        ...event,
        data: readBack(event.data),
        stream,
        revision: firstRevision + index,
        position: BigInt(1000 + index),
        createdMs: 0,
      }),
    ),
  }));

describe('verifyEvent', () => {
  it('accepts every event of a chain after it was stored and read back', () => {
    fc.assert(
      fc.property(anyChain, ({ events, previousHash }) => {
        let previous = previousHash;
        for (const event of events) {
          expect(verifyEvent(event, previous)).toBeNull();
          previous = event.metadata['hash'] ?? '';
        }
      }),
    );
  });

  it('accepts metadata that the server added under $schema.', () => {
    fc.assert(
      fc.property(anyChain, ({ events: [event], previousHash }) => {
        if (event === undefined) return;
        const metadata = {
          ...event.metadata,
          '$schema.name': event.type,
          '$schema.format': 'Json',
        };
        expect(verifyEvent({ ...event, metadata }, previousHash)).toBeNull();
      }),
    );
  });

  it('does not depend on the order of members, nor on position and created time', () => {
    fc.assert(
      fc.property(anyChain, ({ events: [event], previousHash }) => {
        if (event === undefined) return;
        const data = Object.fromEntries(Object.entries(event.data).reverse());
        const metadata = Object.fromEntries(Object.entries(event.metadata).reverse());
        const moved = { ...event, data, metadata, position: 9n, createdMs: 5 };
        expect(verifyEvent(moved, previousHash)).toBeNull();
      }),
    );
  });

  it('rejects every event in which any field was changed', () => {
    fc.assert(
      fc.property(anyChain, fc.nat(), text, ({ events: [event], previousHash }, which, junk) => {
        if (event === undefined) return;
        const tampered = tamperings(event, junk);
        const changed = tampered[which % tampered.length];
        if (changed === undefined) return;
        expect(verifyEvent(changed, previousHash)).toEqual(expect.any(String));
      }),
      { numRuns: 2000 },
    );
  });

  it('rejects a good event after the wrong predecessor', () => {
    fc.assert(
      fc.property(anyChain, ({ events: [event] }) => {
        if (event === undefined) return;
        expect(verifyEvent(event, 'cd'.repeat(32))).toMatch(/prev_hash/);
      }),
    );
  });

  it('says which field is wrong', () => {
    const [event] = chainEvents('account-u1', 0, GENESIS_HASH, drafts);
    if (event === undefined) throw new Error('no event');
    const stored: StoredEvent = {
      ...event,
      stream: 'account-u1',
      revision: 0,
      position: 1n,
      createdMs: 0,
    };
    const { hash: _hash, ...unhashed } = stored.metadata;
    expect(verifyEvent({ ...stored, metadata: unhashed }, GENESIS_HASH)).toBe(
      'metadata.hash is missing',
    );
    expect(verifyEvent({ ...stored, metadata: { hash: 'x' } }, GENESIS_HASH)).toMatch(
      'prev_hash is missing',
    );
    expect(verifyEvent({ ...stored, data: {} }, GENESIS_HASH)).toMatch(
      /content hashes to .*metadata.hash says/,
    );
    expect(
      verifyEvent({ ...stored, id: '00000000-0000-4000-8000-000000000000' }, GENESIS_HASH),
    ).toMatch('id is 0');
    const unhashable = { ...stored, data: { text: '\ud800' } };
    expect(verifyEvent(unhashable, GENESIS_HASH)).toMatch('content cannot be hashed');
  });
});

/** The event with one thing changed each time: every top field, every member of data and metadata changed, dropped or added. */
function tamperings(event: StoredEvent, junk: string): StoredEvent[] {
  const { data, metadata } = event;
  const flippedId = event.id.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  return [
    { ...event, id: flippedId },
    { ...event, stream: `${event.stream}x` },
    { ...event, revision: event.revision + 1 },
    { ...event, type: `${event.type}x` },
    { ...event, data: { ...data, [`new ${junk}`]: junk } },
    { ...event, metadata: { ...metadata, [`new ${junk}`]: junk } },
    ...Object.keys(data).map((name) => ({
      ...event,
      data: { ...data, [name]: altered(data[name]) },
    })),
    ...Object.keys(data).map((name) => ({ ...event, data: without(data, name) })),
    ...Object.keys(metadata).map((name) => ({
      ...event,
      metadata: { ...metadata, [name]: `${metadata[name]}x` },
    })),
    ...Object.keys(metadata).map((name) => ({ ...event, metadata: without(metadata, name) })),
  ];
}

function altered(value: JsonValue | undefined): JsonValue {
  if (typeof value === 'number') return value === 0 ? 1 : -value;
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return `${value}x`;
  return value === null ? 0 : null;
}

function without<Value>(
  members: Readonly<Record<string, Value>>,
  name: string,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(members).filter(([other]) => other !== name));
}

function readBack(data: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(data));
}
