import type { AccountEvent, AccountEventType, HoldPrice } from '@points/domain/account/events';
import type { ModelEvent, ModelEventType, TaskType } from '@points/domain/catalog/events';
import type { ConfigLoadedEvent } from '@points/domain/pricing/config';
import { z } from 'zod';
import { storedPricingConfig } from './pricing-config.ts';

/**
 * The data of every stored event. Every field that we know must be there and have its type; fields that we do not
 * know are ignored, so that an older reader can follow a newer writer that added an optional one.
 *
 * Texts are not judged again here: they were when they came in, and history must stay readable when a rule tightens.
 */
type Fields<Data> = { readonly [Key in keyof Data]-?: z.ZodType<Data[Key]> };
type AccountData<Type extends AccountEventType> = Extract<AccountEvent, { type: Type }>['data'];
type ModelData<Type extends ModelEventType> = Extract<ModelEvent, { type: Type }>['data'];

const integer = z.int();
/** What `Date.toISOString` writes: fixed width, so the order of the texts is the order of the times. */
export const storedTime = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, {
    error: 'must be a UTC time with milliseconds',
  })
  .meta({ title: 'time' });
const batchId = z.string().describe('A batch: `<command_id>:<n>` of the command that made it');
const allocations = z.array(
  z.object({ batch_id: batchId, points: integer.describe('Points of that batch') }),
);
const repayments = z.array(
  z.object({
    debt_ref: z
      .string()
      .describe('What is owed for: a hold_id, `reversal:<source_ref>` or `adjust:<command_id>`'),
    batch_id: batchId,
    points: integer.describe('Points moved from the batch to the debt'),
  }),
);

const balanceFields = {
  balance_before: integer.describe('Points of all batches less debt, before this event'),
  balance_after: integer.describe('The same, after this event'),
  available_after: integer.describe(
    'What a new hold may take after this event: balance less open holds, as of now',
  ),
  debt_after: integer.describe('Points owed after this event'),
};

const newBatch = z.object({
  batch_id: batchId,
  kind: z
    .enum(['paid', 'bonus', 'reward', 'grace', 'adjust'])
    .describe('At equal expiry `paid` is spent last'),
  points: integer.describe('Points in it'),
  expires_at: storedTime.nullable().describe('null = never'),
});

const pointsRecharged = {
  source: z.enum(['order', 'reward', 'admin', 'import']).describe('Where the points came from'),
  source_ref: z
    .string()
    .describe("The source's own number; unique in the account over all sources, for ever"),
  batches: z.array(newBatch).describe('The batches that were added'),
  debt_repaid: repayments.describe('What of free points went into debt at once, oldest debt first'),
  description: z.string().describe('Shown to the user'),
  order_no: z.string().exactOptional().describe('The paid order'),
  ...balanceFields,
} satisfies Fields<AccountData<'PointsRecharged'>>;

/** The price as it was resolved for one hold; confirm uses this and nothing else. */
export const holdPrice = z.object({
  mode: z
    .enum(['fixed', 'duration', 'free', 'amount'])
    .describe('`amount`: the caller named the points'),
  unit: z.enum(['call', 'quantity', 'second']).describe('What `unit_price` is for'),
  unit_price: z.string().describe('Points per unit, a decimal with at most 6 places'),
  min_points: integer.describe('Least charge when anything was used'),
  rounding: z.enum(['ceil', 'floor', 'half_up']).describe('To whole points, once, at the end'),
  source: z.string().describe('`model:<model_id>`, `operation:<source_type>` or `amount`'),
  config_version: z.string().describe('Version of the pricing config in force; empty for `amount`'),
} satisfies Fields<HoldPrice>);

const pointsHeld = {
  hold_id: z.string().describe('UUID, made by the caller'),
  record_id: integer.describe("The hold's number, for callers that want one"),
  amount: integer.describe('Points reserved'),
  allocations: allocations.describe('Points pinned in each batch, in spend order'),
  price: holdPrice.describe('The price as resolved now; confirm uses this and nothing else'),
  charge_mode: z
    .enum(['charged', 'free', 'member_free'])
    .describe('Whether the use costs anything'),
  list_price: integer.describe('What the use would have cost if it were not free'),
  source_type: z.string().exactOptional().describe('The operation'),
  model: z.string().exactOptional().describe('The model, as the caller named it'),
  biz_type: z.string().exactOptional().describe("The caller's kind of business"),
  biz_id: z.string().exactOptional().describe("The caller's number of it"),
  task_no: z.string().describe('`TASK`, the day in Shanghai, ten digits'),
  quantity: integer.exactOptional().describe('Units the caller announced'),
  estimated_duration_ms: integer.exactOptional().describe('Milliseconds the caller announced'),
  overage: z.enum(['debt', 'cap', 'reject']).describe('What a confirm above the held amount does'),
  debt_floor: integer.nullable().describe('Most debt by overage; null = no limit'),
  failure_policy: z
    .enum(['cancel', 'charge_then_refund'])
    .describe('What a cancel with reason `failed` does'),
  late_confirm: z
    .enum(['if_available', 'reject'])
    .describe('Whether a confirm after expiry may still charge'),
  late_of: z
    .string()
    .exactOptional()
    .describe('The expired hold that is confirmed late by this one, in the same append'),
  description: z.string().describe('Shown to the user'),
  refund_description: z
    .string()
    .exactOptional()
    .describe('Shown to the user when the charge is given back'),
  metadata: z.record(z.string(), z.string()).describe("The caller's own notes"),
  expires_at: storedTime.describe('After this the hold may be canceled as expired'),
  max_expires_at: storedTime.describe('The latest that extending can reach'),
  owner: z.string().describe('The client that may settle the hold'),
  ...balanceFields,
} satisfies Fields<AccountData<'PointsHeld'>>;

const holdConfirmed = {
  hold_id: z.string().describe('The hold'),
  held_amount: integer.describe('Points that were reserved'),
  requested_amount: integer.describe("What the use cost by the hold's price"),
  actual_amount: integer.describe('Points charged'),
  allocations: allocations.describe(
    "Where the charge came from: the hold's pins first, then free points",
  ),
  released: integer.describe('Reserved points that were not used'),
  overage: integer.describe('Points charged beyond the reserved amount'),
  debt_added: integer.describe('What of the overage became debt'),
  waived: integer.describe('What of the cost was not charged, by the overage policy'),
  debt_repaid: repayments.describe('Released points that went into debt at once'),
  late_of: z
    .string()
    .exactOptional()
    .describe('The expired hold that this one was placed and confirmed for'),
  quantity: integer.exactOptional().describe('Units really used'),
  duration_ms: integer.exactOptional().describe('Milliseconds really used'),
  description: z.string().describe('Shown to the user'),
  ...balanceFields,
} satisfies Fields<AccountData<'HoldConfirmed'>>;

const origin = {
  origin_batch_id: z.string().describe('The batch that they came from'),
  source_ref: z
    .string()
    .exactOptional()
    .describe('The recharge that they once came with; absent when they came with none'),
};

const holdCanceled = {
  hold_id: z.string().describe('The hold; with reason `tombstone` one that never was'),
  reason: z
    .enum(['caller', 'failed', 'client_abort', 'expired', 'admin', 'tombstone'])
    .describe('Why'),
  note: z.string().exactOptional().describe("The caller's words"),
  released: integer.describe('Points that are no longer reserved'),
  debt_repaid: repayments.describe('Released points that went into debt at once'),
  grace: z
    .array(
      z.object({
        batch_id: batchId,
        points: integer.describe('Points in it'),
        expires_at: storedTime,
        ...origin,
      }),
    )
    .describe('Released points of batches that were due, moved to new batches for a few more days'),
  ...balanceFields,
} satisfies Fields<AccountData<'HoldCanceled'>>;

const holdExtended = {
  hold_id: z.string().describe('The hold'),
  previous_expires_at: storedTime.describe('Its expiry before'),
  expires_at: storedTime.describe('Its expiry from now on'),
  ...balanceFields,
} satisfies Fields<AccountData<'HoldExtended'>>;

const batchExpired = {
  batch_id: batchId,
  points: integer.describe('Points that expired'),
  expired_at: storedTime.describe('When the batch became due'),
  pinned_left: integer.describe('Points of the batch that open holds still pin'),
  ...balanceFields,
} satisfies Fields<AccountData<'BatchExpired'>>;

const reason = z.string().describe('Why, in the words of who asked for it');
const operator = z.string().describe('The person behind it');

const rechargeReversed = {
  source_ref: z.string().describe('The recharge that is taken back'),
  points: integer.describe('Points owed: credited by it less what of it has expired'),
  expired_not_owed: integer.describe('What of it has expired'),
  allocations: allocations.describe('Taken from its own batches first, then from all others'),
  debt_added: integer.describe('What could not be taken'),
  debt_ref: z.string().describe('`reversal:<source_ref>`'),
  reason,
  operator,
  ...balanceFields,
} satisfies Fields<AccountData<'RechargeReversed'>>;

const pointsRefunded = {
  hold_id: z.string().describe('The hold whose charge is given back'),
  points: integer.describe('Points given back'),
  refunded_total: integer.describe('Of this charge so far, with these'),
  returns: z
    .array(
      z.object({
        from: z.string().describe('What had paid for it: a batch id, or `debt` = nothing yet'),
        to: z.string().describe('Where it goes: a batch id, or `debt` = the debt is canceled'),
        points: integer.describe('Points of this part'),
      }),
    )
    .describe('The funding undone, latest first'),
  grace: z
    .array(
      z.object({
        batch_id: batchId,
        points: integer.describe('Points in it'),
        expires_at: storedTime,
        ...origin,
      }),
    )
    .describe('New batches for parts whose batch is due'),
  reopened: z
    .array(
      newBatch.extend({
        created_at: storedTime,
        source_ref: z.string().exactOptional(),
        origin_batch_id: z.string().exactOptional(),
      }),
    )
    .describe('Batches that had been spent to the last point, as they were made'),
  debt_canceled: integer.describe('What of the charge was still debt'),
  debt_repaid: repayments.describe('Returned points that went into other debt at once'),
  as_failure: z
    .boolean()
    .describe(
      'The work failed: with the charge before it in the same append, the hold counts as canceled',
    ),
  reason,
  operator: operator.exactOptional(),
  description: z.string().describe('Shown to the user'),
  ...balanceFields,
} satisfies Fields<AccountData<'PointsRefunded'>>;

const pointsAdjusted = {
  delta: integer.describe('Signed, never 0'),
  reason,
  operator,
  forced: z.boolean().describe('Whether it might go into debt'),
  batch: newBatch.nullable().describe('The new batch of a positive adjustment'),
  allocations: allocations.describe('What a negative one took'),
  debt_added: integer.describe('What it could not take'),
  debt_ref: z.string().describe('`adjust:<command_id>`'),
  debt_repaid: repayments.describe('New points that went into debt at once'),
  ...balanceFields,
} satisfies Fields<AccountData<'PointsAdjusted'>>;

const accountFrozen = { reason, operator, ...balanceFields } satisfies Fields<
  AccountData<'AccountFrozen'>
>;

const membershipGranted = {
  membership_type: z.string().describe('Such as `month`'),
  starts_at: storedTime.describe('Now, or where the present membership ends'),
  ends_at: storedTime,
  previous_ends_at: storedTime.nullable().describe('Where it ended before; null = there was none'),
  order_no: z.string().describe('The paid order; unique in the account, for ever'),
  ...balanceFields,
} satisfies Fields<AccountData<'MembershipGranted'>>;

const membershipRevoked = {
  reason,
  operator,
  ended_at: storedTime.describe('When, with all that was granted for later'),
  ...balanceFields,
} satisfies Fields<AccountData<'MembershipRevoked'>>;

export const ACCOUNT_EVENT_DATA = {
  PointsRecharged: z.object(pointsRecharged),
  RechargeReversed: z.object(rechargeReversed),
  PointsHeld: z.object(pointsHeld),
  HoldConfirmed: z.object(holdConfirmed),
  HoldCanceled: z.object(holdCanceled),
  HoldExtended: z.object(holdExtended),
  BatchExpired: z.object(batchExpired),
  PointsRefunded: z.object(pointsRefunded),
  PointsAdjusted: z.object(pointsAdjusted),
  AccountFrozen: z.object(accountFrozen),
  AccountUnfrozen: z.object(accountFrozen),
  MembershipGranted: z.object(membershipGranted),
  MembershipRevoked: z.object(membershipRevoked),
} satisfies { readonly [Type in AccountEventType]: z.ZodType<AccountData<Type>> };

const modelId = z.string().describe('The model');
const jsonMap = z.record(z.string(), z.unknown());
export const taskType = z.enum([
  'text_to_image',
  'image_to_image',
  'text_to_video',
  'image_to_video',
  'llm',
  'text_to_audio',
  'image_to_text',
  'other',
]) satisfies z.ZodType<TaskType>;

const modelRegistered = {
  model_id: modelId,
  model_name: z.string().describe('How holds name it; unique among models that are not removed'),
  display_name: z.string().describe('Shown to users'),
  description: z.string().describe('Shown to users'),
  points_cost: integer.describe('Points per unit of quantity; 0 = free'),
  platform: z
    .string()
    .describe('With `model_type` the second way to name it in a hold; empty = none'),
  provider_type: z.string().describe('Who runs it'),
  model_type: z.string().describe('See `platform`'),
  task_type: taskType.describe('What it does'),
  is_enabled: z.boolean().describe('Whether it can be used'),
  extended_config: jsonMap.describe('Whatever its provider needs; never secrets'),
} satisfies Fields<ModelData<'ModelRegistered'>>;

const modelPriced = {
  model_id: modelId,
  points_cost: integer.describe('Points per unit of quantity from now on; 0 = free'),
  previous_points_cost: integer.describe('Before'),
} satisfies Fields<ModelData<'ModelPriced'>>;

const modelDescribed = {
  model_id: modelId,
  display_name: z.string().exactOptional().describe('Only fields that changed are present'),
  description: z.string().exactOptional(),
  platform: z.string().exactOptional(),
  provider_type: z.string().exactOptional(),
  model_type: z.string().exactOptional(),
  task_type: taskType.exactOptional(),
  extended_config: jsonMap.exactOptional(),
} satisfies Fields<ModelData<'ModelDescribed'>>;

const modelSwitched = { model_id: modelId } satisfies Fields<ModelData<'ModelEnabled'>>;

export const MODEL_EVENT_DATA = {
  ModelRegistered: z.object(modelRegistered),
  ModelPriced: z.object(modelPriced),
  ModelDescribed: z.object(modelDescribed),
  ModelEnabled: z.object(modelSwitched),
  ModelDisabled: z.object(modelSwitched),
  ModelRemoved: z.object(modelSwitched),
} satisfies { readonly [Type in ModelEventType]: z.ZodType<ModelData<Type>> };

export const CONFIG_EVENT_DATA = {
  ConfigLoaded: z.object({
    version: z.string().describe('SHA-256 (hex) of the canonical JSON of `content`'),
    content: storedPricingConfig.describe('The pricing config with every default spelled out'),
  } satisfies Fields<ConfigLoadedEvent['data']>),
} satisfies { readonly [Type in ConfigLoadedEvent['type']]: z.ZodType<ConfigLoadedEvent['data']> };
