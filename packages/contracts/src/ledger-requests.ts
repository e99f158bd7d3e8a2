import { PRICE_KINDS } from '@points/domain/price-list/events';
import { z } from 'zod';
import {
  creditsChanged,
  creditsListed,
  membershipChanged,
  membershipListed,
  priceId,
} from './price-list-requests.ts';
import { taskType } from './stored-data.ts';
import {
  id,
  jsonObject,
  lineOrEmpty,
  longText,
  MAX_DAYS,
  MAX_POINTS,
  metadata,
  points,
  quantity,
  reasonText,
  recordId,
  seconds,
  shortText,
  sourceType,
  time,
  uuid,
  uuidV7,
} from './text.ts';

/**
 * What may be asked of the ledger: one strict schema per verb, nothing optional filled in, so that a request means
 * the same whoever hashes it. Points are integers, durations seconds, `ttl_ms` milliseconds.
 */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 86_400_000;

const ttlMs = z.int().min(MIN_TTL_MS).max(MAX_TTL_MS);
const optionalText = longText.exactOptional();
const commandId = uuidV7.describe(
  'UUIDv7 made by the caller; the same id again gives the first answer',
);
const accountId = id.describe('The user');
const notes = metadata
  .exactOptional()
  .describe("The caller's own notes: at most 16 keys and 2 KB, values are strings");

/** In every command to an account. */
const toAccount = { command_id: commandId, account_id: accountId, metadata: notes };
/** In every command to the catalog or the config. */
const toLedger = { command_id: commandId, metadata: notes };

const pricing = {
  amount: points(1)
    .exactOptional()
    .describe('Points, from a trusted service; then the rest only labels the hold'),
  source_type: sourceType.exactOptional().describe('The operation, as in the pricing config'),
  model: shortText.exactOptional().describe('The name of a catalog model'),
  platform: shortText
    .exactOptional()
    .describe('With `model_type`: the other way to name a catalog model'),
  model_type: shortText.exactOptional().describe('See `platform`'),
  quantity: quantity(1).exactOptional().describe('Units to be used; 1 when absent'),
  estimated_duration: seconds
    .gt(0)
    .exactOptional()
    .describe('Seconds to be used, at most 3 decimals'),
};

const holdTerms = {
  ...pricing,
  biz_type: shortText.exactOptional().describe("The caller's kind of business"),
  biz_id: shortText.exactOptional().describe("The caller's number of it"),
  ttl_ms: ttlMs
    .exactOptional()
    .describe("Life of the hold; the operation's or the config's when absent"),
  overage: z
    .enum(['debt', 'cap', 'reject'])
    .exactOptional()
    .describe('What a confirm above the held amount does'),
  max_amount: points(0)
    .exactOptional()
    .describe('A price above this is refused as `price_changed`'),
  description: optionalText.describe('Shown to the user'),
};

const actualUse = {
  actual_amount: points(0).exactOptional().describe('Points really used'),
  actual_quantity: quantity(0).exactOptional().describe('Units really used'),
  actual_duration: seconds.exactOptional().describe('Seconds really used, at most 3 decimals'),
};

/** Holds may also be placed by the ledger itself (consume), under ids of another version. */
const anyHold = {
  hold_id: uuid.exactOptional().describe('The hold; or give `record_id`'),
  record_id: recordId.exactOptional(),
};
const ownHold = {
  ...anyHold,
  hold_id: uuidV7.exactOptional().describe('The hold; or give `record_id`'),
};

/** When new points expire. */
const expiry = {
  validity_days: z
    .int()
    .min(1)
    .max(MAX_DAYS)
    .exactOptional()
    .describe('Ends at 23:59:59.999 in Shanghai; 365 when neither is given'),
  expires_at: time.nullable().exactOptional().describe('null = never'),
};

/** In everything that a person does to an account. */
const byPerson = {
  reason: reasonText.describe('Why, in the words of who does it'),
  operator: shortText.describe('The person behind it'),
};

const sourceRef = shortText.describe(
  "The source's own number; a second time with it gives the first answer",
);

const modelColumns = {
  display_name: shortText.exactOptional(),
  description: optionalText,
  platform: lineOrEmpty(64).exactOptional(),
  provider_type: shortText.exactOptional(),
  model_type: lineOrEmpty(64).exactOptional(),
  task_type: taskType.exactOptional(),
  extended_config: jsonObject.exactOptional(),
};
const modelId = id.describe('The model; chosen by the caller, never used again');

export const REQUESTS = {
  'cmd.hold': z
    .strictObject({
      ...toAccount,
      hold_id: uuidV7.describe('UUIDv7 made by the caller'),
      ...holdTerms,
    })
    .superRefine(priceIsNamed),
  'cmd.confirm': z
    .strictObject({ ...toAccount, ...ownHold, ...actualUse, description: optionalText })
    .superRefine(oneHold)
    .superRefine(oneActualUse),
  'cmd.cancel': z
    .strictObject({
      ...toAccount,
      ...ownHold,
      reason: z
        .enum(['caller', 'failed', 'client_abort'])
        .exactOptional()
        .describe('`caller` when absent'),
      note: optionalText,
    })
    .superRefine(oneHold),
  'cmd.extend': z
    .strictObject({
      ...toAccount,
      ...ownHold,
      ttl_ms: ttlMs.describe('From now; never shorter than before, at most 24 h after the hold'),
    })
    .superRefine(oneHold),
  'cmd.consume': z
    .strictObject({
      ...toAccount,
      hold_id: uuidV7.exactOptional().describe('Made from `command_id` when absent'),
      ...holdTerms,
      ...actualUse,
    })
    .superRefine(priceIsNamed)
    .superRefine(oneActualUse),
  'cmd.recharge': z
    .strictObject({
      ...toAccount,
      source: z.enum(['order', 'reward', 'admin', 'import']),
      source_ref: sourceRef,
      points: points(1),
      bonus_points: points(0).exactOptional(),
      ...expiry,
      description: optionalText.describe('Shown to the user'),
      order_no: shortText.exactOptional(),
    })
    .superRefine(oneExpiry)
    .superRefine(pointsInAll),
  'cmd.reward': z
    .strictObject({
      ...toAccount,
      source_ref: sourceRef,
      points: points(1),
      ...expiry,
      description: optionalText.describe('Shown to the user'),
    })
    .superRefine(oneExpiry),
  'cmd.reverse_recharge': z.strictObject({
    ...toAccount,
    source_ref: shortText.describe('Of the recharge or the reward that is taken back'),
    ...byPerson,
  }),
  'cmd.refund': z
    .strictObject({
      ...toAccount,
      ...anyHold,
      transaction_id: uuid
        .exactOptional()
        .describe('The charge, as confirm and consume name it; or give the hold'),
      points: points(1).exactOptional().describe('All that is left of the charge when absent'),
      reason: byPerson.reason,
      operator: byPerson.operator.exactOptional(),
    })
    .superRefine(oneCharge),
  'cmd.adjust': z.strictObject({
    ...toAccount,
    delta: z
      .int()
      .min(-MAX_POINTS)
      .max(MAX_POINTS)
      .refine((value) => value !== 0, { error: 'must not be 0' })
      .describe('Points, signed'),
    ...byPerson,
    forced: z.boolean().exactOptional().describe('true = a negative one may go into debt'),
  }),
  'cmd.freeze': z.strictObject({ ...toAccount, ...byPerson }),
  'cmd.unfreeze': z.strictObject({ ...toAccount, ...byPerson }),
  'cmd.grant_membership': z.strictObject({
    ...toAccount,
    membership_type: shortText.describe('Such as `monthly`'),
    duration_days: z.int().min(1).max(MAX_DAYS).describe('Added after the present membership'),
    order_no: shortText.describe('The paid order; a second grant with it gives the first answer'),
  }),
  'cmd.revoke_membership': z.strictObject({ ...toAccount, ...byPerson }),
  'cmd.list_price': z.discriminatedUnion('kind', [
    z.strictObject({ ...toLedger, ...creditsListed }),
    z.strictObject({ ...toLedger, ...membershipListed }),
  ]),
  'cmd.change_price': z
    .discriminatedUnion('kind', [
      z.strictObject({ ...toLedger, ...creditsChanged }),
      z.strictObject({ ...toLedger, ...membershipChanged }),
    ])
    .superRefine(somethingToChange),
  'cmd.retire_price': z.strictObject({
    ...toLedger,
    kind: z.enum(PRICE_KINDS),
    price_id: priceId,
  }),
  'cmd.register_model': z.strictObject({
    ...toLedger,
    model_id: modelId,
    model_name: shortText.describe('How holds name it; unique among models that are not removed'),
    ...modelColumns,
    provider_type: shortText,
    task_type: taskType,
    points_cost: points(0).describe('Points per unit of quantity; 0 = free'),
    is_enabled: z.boolean().exactOptional().describe('true when absent'),
  }),
  'cmd.price_model': z.strictObject({ ...toLedger, model_id: modelId, points_cost: points(0) }),
  'cmd.describe_model': z
    .strictObject({ ...toLedger, model_id: modelId, ...modelColumns })
    .superRefine(somethingToDescribe),
  'cmd.enable_model': z.strictObject({ ...toLedger, model_id: modelId }),
  'cmd.disable_model': z.strictObject({ ...toLedger, model_id: modelId }),
  'cmd.remove_model': z.strictObject({ ...toLedger, model_id: modelId }),
  'cmd.reload_config': z.strictObject(toLedger),
  'qry.balance': z.strictObject({ account_id: accountId }),
  'qry.hold': z.strictObject({ account_id: accountId, ...anyHold }).superRefine(oneHold),
  'qry.quote': z.strictObject({ account_id: accountId, ...pricing }).superRefine(priceIsNamed),
  'qry.price': z.strictObject(pricing).superRefine(priceIsNamed),
  'qry.command': z.strictObject({ account_id: accountId, command_id: commandId }),
  'qry.health': z.strictObject({}),
} as const;

export type Endpoint = keyof typeof REQUESTS;
export type Request<Name extends Endpoint = Endpoint> = z.output<(typeof REQUESTS)[Name]>;

interface Fields {
  readonly [key: string]: unknown;
}

function priceIsNamed(body: Fields, context: z.RefinementCtx): void {
  if ((body['platform'] === undefined) !== (body['model_type'] === undefined)) {
    refuse(
      context,
      body['platform'] === undefined ? 'platform' : 'model_type',
      'platform and model_type are only useful together',
    );
  }
  if (
    body['amount'] === undefined &&
    body['model'] === undefined &&
    body['platform'] === undefined &&
    body['source_type'] === undefined
  ) {
    refuse(context, 'source_type', 'give source_type, model, platform with model_type, or amount');
  }
}

function oneHold(body: Fields, context: z.RefinementCtx): void {
  if ((body['hold_id'] === undefined) === (body['record_id'] === undefined)) {
    refuse(
      context,
      body['hold_id'] === undefined ? 'hold_id' : 'record_id',
      'give either hold_id or record_id',
    );
  }
}

const CHARGE_NAMES = ['hold_id', 'record_id', 'transaction_id'] as const;

function oneCharge(body: Fields, context: z.RefinementCtx): void {
  const given = CHARGE_NAMES.filter((field) => body[field] !== undefined);
  if (given.length !== 1)
    refuse(context, given[1] ?? 'hold_id', `give one of ${CHARGE_NAMES.join(', ')}`);
}

function oneActualUse(body: Fields, context: z.RefinementCtx): void {
  const given = Object.keys(actualUse).filter((field) => body[field] !== undefined);
  const second = given[1];
  if (second !== undefined)
    refuse(context, second, `give only one of ${Object.keys(actualUse).join(', ')}`);
}

function oneExpiry(body: Fields, context: z.RefinementCtx): void {
  if (body['validity_days'] !== undefined && body['expires_at'] !== undefined) {
    refuse(context, 'expires_at', 'give either validity_days or expires_at');
  }
}

function pointsInAll(
  body: { readonly points: number; readonly bonus_points?: number },
  context: z.RefinementCtx,
): void {
  if (body.points + (body.bonus_points ?? 0) > MAX_POINTS)
    refuse(
      context,
      'bonus_points',
      `points and bonus_points together must be at most ${MAX_POINTS}`,
    );
}

function somethingToDescribe(body: Fields, context: z.RefinementCtx): void {
  if (Object.keys(modelColumns).every((field) => body[field] === undefined)) {
    refuse(context, 'display_name', `give at least one of ${Object.keys(modelColumns).join(', ')}`);
  }
}

function somethingToChange(
  body: { readonly kind: 'credits' | 'membership' } & Fields,
  context: z.RefinementCtx,
): void {
  const {
    kind: _,
    price_id: __,
    ...columns
  } = body.kind === 'credits' ? creditsChanged : membershipChanged;
  if (Object.keys(columns).every((field) => body[field] === undefined))
    refuse(context, 'price_fen', `give at least one of ${Object.keys(columns).join(', ')}`);
}

function refuse(context: z.RefinementCtx, field: string, message: string): void {
  context.addIssue({ code: 'custom', path: [field], message });
}
