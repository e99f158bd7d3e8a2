import type { Result, Success } from '@points/contracts/ledger-replies';
import type { StoredEvent } from '@points/event-store/event-log';
import { MINUTE_MS } from '@points/domain/time';
import { expect } from 'vitest';
import type { World } from './ledger-under-test.ts';
import type { SettableClock } from './settable-clock.ts';

/** Holds here live on until they are settled. */
const TTL_MS = 86_400_000;
const BY_PERSON = { reason: 'x', operator: 'ann' };

/** One account whose batches have names, and its time in minutes from the story's start: `A10@50` expires at t50. */
export interface Story {
  readonly account_id: string;
  /** Moves the clock to that minute. */
  at(minute: number): void;
  /** `expires` in minutes; null = never. The source_ref is the batch's name; its bonus is called `<name>+`. */
  recharge(
    name: string,
    points: number,
    expires: number | null,
    more?: object,
  ): Promise<Success<'cmd.recharge'>>;
  reward(name: string, points: number, expires: number | null): Promise<Success<'cmd.reward'>>;
  hold(amount: number, more?: object): Promise<string>;
  confirm(hold_id: string, actual_amount: number): Promise<Success<'cmd.confirm'>>;
  cancel(hold_id: string): Promise<Success<'cmd.cancel'>>;
  consume(amount: number): Promise<string>;
  refund(hold_id: string, points: number): Promise<Success<'cmd.refund'>>;
  reverse(name: string): Promise<Success<'cmd.reverse_recharge'>>;
  adjust(name: string, delta: number, forced?: boolean): Promise<Success<'cmd.adjust'>>;
  balance(): Promise<Result<'qry.balance'>>;
  /** What is left in each batch, in spend order: `B3 A10`. */
  left(): Promise<string>;
  /** The data of the last event of that type. */
  last(type: string): Promise<Record<string, unknown>>;
  /** A list of that event's parts by the batches' names: `B10 A5`. */
  parts(type: string, list: string): Promise<string>;
  types(): Promise<string[]>;
}

export function beginStory(world: World, clock: SettableClock, account_id: string): Story {
  const startMs = clock.nowMs;
  const names = new Map<string, string>();
  const name = (batchId: unknown): string =>
    names.get(String(batchId)) ?? (batchId === 'debt' ? 'debt' : 'grace');
  const timeOf = (minute: number | null): string | null =>
    minute === null ? null : new Date(startMs + minute * MINUTE_MS).toISOString();

  async function lastEvent(type: string): Promise<StoredEvent> {
    const event = (await world.events(account_id)).findLast((each) => each.type === type);
    if (event === undefined) throw new Error(`${account_id} has no ${type}`);
    return event;
  }

  return {
    account_id,
    at(minute) {
      clock.nowMs = startMs + minute * MINUTE_MS;
    },
    async recharge(batch, points, expires, more) {
      // Older and younger batches: at equal expiry the older one goes first.
      clock.nowMs += 1;
      const reply = await world.ok('admin', 'cmd.recharge', {
        account_id,
        source: 'admin',
        source_ref: batch,
        points,
        expires_at: timeOf(expires),
        ...more,
      });
      for (const { batch_id, kind } of reply.result.batches)
        names.set(batch_id, kind === 'bonus' ? `${batch}+` : batch);
      return reply;
    },
    async reward(batch, points, expires) {
      const body = { account_id, source_ref: batch, points, expires_at: timeOf(expires) };
      const reply = await world.ok('admin', 'cmd.reward', body);
      for (const { batch_id } of reply.result.batches) names.set(batch_id, batch);
      return reply;
    },
    async hold(amount, more) {
      const body = { account_id, amount, ttl_ms: TTL_MS, ...more };
      return (await world.ok('ai-demo', 'cmd.hold', body)).result.hold_id;
    },
    confirm: (hold_id, actual_amount) =>
      world.ok('ai-demo', 'cmd.confirm', { account_id, hold_id, actual_amount }),
    cancel: (hold_id) => world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id }),
    async consume(amount) {
      const hold_id = world.newId();
      await world.ok('ai-demo', 'cmd.consume', { account_id, hold_id, amount });
      return hold_id;
    },
    refund: (hold_id, points) =>
      world.ok('admin', 'cmd.refund', { account_id, hold_id, points, ...BY_PERSON }),
    reverse: (source_ref) =>
      world.ok('admin', 'cmd.reverse_recharge', { account_id, source_ref, ...BY_PERSON }),
    async adjust(batch, delta, forced) {
      const body = { account_id, delta, ...BY_PERSON, ...(forced === true ? { forced } : {}) };
      const reply = await world.ok('admin', 'cmd.adjust', body);
      if (reply.result.batch !== null) names.set(reply.result.batch.batch_id, batch);
      return reply;
    },
    balance: async () => (await world.ok('ai-demo', 'qry.balance', { account_id })).result,
    async left() {
      const { result } = await world.ok('ai-demo', 'qry.balance', { account_id });
      return result.batches.map((batch) => `${name(batch.batch_id)}${batch.remaining}`).join(' ');
    },
    last: async (type) => (await lastEvent(type)).data,
    async parts(type, list) {
      const parts = (await lastEvent(type)).data[list];
      expect(parts).toBeInstanceOf(Array);
      return (parts as unknown as { batch_id?: string; to?: string; points: number }[])
        .map((part) => `${name(part.batch_id ?? part.to)}${part.points}`)
        .join(' ');
    },
    types: async () => (await world.events(account_id)).map(({ type }) => type),
  };
}
