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

const extend = { hold_id: 'h', expires_at };
const reversal = {
  source_ref: 'o',
  points: 5,
  expired_not_owed: 2,
  debt_added: 1,
  transaction_id: 'e',
};
const refund = {
  hold_id: 'h',
  points: 3,
  refunded_total: 5,
  debt_repaid: 1,
  transaction_id: 'e',
};
const adjust = {
  delta: 5,
  batch: { batch_id: 'b', points: 5, expires_at: null },
  debt_added: 0,
  debt_repaid: 1,
  transaction_id: 'e',
};
const membership = { membership_type: 'monthly', starts_at: expires_at, ends_at: expires_at };
const anyPrice = { price_id: 'p', name: '100', price_fen: 1000, sort_order: 1, is_active: true };
const creditsPrice = {
  ...anyPrice,
  kind: 'credits',
  points: 100,
  bonus: 10,
  validity_days: null,
};
const membershipPrice = {
  ...anyPrice,
  kind: 'membership',
  membership_type: 'monthly',
  duration_days: 30,
  original_price_fen: null,
  features: ['一'],
};

const EXAMPLES: Readonly<Record<Endpoint, readonly object[]>> = {
  'cmd.hold': [hold],
  'cmd.confirm': [confirm, { ...confirm, late: true, late_hold_id: 'h2' }],
  'cmd.cancel': [{ hold_id: 'h', status: 'canceled', released: 11 }],
  'cmd.extend': [extend],
  'cmd.consume': [{ record_id: 1, task_no: 't', amount: 0, charge_mode: 'free' }],
  'cmd.recharge': [
    { batches: [{ batch_id: 'b', kind: 'paid', points: 5, expires_at: null }], debt_repaid: 3 },
  ],
  'cmd.reward': [
    { batches: [{ batch_id: 'b', kind: 'reward', points: 5, expires_at }], debt_repaid: 0 },
  ],
  'cmd.reverse_recharge': [reversal],
  'cmd.refund': [refund],
  'cmd.adjust': [adjust, { ...adjust, delta: -5, batch: null, debt_added: 2, debt_repaid: 0 }],
  'cmd.freeze': [{ frozen: true }],
  'cmd.unfreeze': [{ frozen: false }],
  'cmd.grant_membership': [membership],
  'cmd.revoke_membership': [{ ends_at: expires_at }],
  'cmd.list_price': [{ price: creditsPrice, retired: false }],
  'cmd.change_price': [{ price: membershipPrice, retired: false }],
  'cmd.retire_price': [{ price: { ...creditsPrice, is_active: false }, retired: true }],
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
      membership,
      frozen: true,
      revision: 4,
    },
  ],
  'qry.hold': [
    { hold_id: 'h', record_id: null, status: 'canceled', reason: 'tombstone', amount: 0 },
    {
      ...hold,
      actual_amount: 7,
      refunded: 2,
      late: true,
      late_hold_id: 'h2',
      status: 'confirmed',
    },
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
    extend,
    reversal,
    refund,
    adjust,
    membership,
    { ends_at: expires_at },
    { frozen: false },
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
