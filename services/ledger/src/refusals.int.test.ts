import { readFile, writeFile } from 'node:fs/promises';
import { LEDGER_ERRORS, type LedgerErrorCode } from '@points/contracts/errors';
import { ENDPOINTS, ERROR_CODE_HEADER, ERROR_HEADER, subjectOf } from '@points/contracts/ledger';
import { type Failure, failure } from '@points/contracts/ledger-replies';
import type { Endpoint } from '@points/contracts/ledger-requests';
import { GOOD } from '@points/contracts/testing/good-requests';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type World, startWorld } from './testing/ledger-under-test.ts';

/** Every refusal of the ledger over NATS: its reply with all fields, its headers, and that nothing was appended. */
let world: World;
let accounts = 0;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

beforeAll(async () => {
  world = await startWorld();
  const file = await readFile(world.configFile, 'utf8');
  await writeFile(
    world.configFile,
    file
      .replace('max_open_per_user: 1000', 'max_open_per_user: 3')
      .replace('per_day: null', 'per_day: 1'),
  );
  await world.startLedger();
  await world.ok('admin', 'cmd.register_model', {
    model_id: 'off',
    model_name: 'off',
    provider_type: 'openai',
    task_type: 'llm',
    points_cost: 3,
    is_enabled: false,
  });
});

afterAll(() => world.stop());

interface Refused {
  readonly body: Failure;
  readonly header: (name: string) => string | null;
}

async function refusal(client: string, endpoint: Endpoint, body: object): Promise<Refused> {
  const nats = await world.connection(client);
  const filled = { ...(endpoint.startsWith('cmd.') ? { command_id: v7() } : {}), ...body };
  const reply = await nats.request(
    subjectOf(endpoint, client),
    Buffer.from(JSON.stringify(filled)),
    { timeoutMs: 10_000 },
  );
  const json: unknown = JSON.parse(Buffer.from(reply.data).toString());
  return { body: failure.parse(json), header: reply.header };
}

/** What has to be done before the request, which it returns. */
type Case = (account_id: string) => Promise<[string, Endpoint, object]>;

const operator = { reason: 'x', operator: 'ann' };

async function held(account_id: string, more: object = {}): Promise<string> {
  const body = { account_id, amount: 5, ...more };
  return (await world.ok('ai-demo', 'cmd.hold', body)).result.hold_id;
}

async function charged(account_id: string): Promise<string> {
  const hold_id = await held(account_id);
  await world.ok('ai-demo', 'cmd.confirm', { account_id, hold_id });
  return hold_id;
}

const CASES: Partial<Record<LedgerErrorCode, readonly [Case, details?: object]>> = {
  insufficient_points: [
    async () => ['ai-demo', 'cmd.hold', { hold_id: v7(), amount: 11 }],
    { required: 11, available: 10, balance: 10, shortfall: 1 },
  ],
  price_not_found: [async () => ['ai-demo', 'cmd.consume', { source_type: 'no_such_thing' }]],
  hold_not_found: [async () => ['ai-demo', 'cmd.extend', { hold_id: v7(), ttl_ms: 60_000 }]],
  hold_already_confirmed: [
    async (account_id) => [
      'ai-demo',
      'cmd.extend',
      { hold_id: await charged(account_id), ttl_ms: 60_000 },
    ],
    { requested_amount: 5 },
  ],
  hold_already_canceled: [
    async (account_id) => {
      const hold_id = await held(account_id);
      await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id, reason: 'failed' });
      return ['admin', 'cmd.refund', { hold_id, ...operator }];
    },
    { reason: 'failed' },
  ],
  command_id_reused: [
    async (account_id) => {
      const command_id = v7();
      await world.ok('admin', 'cmd.freeze', { account_id, command_id, ...operator });
      return ['admin', 'cmd.freeze', { command_id, ...operator, reason: 'y' }];
    },
  ],
  hold_id_reused: [
    async (account_id) => ['ai-demo', 'cmd.hold', { hold_id: await held(account_id), amount: 4 }],
  ],
  source_ref_reused: [
    async () => ['admin', 'cmd.reward', { source_ref: 'start', points: 10 }],
    { source_ref: 'start' },
  ],
  account_frozen: [
    async (account_id) => {
      await world.ok('admin', 'cmd.freeze', { account_id, ...operator });
      return ['ai-demo', 'cmd.consume', { amount: 1 }];
    },
  ],
  model_disabled: [
    async () => ['ai-demo', 'cmd.hold', { hold_id: v7(), model: 'off' }],
    { model: 'off' },
  ],
  price_changed: [
    async () => ['ai-demo', 'cmd.hold', { hold_id: v7(), source_type: 'script', max_amount: 4 }],
    { amount: 5, max_amount: 4 },
  ],
  usage_cap_reached: [
    async (account_id) => {
      await world.ok('billing', 'cmd.grant_membership', {
        account_id,
        membership_type: 'monthly',
        duration_days: 30,
        order_no: 'o-1',
      });
      await world.ok('ai-demo', 'cmd.consume', { account_id, source_type: 'ppt' });
      return ['ai-demo', 'cmd.hold', { hold_id: v7(), source_type: 'ppt' }];
    },
    { per_day: 1 },
  ],
  invalid_argument: [
    async () => ['billing', 'cmd.revoke_membership', operator],
    { field: 'account_id' },
  ],
  command_too_old: [
    async () => [
      'admin',
      'cmd.adjust',
      { command_id: v7({ msecs: Date.now() - 8 * DAY_MS }), delta: 1, ...operator },
    ],
  ],
  hold_id_too_old: [
    async () => [
      'ai-demo',
      'cmd.hold',
      { hold_id: v7({ msecs: Date.now() - 8 * DAY_MS }), amount: 1 },
    ],
  ],
  id_in_future: [
    async () => [
      'ai-demo',
      'cmd.extend',
      { hold_id: v7({ msecs: Date.now() + 10 * MINUTE_MS }), ttl_ms: 60_000 },
    ],
    { field: 'hold_id' },
  ],
  forbidden: [
    async (account_id) => [
      'ai-other',
      'cmd.extend',
      { hold_id: await held(account_id), ttl_ms: 60_000 },
    ],
  ],
  too_many_open_holds: [
    async (account_id) => {
      for (let i = 0; i < 3; i += 1) await held(account_id, { amount: 1 });
      return ['ai-demo', 'cmd.hold', { hold_id: v7(), source_type: 'caption' }];
    },
    { limit: 3 },
  ],
  overage_rejected: [
    async (account_id) => [
      'ai-demo',
      'cmd.confirm',
      { hold_id: await held(account_id, { overage: 'reject' }), actual_amount: 6 },
    ],
    { held_amount: 5, requested_amount: 6 },
  ],
  refund_exceeds_charge: [
    async (account_id) => [
      'billing',
      'cmd.refund',
      { hold_id: await charged(account_id), points: 6, reason: 'x' },
    ],
    { refundable: 5 },
  ],
  recharge_not_found: [
    async () => ['admin', 'cmd.reverse_recharge', { source_ref: 'no-such', ...operator }],
  ],
  store_unavailable: [
    // To find the hold the read tables are needed, and this world has none.
    async () => ['admin', 'cmd.refund', { transaction_id: v7(), reason: 'x' }],
  ],
  command_unknown: [async () => ['admin', 'qry.command', { command_id: v7() }]],
};

/** Where the others are tested: what it takes is more than one request. */
const ELSEWHERE: readonly LedgerErrorCode[] = [
  'hold_expired', // decision-table.int.test.ts
  'contention', // replicas.int.test.ts
  'overloaded', // below
  'deadline_exceeded', // ledger.int.test.ts
  'outcome_unknown', // trouble.int.test.ts
  // Of other services.
  'order_not_found',
  'payment_verification_failed',
  'payment_mismatch',
  'duration_unknown',
  'upstream_failed',
];

const codes = Object.keys(LEDGER_ERRORS).filter(
  (code): code is LedgerErrorCode => code in LEDGER_ERRORS,
);

describe('refusals', () => {
  it.each(codes.filter((code) => code in CASES))('%s', async (code) => {
    const [prepare, details] = CASES[code] ?? [];
    if (prepare === undefined) throw new Error('no such case');
    const account_id = `refused-${(accounts += 1)}`;
    await world.ok('admin', 'cmd.recharge', {
      account_id,
      source: 'admin',
      source_ref: 'start',
      points: 10,
    });
    const [client, endpoint, body] = await prepare(account_id);
    const before = await world.events(account_id);
    const { body: reply, header } = await refusal(client, endpoint, { account_id, ...body });
    const { number, status, retryable, applied, en } = LEDGER_ERRORS[code];
    expect(reply.error).toMatchObject({ code, number, status, retryable, applied });
    expect(reply.error.message.startsWith(en)).toBe(true);
    expect(reply.error.details).toEqual(details);
    expect(reply.error.retry_after_ms !== undefined).toBe(retryable);
    expect(reply.command_id !== undefined).toBe(endpoint.startsWith('cmd.'));
    expect(header(ERROR_CODE_HEADER)).toBe(String(status));
    expect(header(ERROR_HEADER)).toBe(en);
    expect(await world.events(account_id)).toEqual(before);
  });

  it('are all tested', () => {
    expect([...Object.keys(CASES), ...ELSEWHERE].toSorted()).toEqual(codes.toSorted());
  });

  it('overloaded: more commands for one account than may wait', async () => {
    const account_id = 'busy';
    const stream = `account-${account_id}`;
    world.eventStore.faults.append({ kind: 'slow', delayMs: 1_000 }, { stream });
    const replies = await Promise.all(
      Array.from({ length: 1_100 }, (_, i) =>
        world.ask('admin', 'cmd.reward', { account_id, source_ref: `r${i}`, points: 1 }),
      ),
    );
    const refused = replies.flatMap((reply) => (reply.ok ? [] : [reply.error]));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(1_100 - 1_024);
    for (const error of refused)
      expect(error).toMatchObject({
        code: 'overloaded',
        status: 503,
        retryable: true,
        applied: 'no',
        retry_after_ms: 200,
      });
    expect(await world.events(account_id)).toHaveLength(1_100 - refused.length);
  });
});

/** Anything but what the field is. */
function wrong(value: unknown): unknown {
  return Array.isArray(value) ? {} : [];
}

describe('bad input', () => {
  const endpoints = ENDPOINTS.filter((endpoint) => GOOD[endpoint].some((body) => hasFields(body)));

  it.each(endpoints)(
    '%s names each field of a wrong type, and appends nothing',
    async (endpoint) => {
      for (const body of GOOD[endpoint]) {
        for (const [field, value] of Object.entries(body)) {
          const bad = { ...body, command_id: v7(), [field]: wrong(value) };
          if (!('command_id' in body)) delete (bad as { command_id?: unknown }).command_id;
          const { body: reply, header } = await refusal('admin', endpoint, bad);
          expect(reply.error, `${endpoint} ${field}`).toMatchObject({
            code: 'invalid_argument',
            status: 400,
            applied: 'no',
            details: { field },
          });
          expect(header(ERROR_CODE_HEADER)).toBe('400');
        }
        const { body: reply } = await refusal('admin', endpoint, { ...body, surprise: 1 });
        expect(reply.error.details).toEqual({ field: 'surprise' });
      }
      expect(await world.events('test_user')).toEqual([]);
    },
  );
});

function hasFields(body: object): boolean {
  return Object.keys(body).length > 0;
}
