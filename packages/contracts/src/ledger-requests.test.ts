import { describe, expect, it } from 'vitest';
import { ENDPOINTS, parseRequest, parseSubject, subjectOf, subjectPattern } from './ledger.ts';
import type { Endpoint } from './ledger-requests.ts';
import { bytes, COMMAND, GOOD, HOLD, toAccount } from './testing/good-requests.ts';

describe.each(ENDPOINTS)('%s', (endpoint) => {
  it.each(GOOD[endpoint].map((body) => [body]))('takes %j as it is', (body) => {
    expect(parseRequest(endpoint, bytes(body))).toEqual({ ok: true, value: body });
  });

  it.each(GOOD[endpoint].map((body) => [body]))(
    'refuses any field that it does not know, beside %j',
    (body) => {
      expect(parseRequest(endpoint, bytes({ ...body, user_id: 'x' }))).toMatchObject({
        ok: false,
        field: 'user_id',
      });
    },
  );

  it('names any field of a wrong type', () => {
    for (const body of GOOD[endpoint]) {
      for (const field of Object.keys(body)) {
        const wrong = Array.isArray(body[field]) ? {} : [];
        expect(parseRequest(endpoint, bytes({ ...body, [field]: wrong })), field).toMatchObject({
          ok: false,
          field,
        });
      }
    }
  });

  it.each(['', 'nonsense', '{', 'null', '[]', '5', '"text"', '{"a":1}{"b":2}', '[{}]'])(
    'refuses the body %j',
    (body) => {
      expect(parseRequest(endpoint, bytes(body))).toMatchObject({ ok: false, field: 'body' });
    },
  );

  it('is found again by its subject', () => {
    expect(parseSubject(subjectOf(endpoint, 'ai-demo'))).toEqual({ endpoint, client: 'ai-demo' });
    expect(subjectPattern(endpoint)).toMatch(/^ledger\.v1\.(cmd|qry)\.\*\.[a-z_]+$/);
  });
});

const hold = { ...toAccount, hold_id: HOLD, amount: 10 };
const confirm = { ...toAccount, hold_id: HOLD };
const byPerson = { ...toAccount, reason: 'x', operator: 'ann' };
const listing = {
  command_id: COMMAND,
  kind: 'credits',
  price_id: 'p',
  name: 'n',
  price_fen: 1,
  points: 1,
};
const recharge = { ...toAccount, source: 'order', source_ref: 'o-1', points: 1 };
/** What is wrong, where, and the field that is named. */
const WRONG: readonly (readonly [string, Endpoint, unknown, string])[] = [
  ['no command_id', 'cmd.hold', { ...hold, command_id: undefined }, 'command_id'],
  [
    'command_id of another version',
    'cmd.hold',
    { ...hold, command_id: HOLD.replace('-7c1e', '-4c1e') },
    'command_id',
  ],
  ['account id with a dot', 'cmd.hold', { ...hold, account_id: 'a.b' }, 'account_id'],
  ['no hold_id', 'cmd.hold', { ...hold, hold_id: undefined }, 'hold_id'],
  ['nothing with a price', 'cmd.hold', { ...hold, amount: undefined }, 'source_type'],
  ['platform alone', 'cmd.hold', { ...hold, platform: 'p' }, 'model_type'],
  ['model_type alone', 'cmd.hold', { ...hold, model_type: 't' }, 'platform'],
  ['amount 0', 'cmd.hold', { ...hold, amount: 0 }, 'amount'],
  ['amount too large', 'cmd.hold', { ...hold, amount: 1e12 + 1 }, 'amount'],
  ['amount as text', 'cmd.hold', { ...hold, amount: '10' }, 'amount'],
  ['ttl too short', 'cmd.hold', { ...hold, ttl_ms: 999 }, 'ttl_ms'],
  ['ttl too long', 'cmd.hold', { ...hold, ttl_ms: 86_400_001 }, 'ttl_ms'],
  ['quantity 0', 'cmd.hold', { ...hold, quantity: 0 }, 'quantity'],
  ['estimate 0', 'cmd.hold', { ...hold, estimated_duration: 0 }, 'estimated_duration'],
  [
    'estimate of tenths of milliseconds',
    'cmd.hold',
    { ...hold, estimated_duration: 0.0001 },
    'estimated_duration',
  ],
  ['NUL in the description', 'cmd.hold', { ...hold, description: 'a\u0000' }, 'description'],
  ['lone surrogate in biz_id', 'cmd.hold', { ...hold, biz_id: '\ud800' }, 'biz_id'],
  ['metadata that is not text', 'cmd.hold', { ...hold, metadata: { a: 1 } }, 'metadata.a'],
  [
    'metadata of 17 keys',
    'cmd.hold',
    { ...hold, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, key) => [key, ''])) },
    'metadata',
  ],
  ['no hold named', 'cmd.confirm', toAccount, 'hold_id'],
  ['hold named twice', 'cmd.confirm', { ...confirm, record_id: 1 }, 'record_id'],
  [
    'two actual uses',
    'cmd.confirm',
    { ...confirm, actual_amount: 1, actual_duration: 1 },
    'actual_duration',
  ],
  ['negative use', 'cmd.confirm', { ...confirm, actual_amount: -1 }, 'actual_amount'],
  [
    'hold id of the ledger',
    'cmd.confirm',
    { ...toAccount, hold_id: HOLD.replace('-7c1e', '-5c1e') },
    'hold_id',
  ],
  [
    'two actual uses',
    'cmd.consume',
    { ...toAccount, amount: 1, actual_quantity: 1, actual_duration: 1 },
    'actual_duration',
  ],
  ['nothing with a price', 'cmd.consume', toAccount, 'source_type'],
  [
    'a reason that only the ledger gives',
    'cmd.cancel',
    { ...confirm, reason: 'expired' },
    'reason',
  ],
  ['two ends', 'cmd.recharge', { ...recharge, validity_days: 1, expires_at: null }, 'expires_at'],
  [
    'end that is no day',
    'cmd.recharge',
    { ...recharge, expires_at: '2026-02-30T00:00:00Z' },
    'expires_at',
  ],
  ['0 points', 'cmd.recharge', { ...recharge, points: 0 }, 'points'],
  [
    'too much together',
    'cmd.recharge',
    { ...recharge, points: 1e12, bonus_points: 1 },
    'bonus_points',
  ],
  ['unknown source', 'cmd.recharge', { ...recharge, source: 'gift' }, 'source'],
  ['no ttl', 'cmd.extend', confirm, 'ttl_ms'],
  ['ttl too long', 'cmd.extend', { ...confirm, ttl_ms: 86_400_001 }, 'ttl_ms'],
  [
    'two ends',
    'cmd.reward',
    { ...toAccount, source_ref: 'r', points: 1, validity_days: 1, expires_at: null },
    'expires_at',
  ],
  [
    'bonus',
    'cmd.reward',
    { ...toAccount, source_ref: 'r', points: 1, bonus_points: 1 },
    'bonus_points',
  ],
  [
    'no operator',
    'cmd.reverse_recharge',
    { ...toAccount, source_ref: 'o', reason: 'x' },
    'operator',
  ],
  ['no charge named', 'cmd.refund', { ...toAccount, reason: 'x' }, 'hold_id'],
  [
    'charge named twice',
    'cmd.refund',
    { ...toAccount, hold_id: HOLD, transaction_id: HOLD, reason: 'x' },
    'transaction_id',
  ],
  ['0 points', 'cmd.refund', { ...confirm, points: 0, reason: 'x' }, 'points'],
  ['no reason', 'cmd.refund', confirm, 'reason'],
  ['empty reason', 'cmd.refund', { ...confirm, reason: '' }, 'reason'],
  ['reason too long', 'cmd.freeze', { ...byPerson, reason: '字'.repeat(501) }, 'reason'],
  ['operator too long', 'cmd.freeze', { ...byPerson, operator: 'x'.repeat(65) }, 'operator'],
  ['empty operator', 'cmd.unfreeze', { ...byPerson, operator: '' }, 'operator'],
  ['delta 0', 'cmd.adjust', { ...byPerson, delta: 0 }, 'delta'],
  ['delta too large', 'cmd.adjust', { ...byPerson, delta: -1e12 - 1 }, 'delta'],
  ['forced as text', 'cmd.adjust', { ...byPerson, delta: 1, forced: 'yes' }, 'forced'],
  [
    '0 days',
    'cmd.grant_membership',
    { ...toAccount, membership_type: 'm', duration_days: 0, order_no: 'o' },
    'duration_days',
  ],
  ['unknown list', 'cmd.list_price', { ...listing, kind: 'coupons' }, 'kind'],
  ['no list', 'cmd.retire_price', { command_id: COMMAND, price_id: 'p' }, 'kind'],
  ['free package', 'cmd.list_price', { ...listing, price_fen: 0 }, 'price_fen'],
  ['no points', 'cmd.list_price', { ...listing, points: undefined }, 'points'],
  ['column of the other list', 'cmd.list_price', { ...listing, duration_days: 1 }, 'duration_days'],
  [
    'nothing to change',
    'cmd.change_price',
    { command_id: COMMAND, kind: 'membership', price_id: 'p' },
    'price_fen',
  ],
  [
    'column of the other list',
    'cmd.change_price',
    { command_id: COMMAND, kind: 'membership', price_id: 'p', points: 5 },
    'points',
  ],
  [
    'model id that cannot name a stream',
    'cmd.enable_model',
    { command_id: COMMAND, model_id: 'a/b' },
    'model_id',
  ],
  [
    'nothing to describe',
    'cmd.describe_model',
    { command_id: COMMAND, model_id: 'm' },
    'display_name',
  ],
  [
    'broken text deep in the config',
    'cmd.describe_model',
    { command_id: COMMAND, model_id: 'm', extended_config: { a: ['\ud800'] } },
    'extended_config',
  ],
  [
    'unknown task type',
    'cmd.register_model',
    { ...GOOD['cmd.register_model'][0], task_type: 'image' },
    'task_type',
  ],
];

it.each(WRONG)('%s (%s): the field is named', (_, endpoint, body, field) => {
  expect(parseRequest(endpoint, bytes(body))).toMatchObject({ ok: false, field });
});
