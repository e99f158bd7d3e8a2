import { z } from 'zod';
import type { Endpoint } from './ledger-requests.ts';
import { holdPrice, taskType } from './stored-data.ts';
import { listedPrice } from './stored-price-lists.ts';

/**
 * What the ledger answers. Receivers ignore fields that they do not know, so these schemas drop them. Points are
 * integers, times ISO-8601 UTC.
 */
const integer = z.int();
const time = z.string();
const chargeMode = z.enum(['charged', 'free', 'member_free']);
const batchKind = z.enum(['paid', 'bonus', 'reward', 'grace', 'adjust']);

const transactionId = z.string().exactOptional().describe('Only when the balance moved');
const debtRepaid = integer.describe('What of the new points went into debt at once');

const holdResult = z.object({
  hold_id: z.string(),
  record_id: integer,
  task_no: z.string(),
  status: z.literal('held'),
  amount: integer.describe('Points reserved'),
  charge_mode: chargeMode,
  price: holdPrice,
  expires_at: time,
});

const confirmResult = z.object({
  hold_id: z.string().describe('As the caller knows it, also when it was confirmed late'),
  record_id: integer,
  status: z.literal('confirmed'),
  held_amount: integer,
  amount: integer.describe('Points charged'),
  released: integer,
  overage: integer,
  waived: integer,
  late: z.boolean().describe('It had expired and was charged all the same'),
  late_hold_id: z
    .string()
    .exactOptional()
    .describe('The hold that was placed for a late confirm and carries its charge'),
  transaction_id: transactionId,
});

const cancelResult = z.object({
  hold_id: z.string(),
  status: z.literal('canceled'),
  released: integer,
});

const consumeResult = z.object({
  record_id: integer,
  task_no: z.string(),
  amount: integer.describe('Points charged'),
  charge_mode: chargeMode,
  transaction_id: transactionId,
});

const rechargeResult = z.object({
  batches: z.array(
    z.object({
      batch_id: z.string(),
      kind: batchKind,
      points: integer,
      expires_at: time.nullable(),
    }),
  ),
  debt_repaid: debtRepaid,
});

const extendResult = z.object({ hold_id: z.string(), expires_at: time });

const reversalResult = z.object({
  source_ref: z.string(),
  points: integer.describe('Points owed: credited by it less what of it has expired'),
  expired_not_owed: integer.describe('What of it has expired'),
  debt_added: integer.describe('What of the owed points was spent already'),
  transaction_id: transactionId,
});

const refundResult = z.object({
  hold_id: z.string().describe('The hold whose charge it was'),
  points: integer.describe('Points given back'),
  refunded_total: integer.describe('Of this charge so far'),
  debt_repaid: integer.describe('What of them went into debt at once'),
  transaction_id: transactionId,
});

const adjustResult = z.object({
  delta: integer,
  batch: z
    .object({ batch_id: z.string(), points: integer, expires_at: time.nullable() })
    .nullable()
    .describe('The new batch of a positive adjustment'),
  debt_added: integer.describe('What a forced negative one could not take'),
  debt_repaid: debtRepaid,
  transaction_id: transactionId,
});

const freezeResult = z.object({ frozen: z.boolean() });

const listedPriceResult = z.object({
  price: listedPrice,
  retired: z.boolean().describe('No longer on offer, for good'),
});

const modelResult = z.object({
  model_id: z.string(),
  model_name: z.string(),
  display_name: z.string(),
  description: z.string(),
  points_cost: integer,
  platform: z.string(),
  provider_type: z.string(),
  model_type: z.string(),
  task_type: taskType,
  is_enabled: z.boolean(),
  extended_config: z.record(z.string(), z.unknown()),
  removed: z.boolean(),
});

const membership = z.object({ membership_type: z.string(), starts_at: time, ends_at: time });

const balanceResult = z.object({
  account_id: z.string(),
  balance: integer,
  held: integer,
  available: integer,
  debt: integer,
  batches: z.array(
    z.object({
      batch_id: z.string(),
      kind: batchKind,
      points: integer,
      remaining: integer,
      held: integer,
      expires_at: time.nullable(),
    }),
  ),
  open_holds: z
    .array(
      z.object({
        hold_id: z.string(),
        record_id: integer,
        task_no: z.string(),
        amount: integer,
        charge_mode: chargeMode,
        description: z.string(),
        expires_at: time,
      }),
    )
    .describe('At most 100'),
  open_hold_count: integer,
  membership: membership.nullable(),
  frozen: z.boolean(),
  revision: integer.describe('−1 = no events yet'),
});

const holdStateResult = z.object({
  hold_id: z.string(),
  record_id: integer.nullable().describe('null = canceled before it was ever held'),
  status: z.enum(['held', 'confirmed', 'canceled']),
  reason: z.string().exactOptional().describe('Why it was canceled'),
  amount: integer.describe('Points that were reserved'),
  task_no: z.string().exactOptional(),
  charge_mode: chargeMode.exactOptional(),
  price: holdPrice.exactOptional(),
  source_type: z.string().exactOptional(),
  model: z.string().exactOptional(),
  biz_type: z.string().exactOptional(),
  biz_id: z.string().exactOptional(),
  quantity: integer.exactOptional(),
  estimated_duration: z.number().exactOptional().describe('Seconds'),
  overage: z.enum(['debt', 'cap', 'reject']).exactOptional(),
  description: z.string().exactOptional(),
  metadata: z.record(z.string(), z.string()).exactOptional(),
  owner: z.string().exactOptional(),
  created_at: time.exactOptional(),
  expires_at: time.exactOptional(),
  settled_at: time.exactOptional(),
  actual_amount: integer.exactOptional().describe('Points charged'),
  released: integer.exactOptional(),
  waived: integer.exactOptional(),
  refunded: integer.exactOptional().describe('Points of the charge that were given back'),
  late: z.boolean().exactOptional().describe('It had expired and was charged all the same'),
  late_hold_id: z.string().exactOptional().describe('The hold that carries a late charge'),
  transaction_id: z.string().exactOptional(),
});

const priceResult = holdPrice.extend({
  amount: integer
    .nullable()
    .describe('What this use costs; null when a duration is needed to say it'),
});

const quoteResult = z.object({
  sufficient: z.boolean(),
  required: integer,
  balance: integer,
  available: integer,
  shortfall: integer,
  mode: z.enum(['fixed', 'duration', 'free', 'amount']),
});

/** The result of each request. */
export const RESULTS = {
  'cmd.hold': holdResult,
  'cmd.confirm': confirmResult,
  'cmd.cancel': cancelResult,
  'cmd.extend': extendResult,
  'cmd.consume': consumeResult,
  'cmd.recharge': rechargeResult,
  'cmd.reward': rechargeResult,
  'cmd.reverse_recharge': reversalResult,
  'cmd.refund': refundResult,
  'cmd.adjust': adjustResult,
  'cmd.freeze': freezeResult,
  'cmd.unfreeze': freezeResult,
  'cmd.grant_membership': membership,
  'cmd.revoke_membership': z.object({ ends_at: time }),
  'cmd.list_price': listedPriceResult,
  'cmd.change_price': listedPriceResult,
  'cmd.retire_price': listedPriceResult,
  'cmd.register_model': modelResult,
  'cmd.price_model': modelResult,
  'cmd.describe_model': modelResult,
  'cmd.enable_model': modelResult,
  'cmd.disable_model': modelResult,
  'cmd.remove_model': modelResult,
  'cmd.reload_config': z.object({ version: z.string(), changed: z.boolean() }),
  'qry.balance': balanceResult,
  'qry.hold': holdStateResult,
  'qry.quote': quoteResult,
  'qry.price': priceResult,
  /** The first answer to that command: the result of its verb. */
  'qry.command': z.union([
    confirmResult,
    holdResult,
    consumeResult,
    cancelResult,
    refundResult,
    extendResult,
    reversalResult,
    adjustResult,
    rechargeResult,
    membership,
    z.object({ ends_at: time }),
    freezeResult,
  ]),
  'qry.health': z.object({
    event_store: z.enum(['up', 'down']),
    caught_up: z.boolean(),
    reason: z.string().exactOptional(),
  }),
} as const satisfies Record<Endpoint, z.ZodType>;

export type Result<Name extends Endpoint = Endpoint> = z.output<(typeof RESULTS)[Name]>;

/**
 * Around every result. Requests without an account (catalog, config, price, health) have no `balance` and no
 * `account_revision`; queries have no `command_id` and no `duplicate`.
 */
export const success = z.object({
  ok: z.literal(true),
  command_id: z.string().exactOptional(),
  duplicate: z
    .boolean()
    .exactOptional()
    .describe('true = nothing was appended, this is the first answer again'),
  balance: z.object({ balance: integer, held: integer, available: integer }).exactOptional(),
  account_revision: integer
    .exactOptional()
    .describe("Revision of the account's last event; −1 = no events yet"),
  position: z
    .string()
    .regex(/^\d+$/)
    .exactOptional()
    .describe(
      'Decimal commit position of the append, for `X-Ledger-Position`; absent when the log does not tell it',
    ),
  at: time.describe('When the ledger answered'),
});

export type Success<Name extends Endpoint = Endpoint> = z.output<typeof success> & {
  readonly result: Result<Name>;
};

export const failure = z.object({
  ok: z.literal(false),
  command_id: z
    .string()
    .exactOptional()
    .describe('Absent for queries, and when the request could not be read that far'),
  error: z.object({
    code: z.string(),
    number: integer,
    status: integer,
    message: z.string().describe('English, for logs'),
    retryable: z.boolean().describe('Whether the identical request may succeed soon'),
    retry_after_ms: integer.exactOptional(),
    applied: z
      .enum(['no', 'unknown'])
      .describe('`unknown`: send the identical request until it is answered'),
    details: z.record(z.string(), z.unknown()).exactOptional(),
  }),
});

export type Failure = z.output<typeof failure>;
export type Reply<Name extends Endpoint = Endpoint> = Success<Name> | Failure;

/** The whole reply of one request, for callers that check what they get. */
export function replySchema<Name extends Endpoint>(endpoint: Name) {
  return z.discriminatedUnion('ok', [success.extend({ result: RESULTS[endpoint] }), failure]);
}
