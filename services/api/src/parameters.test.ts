import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  changeTypeFilter,
  enabledOnly,
  endTime,
  keyword,
  page,
  providerFilter,
  readHeaders,
  size,
  startTime,
  taskTypeFilter,
} from './parameters.ts';

const query = z.object({
  page,
  size,
  changeType: changeTypeFilter,
  startTime,
  endTime,
  keyword,
  taskType: taskTypeFilter,
  provider: providerFilter,
  enabledOnly,
});

describe('a query parameter is read', () => {
  test.each([
    ['page', undefined, 1],
    ['page', '', 1],
    ['page', ' ', 1],
    ['page', '7', 7],
    ['page', '007', 7],
    ['page', '1000000', 1_000_000],
    ['size', undefined, 10],
    ['size', '', 10],
    ['size', '1', 1],
    ['size', '100', 100],
    ['changeType', undefined, undefined],
    ['changeType', '', undefined],
    ['changeType', 'consume', 'consume'],
    ['changeType', 'REFUND', 'refund'],
    ['changeType', 'Admin_Adjust', 'admin_adjust'],
    ['changeType', 'recharge', 'recharge'],
    ['changeType', 'reward', 'reward'],
    ['changeType', 'expire', 'expire'],
    ['startTime', '', undefined],
    ['startTime', '2025-10-22', new Date('2025-10-21T16:00:00Z')],
    ['endTime', '', undefined],
    ['endTime', '2025-10-22', new Date('2025-10-22T16:00:00Z')],
    ['endTime', '2025-10-22T10:30:00', new Date('2025-10-22T02:30:01Z')],
    ['keyword', '', undefined],
    ['keyword', ' 图片 ', '图片'],
    ['keyword', '字'.repeat(100), '字'.repeat(100)],
    ['taskType', '', undefined],
    ['taskType', 'llm', ['llm']],
    ['taskType', 'image', ['text_to_image', 'image_to_image']],
    ['taskType', 'video', ['text_to_video', 'image_to_video']],
    ['taskType', 'audio', ['text_to_audio']],
    ['taskType', 'text', ['llm', 'image_to_text']],
    ['provider', '', undefined],
    ['provider', 'openai', 'openai'],
    ['provider', 'nobody has heard of it', 'nobody has heard of it'],
    ['enabledOnly', undefined, true],
    ['enabledOnly', '', true],
    ['enabledOnly', 'true', true],
    ['enabledOnly', 'FALSE', false],
    ['enabledOnly', '0', false],
    ['enabledOnly', '1', true],
  ])('%s=%s', (key, value, expected) => {
    const parsed: Record<string, unknown> = query.parse(
      value === undefined ? {} : { [key]: value },
    );
    expect(parsed[key]).toEqual(expected);
  });
});

describe('a wrong query parameter is refused by name', () => {
  test.each([
    ['page', '0', 'must be a whole number from 1 to 1000000'],
    ['page', '-1', 'must be a whole number from 1 to 1000000'],
    ['page', '1.5', 'must be a whole number from 1 to 1000000'],
    ['page', '1e3', 'must be a whole number from 1 to 1000000'],
    ['page', 'abc', 'must be a whole number from 1 to 1000000'],
    ['page', '1000001', 'must be a whole number from 1 to 1000000'],
    ['page', '9'.repeat(400), 'must be a whole number from 1 to 1000000'],
    ['page', ['1', '2'], 'must be given once'],
    ['size', '0', 'must be a whole number from 1 to 100'],
    ['size', '101', 'must be a whole number from 1 to 100'],
    ['size', 'NaN', 'must be a whole number from 1 to 100'],
    [
      'changeType',
      'spend',
      'must be one of recharge, consume, refund, admin_adjust, reward, expire',
    ],
    [
      'changeType',
      'constructor',
      'must be one of recharge, consume, refund, admin_adjust, reward, expire',
    ],
    ['changeType', ['consume', 'refund'], 'must be given once'],
    ['startTime', 'yesterday', 'must be a time such as 2025-10-22T10:30:00'],
    ['endTime', '2025-02-30', 'must be a time such as 2025-10-22T23:59:59'],
    ['keyword', 'a\u0000b', 'must be at most 100 characters without control characters'],
    ['keyword', 'x'.repeat(101), 'must be at most 100 characters without control characters'],
    [
      'taskType',
      'text_to_smell',
      expect.stringMatching(/^must be one of text_to_image, .*, text$/),
    ],
    ['taskType', '__proto__', expect.stringMatching(/^must be one of/)],
    ['provider', 'a\nb', 'must be at most 64 characters without control characters'],
    ['enabledOnly', 'yes', 'must be true or false'],
    ['enabledOnly', ['true', 'true'], 'must be given once'],
  ])('%s=%s', (key, value, reason: unknown) => {
    const issue = query.safeParse({ [key]: value }).error?.issues[0];
    expect(issue).toMatchObject({ path: [key], message: reason });
  });
});

test('unknown query parameters are ignored', () => {
  expect(query.parse({ utm_source: 'x', 'page[]': '5', pageSize: 'abc' })).toMatchObject({
    page: 1,
    size: 10,
  });
});

describe('X-Ledger-Position', () => {
  test.each(['0', '42', '9223372036854775807'])('%s is a position', (text) => {
    expect(readHeaders.safeParse({ 'x-ledger-position': text }).success).toBe(true);
  });

  test.each(['', '-1', '1.5', '0x10', '1,2', '9223372036854775808', '1'.repeat(20), 'now'])(
    '%j is not',
    (text) => {
      expect(readHeaders.safeParse({ 'x-ledger-position': text }).success).toBe(false);
    },
  );
});
