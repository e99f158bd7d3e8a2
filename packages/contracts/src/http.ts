import { z } from 'zod';
import type { ChangeType } from './display-names.ts';
import { taskType } from './stored-data.ts';
import { line } from './text.ts';

/**
 * Bodies of the HTTP interface: points queries and the model catalog (camelCase), login, errors. Points are integers;
 * local times are Asia/Shanghai without a zone, whole seconds.
 */
const integer = z.int();
const localTime = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
  .describe('Asia/Shanghai, such as 2025-12-31T23:59:59');

/** Around every successful answer. */
export function envelope<Data extends z.ZodType>(data: Data) {
  return z.object({ code: z.literal(200), message: z.literal('success'), data });
}

/** Every error: one text under three names, so that each family of clients finds it under its own. */
export const errorBody = z.object({
  code: integer.describe('Number of the error, or the HTTP status where it has none'),
  message: z.string(),
  msg: z.string(),
  detail: z.string(),
  data: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe(
      '`error` (the code name) and what a program needs to act on it, such as `field` or `shortfall`',
    ),
});

export type ErrorBody = z.output<typeof errorBody>;

export const changeType = z.enum([
  'recharge',
  'consume',
  'refund',
  'admin_adjust',
  'reward',
  'expire',
]) satisfies z.ZodType<ChangeType>;

export const pointsBalance = z.object({
  currentPoints: integer,
  pointsExpiresAt: localTime
    .nullable()
    .describe('Earliest expiry among batches with points left; null = nothing expires'),
  willExpireSoon: z.boolean(),
  daysUntilExpire: integer.nullable().describe('Whole days; null = nothing expires'),
  heldPoints: integer.describe('Reserved by open holds'),
  availablePoints: integer.describe('What a new hold may take'),
  expiringPoints: integer.describe('Points that expire at pointsExpiresAt'),
});

const consumptionLog = z.object({
  id: integer,
  taskNo: z.string().nullable(),
  changeType,
  changeTypeName: z.string(),
  changeAmount: integer.describe('Signed: negative when points went'),
  balanceBefore: integer,
  balanceAfter: integer,
  description: z.string(),
  createTime: localTime,
  duration: z.number().nullable().describe('Seconds, where a use was measured in them'),
});

export const consumptionLogs = z.object({
  records: z.array(consumptionLog),
  total: integer,
  page: integer,
  size: integer,
  totalPages: integer,
});

export const consumptionStats = z.object({
  currentPoints: integer,
  totalRechargePoints: integer,
  totalConsumePoints: integer,
  totalRefundPoints: integer,
  pointsExpiresAt: localTime.nullable(),
  totalExpiredPoints: integer,
  totalRewardPoints: integer,
});

const groupedModel = z.object({
  id: integer,
  modelName: z.string(),
  displayName: z.string(),
  pointsCost: integer,
  providerType: z.string(),
  taskType,
  isEnabled: z.boolean(),
});

const model = groupedModel.extend({
  description: z.string(),
  extendedConfig: z.record(z.string(), z.unknown()),
});

export const models = z.array(model);

export const modelsByType = z.array(
  z.object({ taskType, taskTypeName: z.string(), models: z.array(groupedModel), count: integer }),
);

export const modelsByProvider = z.array(
  z.object({
    providerType: z.string(),
    providerName: z.string(),
    models: z.array(groupedModel),
    count: integer,
  }),
);

export const modelStats = z.object({
  totalModels: integer.describe('Models that are not removed'),
  enabledModels: integer,
  countByType: z
    .partialRecord(taskType, integer)
    .describe('Enabled models; types with none are absent'),
  countByProvider: z.record(z.string(), integer).describe('Enabled models'),
});

export const loginRequest = z.object({ username: line(64), password: line(128) });

export const loginResult = z.object({
  access_token: z.string(),
  token_type: z.literal('bearer'),
  user: z.object({
    id: z.string().describe('The account id'),
    username: z.string(),
    roles: z.array(z.string()),
  }),
});

const time = z.iso.datetime().describe('ISO-8601 UTC');
const position = z.string().describe('Of the log, decimal');

const projections = z.object({
  projector_active: z.boolean(),
  position: position.nullable().describe('Everything up to here is applied; null = nothing yet'),
  last_event: z
    .object({ stream: z.string(), revision: integer, position })
    .nullable()
    .describe('The last one that was applied'),
  updated_at: time.nullable(),
  reconcile: z.object({
    drifted_accounts: integer.describe('Whose rows are not what the log says, as last compared'),
    accounts_checked: integer.describe('Since the tables were made'),
    last_round_at: time.nullable(),
    last_full_round_at: time.nullable().describe('When all accounts had last had their turn'),
    skipped_accounts: integer.describe('That were not compared when their turn came last'),
    skipped: z
      .array(
        z.object({
          account_id: z.string(),
          reason: z.enum(['too_many_events', 'failed']),
          message: z.string(),
          skipped_at: time,
        }),
      )
      .describe('The last 100'),
    drift: z
      .array(
        z.object({
          account_id: z.string(),
          revision: integer,
          position,
          kind: z.enum(['missing', 'surplus', 'different', 'wrong_log']),
          table: z.string().nullable().describe('null = the log itself is wrong'),
          key: z.record(z.string(), z.string().nullable()),
          column: z.string().nullable().describe('null = the whole row'),
          log_value: z.string().nullable(),
          row_value: z.string().nullable(),
          found_at: time,
          checked_at: time,
        }),
      )
      .describe('The first 100'),
  }),
});

export const balanceResponse = envelope(pointsBalance);
export const logsResponse = envelope(consumptionLogs);
export const statsResponse = envelope(consumptionStats);
export const modelsResponse = envelope(models);
export const modelsByTypeResponse = envelope(modelsByType);
export const modelsByProviderResponse = envelope(modelsByProvider);
export const modelStatsResponse = envelope(modelStats);
export const loginResponse = envelope(loginResult);
export const projectionsResponse = envelope(projections);

export type PointsBalance = z.output<typeof pointsBalance>;
export type ConsumptionLog = z.output<typeof consumptionLog>;
export type ConsumptionLogs = z.output<typeof consumptionLogs>;
export type ConsumptionStats = z.output<typeof consumptionStats>;
export type ModelItem = z.output<typeof model>;
export type GroupedModel = z.output<typeof groupedModel>;
export type ModelStats = z.output<typeof modelStats>;
export type Projections = z.output<typeof projections>;
