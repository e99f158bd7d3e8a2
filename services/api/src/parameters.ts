import {
  CHANGE_TYPE_NAMES,
  COARSE_TASK_TYPES,
  TASK_TYPE_NAMES,
  taskTypesNamed,
} from '@points/contracts/display-names';
import { changeType } from '@points/contracts/http';
import { line } from '@points/contracts/text';
import { z } from 'zod';
import type { Text } from './language.ts';
import { parseTimeSpan } from './local-time.ts';

/**
 * What can stand in a query string or a header. Unknown keys are ignored and empty values count as absent; a wrong
 * value of a known key is refused with a reason in both languages.
 */
const MAX_PAGE = 1_000_000;
const MAX_PAGE_SIZE = 100;
const DEFAULT_PAGE_SIZE = 10;
const MAX_KEYWORD_CODE_POINTS = 100;
const MAX_PROVIDER_CODE_POINTS = 64;
/** Log positions are signed 64-bit numbers in the read tables. */
export const MAX_POSITION = 2n ** 63n - 1n;

const taskTypeNames = [...Object.keys(TASK_TYPE_NAMES), ...Object.keys(COARSE_TASK_TYPES)];
const changeTypeNames = Object.keys(CHANGE_TYPE_NAMES);

export const page = parameter({
  read: (text) => wholeNumber(text, MAX_PAGE),
  absent: 1,
  reason: {
    zh: `应为 1 到 ${MAX_PAGE} 的整数`,
    en: `must be a whole number from 1 to ${MAX_PAGE}`,
  },
  documentation: { type: 'integer', minimum: 1, maximum: MAX_PAGE, default: 1 },
});

export const size = parameter({
  read: (text) => wholeNumber(text, MAX_PAGE_SIZE),
  absent: DEFAULT_PAGE_SIZE,
  reason: {
    zh: `应为 1 到 ${MAX_PAGE_SIZE} 的整数`,
    en: `must be a whole number from 1 to ${MAX_PAGE_SIZE}`,
  },
  documentation: {
    type: 'integer',
    minimum: 1,
    maximum: MAX_PAGE_SIZE,
    default: DEFAULT_PAGE_SIZE,
  },
});

export const changeTypeFilter = parameter({
  read: (text) => changeType.safeParse(text.toLowerCase()).data,
  absent: undefined,
  reason: oneOf(changeTypeNames),
  documentation: { type: 'string', enum: changeTypeNames, description: 'In any case' },
});

export const startTime = parameter({
  read: (text) => parseTimeSpan(text)?.start,
  absent: undefined,
  reason: timeReason('2025-10-22T10:30:00'),
  documentation: {
    type: 'string',
    examples: ['2025-10-22', '2025-10-22T10:30:00'],
    description: 'Only rows from this time on; Asia/Shanghai unless it has an offset',
  },
});

export const endTime = parameter({
  read: (text) => parseTimeSpan(text)?.end,
  absent: undefined,
  reason: timeReason('2025-10-22T23:59:59'),
  documentation: {
    type: 'string',
    examples: ['2025-10-22', '2025-10-22T23:59:59'],
    description: 'Only rows up to the end of this second, minute or day',
  },
});

export const keyword = parameter({
  read: (text) => line(MAX_KEYWORD_CODE_POINTS).safeParse(text).data,
  absent: undefined,
  reason: lineReason(MAX_KEYWORD_CODE_POINTS),
  documentation: {
    type: 'string',
    maxLength: MAX_KEYWORD_CODE_POINTS,
    description: 'Part of the description or of the task number, in any case',
  },
});

export const taskTypeFilter = parameter({
  read: (text) => taskTypesNamed(text) ?? undefined,
  absent: undefined,
  reason: oneOf(taskTypeNames),
  documentation: {
    type: 'string',
    enum: taskTypeNames,
    description: 'Fine, or one of the coarse image, video, audio, text',
  },
});

export const providerFilter = parameter({
  read: (text) => line(MAX_PROVIDER_CODE_POINTS).safeParse(text).data,
  absent: undefined,
  reason: lineReason(MAX_PROVIDER_CODE_POINTS),
  documentation: {
    type: 'string',
    maxLength: MAX_PROVIDER_CODE_POINTS,
    examples: ['openai', 'runninghub'],
  },
});

export const enabledOnly = parameter({
  read: (text) => BOOLEANS.get(text.toLowerCase()),
  absent: true,
  reason: { zh: '应为 true 或 false', en: 'must be true or false' },
  documentation: { type: 'boolean', default: true },
});

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export const POSITION_HEADER = 'x-ledger-position';

/** Headers of every read. */
export const readHeaders = z.object({
  [POSITION_HEADER]: z
    .string()
    .superRefine((text, context) => {
      if (/^\d{1,19}$/.test(text) && BigInt(text) <= MAX_POSITION) return;
      const params = { zh: '应为十进制日志位置', name: 'X-Ledger-Position' };
      context.addIssue({ code: 'custom', message: 'must be a decimal log position', params });
    })
    .optional()
    .describe(
      'The `position` of an answer of the ledger. The read waits up to 2 s until it is applied; the same header of the ' +
        'answer says up to where the read tables are.',
    ),
});

/**
 * A schema that takes whatever the query parser made of one key. `read` gives undefined for a wrong value. The JSON
 * schema that OpenAPI shows is `documentation`, because everything in a query string is text.
 */
export function parameter<Value, Absent>(options: {
  read: (text: string) => Value | undefined;
  absent: Absent;
  reason: Text;
  documentation: Record<string, unknown>;
}) {
  const { read, absent, reason, documentation } = options;
  return z
    .unknown()
    .optional()
    .transform((value, context): Value | Absent => {
      if (value === undefined || (typeof value === 'string' && value.trim() === '')) return absent;
      const result = typeof value === 'string' ? read(value.trim()) : undefined;
      if (result !== undefined) return result;
      // A key that stands twice arrives as an array.
      const { zh, en } =
        typeof value === 'string' ? reason : { zh: '只能出现一次', en: 'must be given once' };
      context.addIssue({ code: 'custom', message: en, params: { zh } });
      return z.NEVER;
    })
    .meta(documentation);
}

function wholeNumber(text: string, max: number): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= max ? value : undefined;
}

export function oneOf(names: readonly string[]): Text {
  return { zh: `应为以下之一：${names.join('、')}`, en: `must be one of ${names.join(', ')}` };
}

function timeReason(example: string): Text {
  return { zh: `应为时间，例如 ${example}`, en: `must be a time such as ${example}` };
}

function lineReason(maxCodePoints: number): Text {
  return {
    zh: `最多 ${maxCodePoints} 个字符，不含控制字符`,
    en: `must be at most ${maxCodePoints} characters without control characters`,
  };
}
