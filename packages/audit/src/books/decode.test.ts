import { readFileSync, readdirSync } from 'node:fs';
import { UnreadableEventError, decodeStoredEvent } from '@points/contracts/stored-events';
import { histories } from '@points/domain/testing/history';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../audit-event.ts';
import { openAccountBooks } from './account-books.ts';
import { decodeEvent } from './decode.ts';
import { hasShape } from './event-shapes.ts';
import { liveOut, stored } from './testing/lives.ts';
import { WrongBooksError } from './wrong-books.ts';

const FIXTURES = new URL('../../../contracts/fixtures/', import.meta.url);
const ACCOUNT_TYPES = /^(Points|Hold|Batch|Recharge|Account|Membership)/;

/** Values that JSON can hold, none of which counts as points, a batch or a time. */
const JUNK: readonly unknown[] = ['5', 1.5, -3, 1e300, null, '', [], {}, true, [null], [{}], -1e15];

function fixtures(): { type: string; metadata: Record<string, string>; data: object }[] {
  return readdirSync(FIXTURES)
    .filter((name) => ACCOUNT_TYPES.test(name))
    .map((name) => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')));
}

describe('decodeEvent', () => {
  it('takes the short way for every present shape, and says what contracts say', () => {
    for (const fixture of fixtures()) {
      expect(hasShape(fixture.type, fixture.data), fixture.type).toBe(true);
      const event = { ...fixture, stream: 'account-ada', revision: 3 } as unknown as AuditEvent;
      expect(decodeEvent(event)).toEqual(decodeStoredEvent(event));
    }
  });

  it('accepts no shape that contracts refuse', () => {
    for (const { type, data, metadata } of fixtures()) {
      for (const path of pathsOf(data)) {
        for (const junk of [...JUNK, undefined]) {
          const odd = changed(data, path, junk);
          const event = { stream: 'account-ada', revision: 3, type, data: odd, metadata };
          if (hasShape(type, odd))
            expect(() => decodeStoredEvent(event), `${type} ${path.join('.')}`).not.toThrow();
        }
      }
    }
  });

  it.each([
    ['command_id', ''],
    ['request_hash', 'A'.repeat(64)],
    ['index', '01'],
    ['index', '-1'],
    ['occurred_at', '2026-01-01T00:00:00Z'],
    ['schema', 'AccountFrozen.v2'],
    ['schema', 'AccountUnfrozen.v1'],
  ])('refuses metadata.%s %j', (key, value) => {
    const event = frozen();
    const odd = { ...event, metadata: { ...event.metadata, [key]: value } };
    expect(() => decodeEvent(odd)).toThrow(UnreadableEventError);
  });

  it('refuses unknown types, and streams that are none of the ledger', () => {
    expect(() => decodeEvent({ ...frozen(), type: 'PointsStolen' })).toThrow(UnreadableEventError);
    expect(() => decodeEvent({ ...frozen(), type: 'constructor' })).toThrow(UnreadableEventError);
    expect(() => decodeEvent({ ...frozen(), stream: 'accounts-ada' })).toThrow(
      UnreadableEventError,
    );
  });
});

describe('malformed data', () => {
  it('that concern points are refused, never crash, and never pass', { timeout: 0 }, () => {
    let refused = 0;
    fc.assert(
      fc.property(histories(60), fc.nat(), fc.nat(), (history, where, what) => {
        const { events } = liveOut(history);
        const place = where % Math.max(1, events.length);
        const recorded = events[place];
        if (recorded === undefined) return;
        const event = stored(recorded, place);
        const paths = pathsOf(event.data).filter((path) => isPoints(path));
        const path = paths[what % paths.length];
        if (path === undefined) return;
        const before = events.slice(0, place);
        for (const junk of JUNK) {
          const odd = { ...event, data: changed(event.data, path, junk) } as AuditEvent;
          if (JSON.stringify(odd.data) === JSON.stringify(event.data)) continue;
          expect(() => judge(before, odd), JSON.stringify(odd.data)).toThrow(Refused);
          judgeRaw(before, odd);
          refused += 1;
        }
      }),
      { numRuns: 150 },
    );
    expect(refused).toBeGreaterThan(500);
  });
});

class Refused extends Error {}

function judge(before: ReturnType<typeof liveOut>['events'], event: AuditEvent): void {
  const books = openAccountBooks();
  for (const [revision, recorded] of before.entries()) {
    const decoded = decodeEvent(stored(recorded, revision));
    if (decoded.category === 'account') books.apply(decoded);
  }
  asRefused(() => {
    const decoded = decodeEvent(event);
    if (decoded.category === 'account') books.apply(decoded);
  });
}

/** Past the decoder, whose work it is to refuse such data, the books at least never crash. */
function judgeRaw(before: ReturnType<typeof liveOut>['events'], event: AuditEvent): void {
  const books = openAccountBooks();
  for (const recorded of before) books.apply(recorded);
  const { command_id = '', request_hash = '', index, occurred_at = '' } = event.metadata;
  const last = before.at(-1);
  const context = {
    command_id,
    request_hash:
      last?.context.command_id === command_id ? last.context.request_hash : request_hash,
    index: Number(index),
    occurred_at,
  };
  const raw = { event: { type: event.type, data: event.data }, context };
  try {
    books.apply(raw as unknown as Parameters<typeof books.apply>[0]);
  } catch (error) {
    expect(error).toBeInstanceOf(WrongBooksError);
  }
}

function asRefused(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (error instanceof WrongBooksError || error instanceof UnreadableEventError)
      throw new Refused(error.message);
    throw error;
  }
}

/** Fields whose value follows from the events before. */
const FREE = new Set([
  'record_id',
  'list_price',
  'estimated_duration_ms',
  'debt_floor',
  'min_points',
]);
const POINTS =
  /points|amount|delta|balance|available|debt|released|overage|waived|pinned|batches|alloc|returns|grace|reopened|total|batch_id/;

function isPoints(path: readonly string[]): boolean {
  return (
    path.every((key) => !FREE.has(key)) &&
    path[0] !== 'price' &&
    path[0] !== 'overage' &&
    POINTS.test(path.join('.')) &&
    !/description|debt_ref|expires_at|created_at|kind|source_ref/.test(path.at(-1) ?? '')
  );
}

function pathsOf(data: unknown): string[][] {
  if (typeof data !== 'object' || data === null) return [];
  return Object.entries(data).flatMap(([key, value]) => [
    [key],
    ...pathsOf(value).map((path) => [key, ...path]),
  ]);
}

/** `undefined` takes the field away. */
function changed(data: object, path: readonly string[], value: unknown): object {
  const copy = structuredClone(data);
  let holder = copy as Record<string, unknown>;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  const last = path.at(-1) ?? '';
  if (value === undefined && !Array.isArray(holder)) delete holder[last];
  else holder[last] = value;
  return copy;
}

function frozen(): AuditEvent {
  const fixture = fixtures().find(({ type }) => type === 'AccountFrozen');
  return { ...fixture, stream: 'account-ada', revision: 0 } as unknown as AuditEvent;
}
