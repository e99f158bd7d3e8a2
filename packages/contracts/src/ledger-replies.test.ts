import { describe, expect, it } from 'vitest';
import { ENDPOINTS } from './ledger.ts';
import { replySchema } from './ledger-replies.ts';
import type { Endpoint } from './ledger-requests.ts';

const price = {
  mode: 'fixed',
  unit: 'quantity',
  unit_price: '11',
  min_points: 0,
  rounding: 'ceil',
  source: 'model:sora_image',
  config_version: 'v',
};
const expires_at = '2026-11-20T06:30:01.000Z';
const hold = {
  hold_id: 'h',
  record_id: 1,
  task_no: 'TASK202611200000000001',
  status: 'held',
  amount: 11,
  charge_mode: 'charged',
  price,
  expires_at,
};
const confirm = {
  hold_id: 'h',
  record_id: 1,
  status: 'confirmed',
  held_amount: 11,
  amount: 7,
  released: 4,
  overage: 0,
  waived: 0,
  late: false,
  transaction_id: 'e',
};
const model = {
  model_id: 'm',
  model_name: 'm',
  display_name: 'M',
  description: '',
  points_cost: 11,
  platform: '',
  provider_type: 'openai',
  model_type: '',
  task_type: 'llm',
  is_enabled: true,
  extended_config: {},
  removed: false,
};

const EXAMPLES: Readonly<Record<Endpoint, readonly object[]>> = {
  'cmd.hold': [hold],
  'cmd.confirm': [confirm],
  'cmd.cancel': [{ hold_id: 'h', status: 'canceled', released: 11 }],
  'cmd.consume': [{ record_id: 1, task_no: 't', amount: 0, charge_mode: 'free' }],
  'cmd.recharge': [
    { batches: [{ batch_id: 'b', kind: 'paid', points: 5, expires_at: null }], debt_repaid: 3 },
  ],
  'cmd.register_model': [model],
  'cmd.price_model': [model],
  'cmd.describe_model': [model],
  'cmd.enable_model': [model],
  'cmd.disable_model': [model],
  'cmd.remove_model': [{ ...model, removed: true }],
  'cmd.reload_config': [{ version: 'v', changed: true }],
  'qry.balance': [
    {
      account_id: 'a',
      balance: -3,
      held: 0,
      available: -3,
      debt: 3,
      batches: [],
      open_holds: [],
      open_hold_count: 0,
      membership: null,
      frozen: false,
      revision: -1,
    },
    {
      account_id: 'a',
      balance: 10,
      held: 1,
      available: 9,
      debt: 0,
      batches: [{ batch_id: 'b', kind: 'bonus', points: 10, remaining: 10, held: 1, expires_at }],
      open_holds: [
        {
          hold_id: 'h',
          record_id: 1,
          task_no: 't',
          amount: 1,
          charge_mode: 'charged',
          description: '',
          expires_at,
        },
      ],
      open_hold_count: 1,
      membership: { membership_type: 'monthly', starts_at: expires_at, ends_at: expires_at },
      frozen: true,
      revision: 4,
    },
  ],
  'qry.hold': [
    { hold_id: 'h', record_id: null, status: 'canceled', reason: 'tombstone', amount: 0 },
    { ...hold, actual_amount: 7, late: true, status: 'confirmed' },
  ],
  'qry.quote': [
    { sufficient: false, required: 5, balance: 3, available: 3, shortfall: 2, mode: 'fixed' },
  ],
  'qry.price': [
    { ...price, amount: 22 },
    { ...price, mode: 'duration', unit: 'second', amount: null },
  ],
  'qry.command': [
    confirm,
    hold,
    { hold_id: 'h', status: 'canceled', released: 1 },
    { record_id: 1, task_no: 't', amount: 1, charge_mode: 'charged' },
    { batches: [], debt_repaid: 0 },
  ],
  'qry.health': [{ event_store: 'down', caught_up: false, reason: 'no connection' }],
};

const account = {
  balance: { balance: 10, held: 1, available: 9 },
  account_revision: 4,
  position: '18446744073709551615',
};
const at = '2026-11-20T06:00:01.000Z';

describe.each(ENDPOINTS)('the reply to %s', (endpoint) => {
  const schema = replySchema(endpoint);

  it.each(EXAMPLES[endpoint].map((result) => [result]))('holds %j', (result) => {
    const reply = { ok: true, command_id: 'c', duplicate: false, result, ...account, at };
    expect(schema.parse(reply)).toEqual(reply);
    expect(
      schema.parse({ ...reply, added_later: 1, result: { ...result, added_later: 1 } }),
    ).toEqual(reply);
    expect(schema.parse({ ok: true, result, at })).toEqual({ ok: true, result, at });
  });

  it('may be an error', () => {
    const error = {
      code: 'added_later',
      number: 1001099,
      status: 409,
      message: 'm',
      retryable: true,
      retry_after_ms: 50,
      applied: 'no',
      details: { field: 'x' },
    };
    expect(schema.parse({ ok: false, command_id: 'c', error })).toEqual({
      ok: false,
      command_id: 'c',
      error,
    });
    expect(schema.safeParse({ ok: false, command_id: 'c' }).success).toBe(false);
  });

  it('is never the reply to something else', () => {
    expect(schema.safeParse({ ok: true, result: {}, at }).success).toBe(false);
    expect(schema.safeParse({ stream: 'LEDGER_CMD', seq: 2 }).success).toBe(false);
  });
});
