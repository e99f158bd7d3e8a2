import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  CHANGE_TYPE_NAMES,
  COARSE_TASK_TYPES,
  providerName,
  TASK_TYPE_NAMES,
  taskTypesNamed,
} from './display-names.ts';
import {
  balanceResponse,
  changeType,
  errorBody,
  loginRequest,
  loginResponse,
  logsResponse,
  modelsByProviderResponse,
  modelsByTypeResponse,
  modelsResponse,
  modelStatsResponse,
  statsResponse,
} from './http.ts';
import { taskType } from './stored-data.ts';

const grouped = {
  id: 1,
  modelName: 'sora_image',
  displayName: 'Sora高质量图片生成',
  pointsCost: 11,
  providerType: 'openai',
  taskType: 'text_to_image',
  isEnabled: true,
};
const model = { ...grouped, description: 'Sora高质量图片生成', extendedConfig: {} };
const log = {
  id: 1,
  taskNo: 'TASK202510221234567890',
  changeType: 'consume',
  changeTypeName: '消费',
  changeAmount: -10,
  balanceBefore: 1510,
  balanceAfter: 1500,
  description: 'AI图片生成消费',
  createTime: '2025-10-22T10:30:00',
};

/** The answers that clients were promised, and the fields that were added to them since. */
const PROMISED: readonly (readonly [string, z.ZodType, object, object])[] = [
  [
    'balance',
    balanceResponse,
    {
      currentPoints: 1500,
      pointsExpiresAt: '2025-12-31T23:59:59',
      willExpireSoon: false,
      daysUntilExpire: 120,
    },
    { heldPoints: 0, availablePoints: 1500, expiringPoints: 500 },
  ],
  [
    'logs',
    logsResponse,
    { records: [{ ...log, duration: null }], total: 100, page: 1, size: 10, totalPages: 10 },
    {},
  ],
  [
    'stats',
    statsResponse,
    {
      currentPoints: 1500,
      totalRechargePoints: 2000,
      totalConsumePoints: 500,
      totalRefundPoints: 0,
      pointsExpiresAt: '2025-12-31T23:59:59',
    },
    { totalExpiredPoints: 0, totalRewardPoints: 0 },
  ],
  ['models', modelsResponse, [model], []],
  [
    'models by type',
    modelsByTypeResponse,
    [{ taskType: 'text_to_image', taskTypeName: '文生图', models: [grouped], count: 2 }],
    [],
  ],
  [
    'models by provider',
    modelsByProviderResponse,
    [{ providerType: 'openai', providerName: 'OpenAI', models: [grouped], count: 3 }],
    [],
  ],
  [
    'model stats',
    modelStatsResponse,
    {
      totalModels: 10,
      enabledModels: 8,
      countByType: { text_to_image: 2, text_to_video: 4, image_to_video: 1, llm: 1 },
      countByProvider: { openai: 3, runninghub: 5 },
    },
    {},
  ],
  [
    'login',
    loginResponse,
    {
      access_token: 'a.b.c',
      token_type: 'bearer',
      user: { id: 'test_user', username: 'test_user', roles: ['user'] },
    },
    {},
  ],
];

/** Maps whose keys are data. */
const OPEN = new Set(['countByType', 'countByProvider']);

/** Every variant of a value that lacks one field, however deep. */
function lackingOne(value: unknown): { path: string; body: unknown }[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      lackingOne(item).map(({ path, body }) => ({
        path: `${index}.${path}`,
        body: value.with(index, body),
      })),
    );
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]) => {
    const { [field]: _, ...without } = { ...value } as Record<string, unknown>;
    const deeper = OPEN.has(field) ? [] : lackingOne(inner);
    return [
      { path: field, body: without },
      ...deeper.map(({ path, body }) => ({
        path: `${field}.${path}`,
        body: { ...value, [field]: body },
      })),
    ];
  });
}

describe('responses', () => {
  it.each(PROMISED)('%s is what was promised', (_, schema, promised, added) => {
    const data = Array.isArray(promised) ? promised : { ...promised, ...added };
    const body = { code: 200, message: 'success', data };
    expect(schema.parse(body)).toEqual(body);
  });

  it.each(PROMISED)('%s lacks none of its fields', (_, schema, promised, added) => {
    const data: unknown = Array.isArray(promised) ? promised : { ...promised, ...added };
    for (const { path, body } of lackingOne({ code: 200, message: 'success', data })) {
      expect(schema.safeParse(body).success, path).toBe(false);
    }
  });

  it('have times without a zone', () => {
    const body = (createTime: string) => ({
      code: 200,
      message: 'success',
      data: {
        records: [{ ...log, duration: 1.5, createTime }],
        total: 1,
        page: 1,
        size: 1,
        totalPages: 1,
      },
    });
    expect(logsResponse.safeParse(body('2025-10-22T10:30:00')).success).toBe(true);
    expect(logsResponse.safeParse(body('2025-10-22T10:30:00Z')).success).toBe(false);
    expect(logsResponse.safeParse(body('2025-10-22T10:30:00.000')).success).toBe(false);
  });

  it('say an error under every name that a client may read', () => {
    const body = {
      code: 1001001,
      message: '积分不足',
      msg: '积分不足',
      detail: '积分不足',
      data: { error: 'insufficient_points', shortfall: 5 },
    };
    expect(errorBody.parse(body)).toEqual(body);
  });

  it('take a login only with both texts', () => {
    expect(loginRequest.safeParse({ username: 'test_user', password: 'test123456' }).success).toBe(
      true,
    );
    expect(loginRequest.safeParse({ username: 'test_user' }).success).toBe(false);
    expect(loginRequest.safeParse({ username: 'a\u0000', password: 'x' }).success).toBe(false);
  });
});

describe('display names', () => {
  it('cover every kind of change and task', () => {
    expect(Object.keys(CHANGE_TYPE_NAMES).toSorted()).toEqual([...changeType.options].toSorted());
    expect(Object.keys(TASK_TYPE_NAMES).toSorted()).toEqual([...taskType.options].toSorted());
    expect(CHANGE_TYPE_NAMES).toEqual({
      recharge: '充值',
      consume: '消费',
      refund: '退款',
      admin_adjust: '管理员调整',
      reward: '奖励',
      expire: '过期',
    });
  });

  it.each([
    ['text_to_image', ['text_to_image']],
    ['image', ['text_to_image', 'image_to_image']],
    ['video', ['text_to_video', 'image_to_video']],
    ['audio', ['text_to_audio']],
    ['text', ['llm', 'image_to_text']],
    ['other', ['other']],
    ['constructor', null],
    ['', null],
  ])('%s stands for %j', (name, types) => {
    expect(taskTypesNamed(name)).toEqual(types);
  });

  it('put no task type into two coarse categories', () => {
    const all = Object.values(COARSE_TASK_TYPES).flat();
    expect(new Set(all).size).toBe(all.length);
  });

  it.each([
    ['openai', 'OpenAI'],
    ['runninghub', 'RunningHub'],
    ['brand_new', 'brand_new'],
    ['toString', 'toString'],
  ])('%s is shown as %s', (type, name) => {
    expect(providerName(type)).toBe(name);
  });
});
