import { uuidV7 as anyUuidV7 } from '@points/contracts/text';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LedgerClient } from './connect.ts';
import { LedgerRefused } from './errors.ts';
import { type ClientWorld, startClientWorld } from './testing/client-world.ts';
import { uuidV7 } from './uuid-v7.ts';

let setup: ClientWorld;
beforeAll(async () => {
  setup = await startClientWorld();
  await setup.world.startLedger();
});
afterAll(() => setup.stop());

describe('withHold', () => {
  it('holds, works, charges what was used', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const { result, settlement } = await ledger.withHold(
      { accountId, sourceType: 'ai_writing', estimate: { points: 10 }, bizId: 'job-1' },
      async (hold) => {
        expect(hold).toMatchObject({ amount: 10, balance: { balance: 100, held: 10 } });
        expect(ledger.outbox()).toMatchObject([
          { stage: 'held', hold: { accountId, bizId: 'job-1', amount: 10 } },
        ]);
        hold.used({ points: 9 });
        hold.used({ points: 7 });
        return 'text';
      },
    );
    expect(result).toBe('text');
    expect(settlement).toMatchObject({
      status: 'confirmed',
      duplicate: false,
      result: { amount: 7, released: 3 },
      balance: { balance: 93, held: 0 },
      position: expect.stringMatching(/^\d+$/),
    });
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
    expect(ledger.outbox()).toEqual([]);
  });

  it.each([
    ['nothing said: the held points', {}, 10],
    ['units', { used: { quantity: 3 } }, 30],
    ['none', { used: { quantity: 0 } }, 0],
    ['points of the work itself', { used: { points: 4 } }, 4],
  ] as const)(
    'a price per unit, %s',
    async (_, { used }: { used?: { points: number } | { quantity: number } }, charged) => {
      const ledger = await setup.connect();
      const accountId = await setup.account(100);
      const { settlement } = await ledger.withHold(
        { accountId, sourceType: 'image', estimate: { quantity: 1 } },
        async (hold) => {
          if (used !== undefined) hold.used(used);
        },
      );
      expect(settlement).toMatchObject({ status: 'confirmed', result: { amount: charged } });
    },
  );

  it('a price per second: measured time counts to the millisecond', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(1_000);
    const sourceType = 'tts';
    const { result: price } = await ledger.price({ sourceType, estimatedDuration: 20 });
    expect(price.mode).toBe('duration');
    const { settlement } = await ledger.withHold(
      { accountId, sourceType, estimate: { seconds: 20.000_4 } },
      async (hold) => hold.used({ seconds: 12.300_000_1 }),
    );
    const { result } = await ledger.price({ sourceType, estimatedDuration: 12.3 });
    expect(settlement).toMatchObject({ status: 'confirmed', result: { amount: result.amount } });
  });

  it('refused: no work, and the error says why with numbers', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(5);
    let worked = false;
    const held = ledger.withHold({ accountId, estimate: { points: 10 } }, async () => {
      worked = true;
    });
    await expect(held).rejects.toThrow(LedgerRefused);
    await expect(held).rejects.toMatchObject({
      code: 'insufficient_points',
      number: 1001001,
      details: { required: 10, available: 5, shortfall: 5 },
      message: expect.stringContaining('required 10, available 5'),
    });
    expect(worked).toBe(false);
    expect(ledger.outbox()).toEqual([]);
    expect(await setup.eventTypes(accountId)).toEqual([]);
  });

  it('fields that cannot be: refused without asking', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(5);
    for (const [estimate, field] of [
      [{ points: 0.5 }, 'amount'],
      [{ quantity: 0 }, 'quantity'],
      [{ seconds: -1 }, 'estimated_duration'],
    ] as const) {
      await expect(
        ledger.withHold({ accountId, sourceType: 'ai_writing', estimate }, async () => {}),
      ).rejects.toMatchObject({ code: 'invalid_argument', details: { field } });
    }
    expect(ledger.outbox()).toEqual([]);
  });

  it('the work throws: canceled as failed, and its own error comes out', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const failure = new Error('the model is down');
    const held = ledger.withHold({ accountId, estimate: { points: 10 } }, async (hold) => {
      hold.used({ points: 3 });
      throw failure;
    });
    await expect(held).rejects.toBe(failure);
    const [, , canceled] = await setup.world.events(accountId);
    expect(canceled).toMatchObject({
      type: 'HoldCanceled',
      data: { reason: 'failed', released: 10 },
    });
    expect(ledger.outbox()).toEqual([]);
  });

  it('use that cannot be: the work hears it at once, so that it can be mended', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const held = ledger.withHold({ accountId, estimate: { points: 10 } }, async (hold) => {
      hold.used({ points: 1.5 });
    });
    await expect(held).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { field: 'actual_amount' },
    });
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldCanceled']);
  });

  it('aborted while working: the work is told, and the hold is canceled when it has ended', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const abort = new AbortController();
    const held = ledger.withHold(
      { accountId, estimate: { points: 10 }, signal: abort.signal },
      (hold) =>
        new Promise((_, reject) => {
          hold.signal.addEventListener('abort', () => reject(hold.signal.reason as Error));
          abort.abort(new Error('the user left'));
        }),
    );
    await expect(held).rejects.toThrow('the user left');
    const [, , canceled] = await setup.world.events(accountId);
    expect(canceled).toMatchObject({ type: 'HoldCanceled', data: { reason: 'client_abort' } });
  });

  it('aborted, but the work is done all the same: charged', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const abort = new AbortController();
    const { settlement } = await ledger.withHold(
      { accountId, estimate: { points: 10 }, signal: abort.signal },
      async () => abort.abort(),
    );
    expect(settlement).toMatchObject({ status: 'confirmed', result: { amount: 10 } });
  });

  it('aborted before: nothing is held', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const signal = AbortSignal.abort(new Error('too late'));
    const held = ledger.withHold({ accountId, estimate: { points: 10 }, signal }, async () => {});
    await expect(held).rejects.toThrow('too late');
    expect(await setup.eventTypes(accountId)).toEqual([]);
  });

  it('aborted while the hold is asked for: canceled before any work', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const abort = new AbortController();
    let worked = false;
    const held = ledger.withHold(
      { accountId, estimate: { points: 10 }, signal: abort.signal },
      async () => void (worked = true),
    );
    abort.abort(new Error('the user left'));
    await expect(held).rejects.toThrow('the user left');
    expect(worked).toBe(false);
    const [, , canceled] = await setup.world.events(accountId);
    expect(canceled).toMatchObject({ type: 'HoldCanceled', data: { reason: 'client_abort' } });
  });

  it('the same hold twice in one process: the second does not begin', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const options = { accountId, holdId: uuidV7(), estimate: { points: 10 } };
    await ledger.withHold(options, async () => {
      await expect(ledger.withHold(options, async () => {})).rejects.toMatchObject({
        code: 'known',
      });
    });
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
  });

  it('a task that was delivered to two processes: both work, one is charged', async () => {
    const [one, two] = [await setup.connect(), await setup.connect()];
    const accountId = await setup.account(100);
    const ids = { commandId: uuidV7(), holdId: uuidV7() };
    const run = (ledger: LedgerClient) =>
      ledger.withHold({ accountId, ...ids, estimate: { points: 10 } }, async () => {});
    const [a, b] = await Promise.all([run(one), run(two)]);
    expect([a.settlement.status, b.settlement.status]).toEqual(['confirmed', 'confirmed']);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
  });

  it('work that is longer than its hold: extended while it runs', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const { settlement } = await ledger.withHold(
      { accountId, estimate: { points: 10 }, ttlMs: 1_000 },
      () =>
        vi.waitFor(
          async () => expect(await setup.eventTypes(accountId)).toContain('HoldExtended'),
          { timeout: 10_000 },
        ),
    );
    expect(settlement).toMatchObject({ status: 'confirmed', result: { late: false } });
  });

  it('canceled by an operator while it works: the work is told at the next extension', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const held = ledger.withHold(
      { accountId, estimate: { points: 10 }, ttlMs: 1_000 },
      async ({ holdId, signal }) => {
        await setup.world.ok('admin', 'cmd.cancel', { account_id: accountId, hold_id: holdId });
        await new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
    );
    await expect(held).rejects.toMatchObject({ code: 'hold_already_canceled' });
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldCanceled']);
    expect(ledger.outbox()).toEqual([]);
  });

  it('canceled by somebody else meanwhile: the use is reported as a problem, not lost in silence', async () => {
    const problems: string[] = [];
    const ledger = await setup.connect({
      onSettlementProblem: ({ hold, refusal }) =>
        problems.push(`${hold.accountId} ${refusal.code}`),
    });
    const accountId = await setup.account(100);
    const { result, settlement } = await ledger.withHold(
      { accountId, estimate: { points: 10 } },
      async ({ holdId }) => {
        await setup.world.ok('admin', 'cmd.cancel', { account_id: accountId, hold_id: holdId });
        return 'text';
      },
    );
    expect(result).toBe('text');
    expect(settlement).toMatchObject({
      status: 'refused',
      refusal: { code: 'hold_already_canceled' },
    });
    expect(problems).toEqual([`${accountId} hold_already_canceled`]);
    expect(ledger.problems()).toMatchObject([{ hold: { accountId }, intent: { verb: 'confirm' } }]);
  });

  it('more holds than the outbox may remember: refused before anything is held', async () => {
    const ledger = await setup.connect({ maxHolds: 1 });
    const accountId = await setup.account(100);
    const options = { accountId, estimate: { points: 10 } };
    await ledger.withHold(options, async () => {
      await expect(ledger.withHold(options, async () => {})).rejects.toMatchObject({
        code: 'full',
      });
    });
    await ledger.withHold(options, async () => {});
    expect(await setup.eventTypes(accountId)).toHaveLength(4);
  });
});

describe('the single verbs', () => {
  it('speak camelCase, and the ids are made here unless given', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    expect((await ledger.quote({ accountId, sourceType: 'image' })).result).toMatchObject({
      sufficient: true,
      required: 10,
    });
    const { result: hold, commandId } = await ledger.hold({
      accountId,
      sourceType: 'image',
      metadata: { my_key: 'kept' },
    });
    expect(anyUuidV7.safeParse(hold.holdId).success).toBe(true);
    expect(ledger.outbox()).toEqual([]);
    expect((await ledger.holdState({ accountId, holdId: hold.holdId })).result).toMatchObject({
      status: 'held',
      sourceType: 'image',
      metadata: { my_key: 'kept' },
      owner: 'ai-demo',
    });
    expect((await ledger.command({ accountId, commandId: commandId ?? '' })).result).toMatchObject({
      holdId: hold.holdId,
      status: 'held',
    });
    expect(
      await ledger.confirm({ accountId, recordId: hold.recordId, actualQuantity: 2 }),
    ).toMatchObject({
      status: 'confirmed',
      result: { amount: 20, overage: 10 },
    });
    const { result: balance } = await ledger.balance({ accountId });
    expect(balance).toMatchObject({
      balance: 80,
      openHoldCount: 0,
      batches: [{ batchId: expect.any(String) }],
    });
  });

  it('hold and consume again with the same ids: the first answer', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const ids = { commandId: uuidV7(), holdId: uuidV7() };
    const first = await ledger.hold({ accountId, amount: 5, ...ids });
    const again = await ledger.hold({ accountId, amount: 5, ...ids });
    expect(again).toMatchObject({ duplicate: true, result: first.result });
    const commandId = uuidV7();
    await ledger.consume({ accountId, amount: 5, commandId });
    expect(await ledger.consume({ accountId, amount: 5, commandId })).toMatchObject({
      duplicate: true,
    });
    expect(await setup.eventTypes(accountId)).toEqual([
      'PointsHeld',
      'PointsHeld',
      'HoldConfirmed',
    ]);
  });

  it('confirm and cancel throw what is refused, and keep it as a problem', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const { result } = await ledger.hold({ accountId, amount: 5 });
    const hold = { accountId, holdId: result.holdId };
    expect(await ledger.cancel(hold)).toMatchObject({
      status: 'canceled',
      result: { released: 5 },
    });
    await expect(ledger.confirm(hold)).rejects.toMatchObject({ code: 'hold_already_canceled' });
    expect(ledger.problems()).toMatchObject([{ refusal: { code: 'hold_already_canceled' } }]);
  });

  it('a hold has one name: both, or none, is refused and nothing is sent', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const holdId = uuidV7();
    for (const names of [{}, { holdId, recordId: 1 }, { holdId: 'x' }]) {
      await expect(ledger.cancel({ accountId, ...names })).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    }
    await expect(ledger.cancel({ accountId: 'a.b', holdId })).rejects.toMatchObject({
      details: { field: 'account_id' },
    });
    expect(ledger.outbox()).toEqual([]);
  });

  it('never a cancel after a confirm was begun', async () => {
    const ledger = await setup.connect();
    const accountId = await setup.account(100);
    const { result } = await ledger.hold({ accountId, amount: 5 });
    const hold = { accountId, holdId: result.holdId };
    const confirming = ledger.confirm(hold);
    await expect(ledger.cancel(hold)).rejects.toMatchObject({ code: 'settling' });
    expect(await confirming).toMatchObject({ status: 'confirmed' });
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
  });

  it('what the NATS server does not permit is said as such', async () => {
    await expect(
      setup.connect({ credentials: { user: 'ai-demo', pass: 'wrong' } }),
    ).rejects.toMatchObject({ reason: 'not_permitted' });
    const other = await setup.connect({
      client: 'ai-other',
      credentials: setup.credentials('ai-demo'),
    });
    await expect(other.balance({ accountId: 'user-1' })).rejects.toMatchObject({
      reason: 'not_permitted',
      applied: 'no',
    });
    await expect(setup.connect({ client: 'a.b' })).rejects.toThrow(RangeError);
  });
});

it('a hundred jobs at once on one account: each is charged once', async () => {
  const ledger = await setup.connect();
  const accountId = await setup.account(1_000);
  await Promise.all(
    Array.from({ length: 100 }, (_, job) =>
      ledger.withHold({ accountId, estimate: { points: 10 } }, async (hold) => {
        hold.used({ points: job % 10 });
      }),
    ),
  );
  await vi.waitFor(() => expect(ledger.outbox()).toEqual([]));
  expect((await ledger.balance({ accountId })).result).toMatchObject({ balance: 550, held: 0 });
});
