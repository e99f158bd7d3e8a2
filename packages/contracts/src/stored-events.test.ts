import { readdirSync, readFileSync } from 'node:fs';
import type { AccountEvent } from '@points/domain/account/events';
import type { ModelEvent } from '@points/domain/catalog/events';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { PriceListEvent } from '@points/domain/price-list/events';
import { z } from 'zod';
import { ACCOUNT_EVENT_DATA, CONFIG_EVENT_DATA, MODEL_EVENT_DATA } from './stored-data.ts';
import { PRICE_LIST_EVENT_DATA } from './stored-price-lists.ts';
import {
  decodeMetadata,
  decodeStoredEvent,
  type EncodedEvent,
  encodeMetadata,
  schemaName,
  UnreadableEventError,
} from './stored-events.ts';
import { presentVersion } from './upcasts.ts';

/** Hundreds of runs take their time on a busy machine. */
const PROPERTY_TIMEOUT_MS = 60_000;

const FIXTURES = new URL('../fixtures/', import.meta.url);
const SCHEMAS = {
  ...ACCOUNT_EVENT_DATA,
  ...MODEL_EVENT_DATA,
  ...PRICE_LIST_EVENT_DATA,
  ...CONFIG_EVENT_DATA,
};
const TYPES = Object.keys(SCHEMAS).filter((type): type is keyof typeof SCHEMAS => type in SCHEMAS);

interface Fixture extends EncodedEvent {
  readonly data: Record<string, unknown>;
  readonly metadata: Record<string, string>;
}

function fixture(name: string): Fixture {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FIXTURES), 'utf8')) as Fixture;
}

function refusal(stored: EncodedEvent): UnreadableEventError {
  try {
    decodeStoredEvent(stored);
  } catch (error) {
    if (error instanceof UnreadableEventError) return error;
    throw error;
  }
  throw new Error('was read');
}

/** `<EventType>.v<n>.json`; optional fields that came later have files of their own, `<EventType>.v<n>.<what>.json`. */
const FIXTURE_NAME = /^([A-Za-z]+\.v[1-9]\d*)(\.[a-z-]+)?\.json$/;
/** Anchors are no events of the ledger: `stored-anchors.test.ts`. */
const NAMES = readdirSync(FIXTURES)
  .filter((name) => !name.startsWith('LedgerAnchored.'))
  .toSorted();

describe('golden events', () => {
  it('exist for every version of every type, and for nothing else', () => {
    const expected = TYPES.flatMap((type) =>
      Array.from({ length: presentVersion(type) }, (_, index) => `${type}.v${index + 1}`),
    );
    const found = NAMES.map((name) => FIXTURE_NAME.exec(name)?.[1] ?? `misnamed: ${name}`);
    expect([...new Set(found)].toSorted()).toEqual(expected.toSorted());
  });

  it.each(TYPES)('show every field that %s can have', (type) => {
    const golden = NAMES.filter((name) => name.startsWith(`${schemaName(type)}.`)).map((name) =>
      fixture(name.replace(/\.json$/, '')),
    );
    const shown = new Set(golden.flatMap(({ data }) => Object.keys(data)));
    const schema = SCHEMAS[type];
    const shapes = schema instanceof z.ZodObject ? [schema] : schema.options;
    const fields = new Set(shapes.flatMap(({ shape }) => Object.keys(shape)));
    expect([...shown].toSorted()).toEqual([...fields].toSorted());
  });

  it.each(NAMES)('%s is read', (name) => {
    const stored = fixture(name.replace(/\.json$/, ''));
    expect(decodeStoredEvent(stored).event.type).toBe(stored.type);
  });

  const present = NAMES.filter((name) =>
    TYPES.some((type) => name.startsWith(`${schemaName(type)}.`)),
  );
  it.each(present)('%s is written again as the same JSON', (name) => {
    const stored = fixture(name.replace(/\.json$/, ''));
    const decoded = decodeStoredEvent(stored);
    const { context, commandName, actorType, actorId, correlationId, causationId } =
      decodeMetadata(stored);
    if (actorType !== 'client' && actorType !== 'user' && actorType !== 'system')
      throw new Error(`unknown actor ${actorType}`);
    const { prev_hash, hash } = stored.metadata;
    const metadata = encodeMetadata({
      eventType: decoded.event.type,
      context,
      commandName,
      actorType,
      actorId,
      correlationId,
      causationId,
    });
    const written = {
      stream: stored.stream,
      revision: stored.revision,
      type: decoded.event.type,
      data: decoded.event.data,
      metadata: { ...metadata, prev_hash, hash },
    };
    expect(decoded.context).toEqual(context);
    expect(JSON.parse(JSON.stringify(written))).toEqual(stored);
  });
});

/** What the schemas give, as the domain has it: immutable. */
type Immutable<Value> = Value extends object
  ? { readonly [Key in keyof Value]: Immutable<Value[Key]> }
  : Value;
type Readable<Schemas extends Record<string, z.ZodType>> = {
  [Type in keyof Schemas]: {
    readonly type: Type;
    readonly data: Immutable<z.output<Schemas[Type]>>;
  };
}[keyof Schemas];

it('whatever the domain can write can be read (a failing type check says what cannot)', () => {
  expectTypeOf<AccountEvent>().toExtend<Readable<typeof ACCOUNT_EVENT_DATA>>();
  expectTypeOf<ModelEvent>().toExtend<Readable<typeof MODEL_EVENT_DATA>>();
  expectTypeOf<PriceListEvent>().toExtend<Readable<typeof PRICE_LIST_EVENT_DATA>>();
});

describe('reading a stored event', () => {
  it('says whose event it is', () => {
    expect(decodeStoredEvent(fixture('PointsHeld.v1'))).toMatchObject({
      category: 'account',
      accountId: 'test_user',
      event: { type: 'PointsHeld' },
    });
    expect(decodeStoredEvent(fixture('ModelPriced.v1'))).toMatchObject({
      category: 'aiModel',
      modelId: 'sora_image',
    });
    expect(decodeStoredEvent(fixture('ConfigLoaded.v1'))).toMatchObject({
      category: 'pricingConfig',
      event: { type: 'ConfigLoaded' },
    });
  });

  const optional: Partial<Record<(typeof TYPES)[number], readonly string[]>> = {
    PointsRecharged: ['order_no'],
    PointsHeld: [
      'source_type',
      'model',
      'biz_type',
      'biz_id',
      'quantity',
      'estimated_duration_ms',
      'refund_description',
      'late_of',
    ],
    HoldConfirmed: ['quantity', 'duration_ms', 'late_of'],
    HoldCanceled: ['note'],
    PointsRefunded: ['operator'],
    PriceChanged: [
      'name',
      'price_fen',
      'sort_order',
      'is_active',
      'points',
      'bonus',
      'validity_days',
    ],
    ModelDescribed: [
      'display_name',
      'description',
      'platform',
      'provider_type',
      'model_type',
      'task_type',
      'extended_config',
    ],
  };

  it.each(TYPES)(
    '%s without any one of its required fields is unreadable, and the field is named',
    (type) => {
      const stored = fixture(schemaName(type));
      for (const field of Object.keys(stored.data)) {
        const { [field]: _, ...data } = stored.data;
        if (optional[type]?.includes(field))
          expect(decodeStoredEvent({ ...stored, data }).event.data).toEqual(data);
        else expect(refusal({ ...stored, data }).message).toContain(`(${type}): ${field}: `);
      }
    },
  );

  it.each(TYPES)(
    '%s with a field of the wrong type is unreadable, and the field is named',
    (type) => {
      const stored = fixture(schemaName(type));
      for (const field of Object.keys(stored.data)) {
        expect(
          refusal({ ...stored, data: { ...stored.data, [field]: Symbol('no JSON') } }).message,
        ).toContain(`(${type}): ${field}: `);
      }
    },
  );

  it.each(TYPES)('%s with a field that we do not know is read without it', (type) => {
    const stored = fixture(schemaName(type));
    expect(decodeStoredEvent({ ...stored, data: { ...stored.data, added_later: 1 } })).toEqual(
      decodeStoredEvent(stored),
    );
  });

  const held = fixture('PointsHeld.v1');
  it.each<[string, Partial<Fixture>, string]>([
    ['a stream that is not ours', { stream: 'paymentOrder-1' }, 'not a stream of the ledger'],
    ['an account id that is none', { stream: 'account-a.b' }, 'not a stream of the ledger'],
    ['a type that we do not know', { type: 'PointsStolen' }, 'no such event in account streams'],
    ['a type of another category', { stream: 'aiModel-x' }, 'no such event in aiModel streams'],
    [
      'a type named like a property of every object',
      { type: 'constructor' },
      'no such event in account streams',
    ],
    [
      'a newer version',
      { metadata: { ...held.metadata, schema: 'PointsHeld.v2' } },
      'written by a newer version',
    ],
    [
      'the schema of another type',
      { metadata: { ...held.metadata, schema: 'HoldConfirmed.v1' } },
      'metadata.schema must be PointsHeld.v<number>',
    ],
    ['no metadata', { metadata: {} }, 'metadata.command_id: '],
    ['a negative index', { metadata: { ...held.metadata, index: '-1' } }, 'metadata.index: '],
    [
      'a time without milliseconds',
      { metadata: { ...held.metadata, occurred_at: '2026-11-20T06:00:00Z' } },
      'metadata.occurred_at: ',
    ],
    [
      'a request hash cut short',
      { metadata: { ...held.metadata, request_hash: 'abc' } },
      'metadata.request_hash: ',
    ],
    ['an amount of half a point', { data: { ...held.data, amount: 0.5 } }, 'amount: '],
    ['an amount beyond safe integers', { data: { ...held.data, amount: 2 ** 53 } }, 'amount: '],
    [
      'a list with a wrong row',
      { data: { ...held.data, allocations: [{ batch_id: 'b', points: '5' }] } },
      'allocations.0.points: ',
    ],
  ])('refuses %s', (_, change, problem) => {
    const error = refusal({ ...held, ...change });
    expect(error.message).toContain(problem);
    expect(error).toMatchObject({
      stream: change.stream ?? held.stream,
      revision: held.revision,
      type: change.type ?? held.type,
    });
  });

  it.each([[null], [undefined], ['text'], [5], [[]], [Buffer.from('{}')]])(
    'refuses data that is no JSON object: %j',
    (data) => {
      expect(refusal({ ...held, data }).message).toContain('(PointsHeld): ');
    },
  );

  it(
    'throws nothing but UnreadableEventError, whatever the log holds',
    { timeout: PROPERTY_TIMEOUT_MS },
    () => {
      const anyEvent = fc.record({
        stream: fc.oneof(
          fc.constantFrom('account-a', 'aiModel-a', 'pricingConfig-ledger'),
          fc.string(),
        ),
        revision: fc.nat(),
        type: fc.oneof(fc.constantFrom(...TYPES), fc.string()),
        data: fc.jsonValue(),
        metadata: fc.oneof(fc.constant(held.metadata), fc.dictionary(fc.string(), fc.string())),
      });
      fc.assert(fc.property(anyEvent, (stored) => refusal(stored) instanceof UnreadableEventError));
    },
  );
});
