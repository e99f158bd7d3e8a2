import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure, Success } from '@points/contracts/ledger-replies';
import { NatsRequestError } from '@points/runtime/nats';
import { v7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type World, startWorld } from './testing/ledger-under-test.ts';

/** Several ledgers on one event store: whichever answers, the answer is the same. */
let world: World;

beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const POINTS = 100_000;

async function funded(account_id: string): Promise<string> {
  const body = { account_id, source: 'admin', source_ref: 'start', points: POINTS };
  await world.ok('admin', 'cmd.recharge', body);
  return account_id;
}

/** Of each account in the swap. */
const CALLERS = 4;
const TURNS = 15;
const RETRIES_MAX = 400;
const RETRY_PAUSE_MS = 50;

/** As a client does it: the identical command until it is answered for good. */
async function persist<Name extends 'cmd.hold' | 'cmd.confirm' | 'cmd.cancel' | 'cmd.consume'>(
  endpoint: Name,
  body: object,
): Promise<Success<Name>> {
  const command = { command_id: v7(), ...body };
  for (let retry = 0; retry < RETRIES_MAX; retry += 1) {
    const reply = await world.ask('ai-demo', endpoint, command).catch((error: unknown) => {
      if (!(error instanceof NatsRequestError)) throw error;
      return null;
    });
    if (reply?.ok === true) return reply;
    if (reply !== null && !reply.error.retryable)
      throw new Error(`${endpoint}: ${JSON.stringify(reply.error)}`);
    await sleep(RETRY_PAUSE_MS);
  }
  throw new Error(`${endpoint} was not answered`);
}

/** One use of points from hold to its end: what was charged. */
async function useOnce(account_id: string, turn: number): Promise<number> {
  const hold_id = v7();
  await persist('cmd.hold', { account_id, hold_id, amount: 5 });
  if (turn % 5 === 4) {
    await persist('cmd.cancel', { account_id, hold_id });
    return 0;
  }
  const settled = await persist('cmd.confirm', { account_id, hold_id, actual_amount: turn % 8 });
  return settled.result.amount;
}

/** The ids of commands in the log, each as often as it began there. */
async function commandsIn(account_id: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const { metadata } of await world.events(account_id)) {
    const id = metadata['command_id'] ?? '';
    if (metadata['index'] === '0') counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

describe('two ledgers', () => {
  it('decide again what the other one overtook: nothing is charged twice, nothing is lost', async () => {
    await world.startLedger();
    await world.startLedger();
    const accounts = await Promise.all(['hot-1', 'hot-2'].map(funded));
    const charged = await Promise.all(
      accounts.map(async (account_id) => {
        const turns = Array.from({ length: 60 }, (_, turn) => useOnce(account_id, turn));
        return (await Promise.all(turns)).reduce((sum, points) => sum + points, 0);
      }),
    );
    for (const [index, account_id] of accounts.entries()) {
      const balance = POINTS - (charged[index] ?? 0);
      // Asked often: both answer.
      for (let ask = 0; ask < 6; ask += 1) {
        expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
          result: { balance, held: 0, available: balance, open_hold_count: 0 },
        });
      }
      const counts = [...(await commandsIn(account_id)).values()];
      expect(counts.filter((count) => count !== 1)).toEqual([]);
      expect(counts).toHaveLength(1 + 2 * 60);
    }
  });

  it('give one answer to a command that reaches both at once', async () => {
    await world.startLedger();
    await world.startLedger();
    const account_id = await funded('both');
    for (let round = 0; round < 25; round += 1) {
      const hold = { account_id, command_id: v7(), hold_id: v7(), amount: 3 };
      const replies = await Promise.all(Array.from({ length: 6 }, () => persist('cmd.hold', hold)));
      expect(new Set(replies.map(({ result }) => JSON.stringify(result))).size).toBe(1);
      expect(replies.filter(({ duplicate }) => duplicate === false)).toHaveLength(1);
    }
    expect(await world.events(account_id)).toHaveLength(1 + 25);
  });

  it('a command that timed out on one is answered by the other, once it is known', async () => {
    await world.startLedger();
    await world.startLedger();
    const account_id = await funded('timed-out');
    // Written, but the one that sent it never hears of it; it keeps sending the same.
    world.eventStore.faults.append(
      { kind: 'ack_lost', then: 'silence' },
      { stream: `account-${account_id}` },
    );
    const hold = { account_id, command_id: v7(), hold_id: v7(), amount: 7 };
    const asked: Promise<Success<'cmd.hold'> | Failure>[] = Array.from({ length: 8 }, () =>
      world.ask('ai-demo', 'cmd.hold', hold),
    );
    for (const reply of await Promise.all(asked))
      if (!reply.ok) expect(reply.error).toMatchObject({ retryable: true });
    const answer = await persist('cmd.hold', hold);
    expect(answer).toMatchObject({ result: { amount: 7 }, balance: { held: 7 } });
    expect(await world.events(account_id)).toHaveLength(2);
  });

  it('swap under load: every call is answered, every command is in the log once', async () => {
    const first = await world.startLedger();
    const second = await world.startLedger();
    const accounts = await Promise.all(['a', 'b', 'c'].map(funded));
    let done = 0;
    const reached = new Map<number, () => void>();
    const pairs = (count: number) =>
      new Promise<void>((resolve) => {
        reached.set(count, resolve);
      });
    const work = accounts.map(async (account_id) => {
      const callers = Array.from({ length: CALLERS }, async (_, caller) => {
        let charged = 0;
        for (let turn = 0; turn < TURNS; turn += 1) {
          charged += await useOnce(account_id, turn + caller);
          done += 1;
          reached.get(done)?.();
        }
        return charged;
      });
      return (await Promise.all(callers)).reduce((sum, points) => sum + points, 0);
    });
    const swaps = [
      pairs(40).then(async () => {
        await world.startLedger();
        await first.stop();
      }),
      pairs(110).then(async () => {
        await world.startLedger();
        await second.stop();
      }),
    ];
    const charged = await Promise.all(work);
    await Promise.all(swaps);
    for (const [index, account_id] of accounts.entries()) {
      const balance = POINTS - (charged[index] ?? 0);
      expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
        result: { balance, held: 0, open_hold_count: 0 },
      });
      const counts = [...(await commandsIn(account_id)).values()];
      expect(counts).toHaveLength(1 + 2 * CALLERS * TURNS);
      expect(Math.max(...counts)).toBe(1);
    }
    expect(world.fatal).toEqual([]);
  });
});
