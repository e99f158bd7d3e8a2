import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accountSnapshotStream,
  accountStream,
  aiModelStream,
  AUDIT_ANCHOR_STREAM,
  LEDGER_STREAM_PREFIXES,
  parseStream,
  PRICE_SNAPSHOT_STREAM,
  priceListStream,
  PRICING_CONFIG_STREAM,
} from './streams.ts';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

describe('stream names', () => {
  it('come back as what they were made of', () => {
    fc.assert(
      fc.property(id, (text) => {
        expect(parseStream(accountStream(text))).toEqual({ category: 'account', accountId: text });
        expect(parseStream(aiModelStream(text))).toEqual({ category: 'aiModel', modelId: text });
      }),
    );
    expect(parseStream(PRICING_CONFIG_STREAM)).toEqual({ category: 'pricingConfig' });
    for (const kind of ['credits', 'membership'] as const)
      expect(parseStream(priceListStream(kind))).toEqual({ category: 'priceList', kind });
  });

  it('all start with a known prefix', () => {
    for (const stream of [
      accountStream('a'),
      aiModelStream('a'),
      priceListStream('credits'),
      PRICING_CONFIG_STREAM,
    ]) {
      expect(LEDGER_STREAM_PREFIXES.some((prefix) => stream.startsWith(prefix))).toBe(true);
    }
  });

  it.each(['', 'a b', 'a.b', 'a>', 'a*', 'ä', 'x'.repeat(65), 'a\n'])(
    'are never made of %j',
    (text) => {
      expect(() => accountStream(text)).toThrow(RangeError);
      expect(() => aiModelStream(text)).toThrow(RangeError);
      expect(parseStream(`account-${text}`)).toBeNull();
      expect(parseStream(`aiModel-${text}`)).toBeNull();
    },
  );

  it.each([accountSnapshotStream('account-a'), PRICE_SNAPSHOT_STREAM, AUDIT_ANCHOR_STREAM])(
    '%s is no part of the ledger: whoever follows it does not see it',
    (stream) => {
      expect(LEDGER_STREAM_PREFIXES.filter((prefix) => stream.startsWith(prefix))).toEqual([]);
      expect(parseStream(stream)).toBeNull();
    },
  );

  it.each([
    'accountSnapshot-a',
    'account',
    '$$account-a',
    'pricingConfig-other',
    'priceList-coupons',
    'paymentOrder-1',
  ])('%s is not one of the ledger', (stream) => {
    expect(parseStream(stream)).toBeNull();
  });
});
