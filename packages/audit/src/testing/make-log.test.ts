import { canonicalJson } from '@points/event-store/canonical-json';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { GENESIS_HASH } from '@points/event-store/hash-chain';
import { describe, expect, it } from 'vitest';
import { type AccountBooks, openAccountBooks } from '../books/account-books.ts';
import { decodeEvent } from '../books/decode.ts';
import { readSealedLine } from '../seal.ts';
import { makeLog } from './make-log.ts';

const OPTIONS = { accounts: 20, events: 4_000, seed: 7 };

describe('a log that is made up', () => {
  const log = [...makeLog(OPTIONS)];

  it('is sealed, chained, and in order', () => {
    const heads = new Map<string, { revision: number; hash: string | undefined }>();
    let before = -1n;
    for (const { position, ...event } of log) {
      expect(position > before).toBe(true);
      before = position;
      const line = canonicalJson({ ...event, position: String(position) });
      expect(readSealedLine(Buffer.from(line)).problem).toBeNull();
      const head = heads.get(event.stream) ?? { revision: -1, hash: GENESIS_HASH };
      expect([event.revision, event.metadata['prev_hash']]).toEqual([head.revision + 1, head.hash]);
      heads.set(event.stream, { revision: event.revision, hash: event.metadata['hash'] });
    }
    for (const prefix of LEDGER_STREAM_PREFIXES)
      expect([...heads.keys()].some((stream) => stream.startsWith(prefix))).toBe(true);
    expect([...heads.keys()].filter((stream) => stream.startsWith('account-'))).toHaveLength(20);
  });

  it('is what an honest ledger would have written', () => {
    const books = new Map<string, AccountBooks>();
    for (const event of log) {
      const decoded = decodeEvent(event);
      if (decoded.category !== 'account') continue;
      const account = books.get(decoded.accountId) ?? openAccountBooks();
      books.set(decoded.accountId, account);
      account.apply(decoded);
    }
    expect([...books.values()].some((account) => account.totals.debt_incurred > 0)).toBe(true);
  });

  it('has the usual traffic, and something of every kind', () => {
    const counts: Record<string, number> = {};
    for (const { type } of log) counts[type] = (counts[type] ?? 0) + 1;
    expect(Object.keys(counts).toSorted()).toEqual([
      'AccountFrozen',
      'AccountUnfrozen',
      'BatchExpired',
      'ConfigLoaded',
      'HoldCanceled',
      'HoldConfirmed',
      'HoldExtended',
      'MembershipGranted',
      'MembershipRevoked',
      'ModelPriced',
      'ModelRegistered',
      'PointsAdjusted',
      'PointsHeld',
      'PointsRecharged',
      'PointsRefunded',
      'PriceListed',
      'RechargeReversed',
    ]);
    expect((counts['PointsHeld'] ?? 0) / log.length).toBeCloseTo(0.45, 1);
    expect((counts['HoldConfirmed'] ?? 0) / log.length).toBeCloseTo(0.42, 1);
  });

  it('is the same for the same seed, and another one for another', () => {
    const few = { ...OPTIONS, events: 200 };
    expect([...makeLog(few)]).toEqual([...makeLog(few)]);
    expect([...makeLog(few)]).not.toEqual([...makeLog({ ...few, seed: 8 })]);
  });
});
