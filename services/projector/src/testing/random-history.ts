import { mapValues } from '@points/domain/persistent-map';
import { cancel, confirm, consume, hold, recharge, sweep } from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import { HOUR_MS } from '@points/domain/time';

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
    hold(book, upTo(9), {
      overage: oneOf(['debt', 'cap', 'reject'] as const) ?? 'debt',
      debtFloor: random() < 0.3 ? upTo(6) : null,
      request: {
        sourceType: 'tts',
        bizType: 'order',
        bizId: `biz-${upTo(9)}`,
        quantity: 1 + upTo(4),
        estimatedDurationMs: upTo(90_000),
      },
    });
  } else if (step < 0.7 && holdId !== undefined) {
    confirm(book, holdId, random() < 0.3 ? undefined : upTo(24));
  } else if (step < 0.85 && holdId !== undefined) {
    const reasons = ['caller', 'failed', 'client_abort', 'admin'] as const;
    cancel(book, holdId, oneOf(reasons), { admin: true });
  } else if (step < 0.87) {
    cancel(book, crypto.randomUUID().replace(/^(.{14})./, '$17'), 'caller');
  } else if (step < 0.95) {
    consume(book, upTo(7), {}, random() < 0.5 ? undefined : upTo(12));
  } else {
    sweep(book);
  }
}
