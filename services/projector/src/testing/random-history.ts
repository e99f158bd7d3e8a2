import { mapEntries, mapSize, mapValues } from '@points/domain/persistent-map';
import {
  adjust,
  cancel,
  charged,
  confirm,
  consume,
  extend,
  freeze,
  grantMembership,
  hold,
  recharge,
  refund,
  reverseRecharge,
  revokeMembership,
  sweep,
  unfreeze,
} from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import { DAY_MS, HOUR_MS } from '@points/domain/time';

/** Random numbers in [0, 1), the same ones for the same seed. */
export type Random = () => number;

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One random command; refusals happen and leave no event. Small numbers, so that debt and expiry are frequent. */
export function randomStep(book: Book, random: Random): void {
  const upTo = (limit: number) => Math.floor(random() * limit);
  const oneOf = <T>(choices: readonly T[]) => choices[upTo(choices.length)];
  const openHold = () => oneOf(mapValues(book.account.openHolds))?.holdId;
  book.nowMs += upTo(3 * HOUR_MS);
  book.watermarkMs = random() < 0.5 ? null : book.nowMs;
  const step = random();
  const holdId = openHold();
  if (step < 0.15) {
    recharge(book, 1 + upTo(12), {
      bonus: random() < 0.3 ? 1 + upTo(5) : 0,
      source: oneOf(['order', 'reward', 'admin', 'import'] as const) ?? 'order',
      expiry:
        random() < 0.2
          ? { kind: 'never' }
          : { kind: 'at', atMs: book.nowMs + 1 + upTo(30) * HOUR_MS },
    });
  } else if (step < 0.5) {
    const amount = upTo(9);
    const policies = {
      overage: oneOf(['debt', 'cap', 'reject'] as const) ?? 'debt',
      debtFloor: random() < 0.3 ? upTo(6) : null,
      failurePolicy: random() < 0.5 ? ('cancel' as const) : ('charge_then_refund' as const),
    };
    hold(book, amount, {
      ...(amount === 0 ? {} : { terms: charged(amount, policies) }),
      request: {
        sourceType: 'tts',
        bizType: 'order',
        bizId: `biz-${upTo(9)}`,
        quantity: 1 + upTo(4),
        estimatedDurationMs: upTo(90_000),
      },
    });
  } else if (step < 0.63 && holdId !== undefined) {
    confirm(book, holdId, random() < 0.3 ? undefined : upTo(24));
  } else if (step < 0.72 && holdId !== undefined) {
    const reasons = ['caller', 'failed', 'client_abort', 'admin'] as const;
    cancel(book, holdId, oneOf(reasons), { admin: true });
  } else if (step < 0.74) {
    cancel(book, crypto.randomUUID().replace(/^(.{14})./, '$17'), 'caller');
  } else if (step < 0.77 && holdId !== undefined) {
    extend(book, holdId, HOUR_MS);
  } else if (step < 0.82) {
    consume(book, upTo(7), {}, random() < 0.5 ? undefined : upTo(12));
  } else if (step < 0.92) {
    randomCorrection(book, random);
  } else {
    sweep(book);
  }
}

/** What people do to an account, and a settlement that comes too late. */
function randomCorrection(book: Book, random: Random): void {
  const { account } = book;
  const upTo = (limit: number) => Math.floor(random() * limit);
  const settled = mapValues(account.settledHolds);
  const some = settled[upTo(settled.length)]?.holdId;
  const source = mapEntries(account.sources)[upTo(mapSize(account.sources))]?.[0];
  const late = settled.find(({ outcome }) => {
    const expired = outcome.status === 'canceled' && outcome.reason === 'expired';
    return expired && outcome.late === null && outcome.atMs > book.nowMs - DAY_MS;
  })?.holdId;
  const step = random();
  if (step < 0.4 && some !== undefined)
    refund(book, some, random() < 0.5 ? undefined : 1 + upTo(4));
  else if (step < 0.5 && late !== undefined) confirm(book, late, upTo(9));
  else if (step < 0.65 && source !== undefined) reverseRecharge(book, source);
  else if (step < 0.85) adjust(book, upTo(2) === 0 ? 1 + upTo(9) : -1 - upTo(9), { forced: true });
  else if (step < 0.9) freeze(book);
  else if (step < 0.94) unfreeze(book);
  else if (step < 0.98) grantMembership(book, 1 + upTo(3));
  else revokeMembership(book);
}
