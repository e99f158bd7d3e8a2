import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Book,
  START_MS,
  cancel,
  charged,
  confirm,
  consume,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import { histories } from '../testing/history.ts';
import { narrate } from '../testing/narrate.ts';
import { mapEntries, mapGet } from '../persistent-map.ts';
import { DAY_MS, HOUR_MS, parseTime } from '../time.ts';
import { type Account, type BatchOrigin, freshAccount } from './account.ts';
import { decide } from './decide.ts';
import type { BatchKind, RecordedAccountEvent } from './events.ts';
import { type PlacedAccountEvent, batchesThatPaid, recallHold } from './recall-hold.ts';
import { recallSource } from './recall-source.ts';

/** Every batch that the events made, as it was made. */
function originsIn(events: readonly PlacedAccountEvent[]): Map<string, BatchOrigin> {
  const origins = new Map<string, BatchOrigin>();
  const add = (
    batch: {
      batch_id: string;
      points: number;
      expires_at: string | null;
      source_ref?: string;
      origin_batch_id?: string;
    },
    kind: BatchKind,
    occurredAt: string,
  ): void => {
    origins.set(batch.batch_id, {
      batchId: batch.batch_id,
      kind,
      points: batch.points,
      createdMs: parseTime(occurredAt),
      expiresMs: batch.expires_at === null ? null : parseTime(batch.expires_at),
      sourceRef: batch.source_ref ?? null,
      originBatchId: batch.origin_batch_id ?? null,
    });
  };
  for (const { event, context } of events) {
    const { data } = event;
    if (event.type === 'PointsRecharged')
      for (const batch of event.data.batches)
        add({ ...batch, source_ref: event.data.source_ref }, batch.kind, context.occurred_at);
    if (event.type === 'PointsAdjusted' && event.data.batch !== null)
      add(event.data.batch, 'adjust', context.occurred_at);
    if ('grace' in data) for (const batch of data.grace) add(batch, 'grace', context.occurred_at);
  }
  return origins;
}

function placed(events: readonly RecordedAccountEvent[]): PlacedAccountEvent[] {
  return events.map((event, revision) => ({ ...event, revision }));
}

/** Everything that the account remembers of its settled holds and sources is what the events alone tell. */
function compare(account: Account, recorded: readonly RecordedAccountEvent[]): number {
  const events = placed(recorded);
  const origins = originsIn(events);
  let compared = 0;
  for (const [holdId, settled] of mapEntries(account.settledHolds)) {
    const asked = new Set(batchesThatPaid(holdId, events));
    const originOf = (batchId: string): BatchOrigin => {
      const origin = origins.get(batchId);
      if (origin === undefined || !asked.has(batchId)) throw new Error(`${batchId} is not known`);
      return origin;
    };
    const recalled = recallHold(holdId, events, originOf);
    expect(recalled).toEqual(settled);
    compared += 1;
  }
  for (const [sourceRef, source] of mapEntries(account.sources)) {
    const own = events.filter(
      ({ event }) =>
        event.type !== 'BatchExpired' || origins.get(event.data.batch_id)?.sourceRef === sourceRef,
    );
    expect(recallSource(sourceRef, own)).toEqual(source);
    compared += 1;
  }
  return compared;
}

function ofBook(book: Book): number {
  return compare(book.account, book.events);
}

describe('what is recalled from the log', () => {
  it(
    'is what an account that has not forgotten remembers, in random histories',
    {
      timeout: 0,
    },
    () => {
      let compared = 0;
      fc.assert(
        fc.property(histories(80), (history) => {
          const narrator = narrate(history);
          const events: RecordedAccountEvent[] = [];
          let account = freshAccount();
          for (const step of history.steps) {
            const command = narrator.next(step);
            if (command === null) continue;
            const decision = decide(command, account);
            if (decision.outcome !== 'accepted') continue;
            account = decision.account;
            events.push(...decision.events);
          }
          compared += compare(account, events);
        }),
        { numRuns: 60 },
      );
      expect(compared).toBeGreaterThan(200);
    },
  );

  it('holds the debt that was repaid, in order, less what was refunded', () => {
    const book = openBook();
    recharge(book, 5);
    const holdId = uuidAt(book.nowMs);
    hold(book, 5, { holdId });
    confirm(book, holdId, 12);
    recharge(book, 3);
    recharge(book, 20, { bonus: 2 });
    refund(book, holdId, 6);
    expect(mapGet(book.account.settledHolds, holdId)).toMatchObject({
      outcome: { charged: 12, refunded: 6, funding: [{ points: 5 }, { points: 1 }] },
    });
    expect(ofBook(book)).toBe(4);
  });

  it('holds tombstones, failures, expired holds and their late confirms', () => {
    const book = openBook();
    recharge(book, 50);
    cancel(book, uuidAt(book.nowMs));
    const failed = uuidAt(book.nowMs);
    const late = uuidAt(book.nowMs);
    const terms = charged(4, { failurePolicy: 'charge_then_refund' });
    hold(book, 5, { holdId: failed });
    hold(book, 7, { holdId: late });
    hold(book, 9);
    cancel(book, failed, 'failed');
    const pair = uuidAt(book.nowMs);
    hold(book, 4, { holdId: pair, terms });
    cancel(book, pair, 'failed');
    book.nowMs += 2 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    sweep(book);
    confirm(book, late, 6);
    expect(mapGet(book.account.settledHolds, late)).toMatchObject({
      outcome: { reason: 'expired', late: { requested: 6 } },
    });
    expect(mapGet(book.account.settledHolds, pair)).toMatchObject({
      outcome: { status: 'canceled', reason: 'failed' },
    });
    expect(ofBook(book)).toBe(7);
  });

  it('holds what of a source has expired, and that it was taken back', () => {
    const book = openBook();
    recharge(book, 10, { sourceRef: 'r', expiry: { kind: 'at', atMs: START_MS + DAY_MS } });
    const holdId = uuidAt(book.nowMs);
    hold(book, 4, { holdId, request: { ttlMs: 2 * DAY_MS } });
    book.nowMs += DAY_MS;
    sweep(book);
    cancel(book, holdId, 'failed');
    book.nowMs += 7 * DAY_MS;
    consume(book, 1);
    sweep(book);
    reverseRecharge(book, 'r');
    expect(mapGet(book.account.sources, 'r')).toMatchObject({ credited: 10, expired: 10 });
    expect(mapGet(book.account.sources, 'r')?.reversed).not.toBeNull();
    ofBook(book);
  });

  it('is nothing of a hold that is open, or that never was', () => {
    const book = openBook();
    recharge(book, 10);
    const holdId = uuidAt(book.nowMs);
    hold(book, 4, { holdId });
    const origins = originsIn(placed(book.events));
    const originOf = (batchId: string): BatchOrigin => {
      throw new Error(`${batchId} of ${origins.size}`);
    };
    expect(recallHold(holdId, placed(book.events), originOf)).toBeNull();
    expect(recallHold(uuidAt(book.nowMs), placed(book.events), originOf)).toBeNull();
    expect(recallSource('r', placed(book.events))).toBeNull();
  });
});
