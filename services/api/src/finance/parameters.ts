import { parseReportTime } from '@points/audit/report-time';
import {
  ACCOUNT_EVENT_DATA,
  CONFIG_EVENT_DATA,
  MODEL_EVENT_DATA,
} from '@points/contracts/stored-data';
import { PRICE_LIST_EVENT_DATA } from '@points/contracts/stored-price-lists';
import { isId } from '@points/contracts/text';
import { z } from 'zod';
import { MAX_POSITION, oneOf, parameter } from '../parameters.ts';

/** Query parameters of the finance routes; like those of `parameters.ts`. */

const eventTypes = [
  ACCOUNT_EVENT_DATA,
  MODEL_EVENT_DATA,
  PRICE_LIST_EVENT_DATA,
  CONFIG_EVENT_DATA,
].flatMap((schemas) => Object.keys(schemas));
const EVENT_TYPES: ReadonlySet<string> = new Set(eventTypes);

const idReason = {
  zh: '应为 1 到 64 个 A–Z a–z 0–9 _ - 字符',
  en: 'must be 1 to 64 of A–Z a–z 0–9 _ -',
};
const positionReason = { zh: '应为十进制日志位置', en: 'must be a decimal log position' };

export const userIdFilter = parameter({
  read: (text) => (isId(text) ? text : undefined),
  absent: undefined,
  reason: idReason,
  documentation: {
    type: 'string',
    pattern: '^[A-Za-z0-9_-]{1,64}$',
    description: 'Only this account',
  },
});

export const eventType = parameter({
  read: (text) => (EVENT_TYPES.has(text) ? text : undefined),
  absent: undefined,
  reason: oneOf(eventTypes),
  documentation: { type: 'string', enum: eventTypes },
});

export const fromPosition = parameter({
  read: position,
  absent: undefined,
  reason: positionReason,
  documentation: {
    type: 'string',
    pattern: '^\\d{1,19}$',
    description:
      'Excluded: only events after this position. Give the `position` of the last line that you have, or the ' +
      '`X-Ledger-Position` of an answer that you have whole.',
  },
});

export const toPosition = parameter({
  read: position,
  absent: undefined,
  reason: positionReason,
  documentation: {
    type: 'string',
    pattern: '^\\d{1,19}$',
    description:
      'Included; default: the end of the log now. The same positions give the same bytes.',
  },
});

export const eventFormat = parameter({
  read: (text) => FORMATS.find((format) => format === text.toLowerCase()),
  absent: 'ndjson' as const,
  reason: oneOf(['ndjson', 'csv']),
  documentation: { type: 'string', enum: ['ndjson', 'csv'], default: 'ndjson' },
});

const FORMATS = ['ndjson', 'csv'] as const;

function position(text: string): bigint | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= MAX_POSITION ? value : undefined;
}

/** The account in the address. */
export const accountParams = z.object({
  userId: z
    .string()
    .superRefine((text, context) => {
      if (isId(text)) return;
      context.addIssue({ code: 'custom', message: idReason.en, params: { zh: idReason.zh } });
    })
    .describe('Account id'),
});

/** Times as the reports of the command line read them: see `parseReportTime`. Instants, all of them included. */
const timeReason = {
  zh: '应为日期或带时区的时间，例如 2026-01-31 或 2026-01-31T08:00:00+08:00',
  en: 'must be a day or a time with its zone, such as 2026-01-31 or 2026-01-31T08:00:00+08:00',
};
const timeExamples = ['2026-01-31', '2026-01-31T08:00:00+08:00', '2026-01-31T15:59:59.999Z'];

export const asOf = timeParameter(
  'end',
  'Included: this instant, with its zone, or the end of this day in Asia/Shanghai. Default: the last event',
);

export const fromTime = timeParameter(
  'start',
  'Included: from this instant, with its zone, or from the start of this day in Asia/Shanghai',
);

export const toTime = timeParameter(
  'end',
  'Included: up to this instant, with its zone, or to the end of this day in Asia/Shanghai',
);

function timeParameter(edge: 'start' | 'end', description: string) {
  return parameter({
    read: reportTime(edge),
    absent: null,
    reason: timeReason,
    documentation: { type: 'string', examples: timeExamples, description },
  });
}

function reportTime(edge: 'start' | 'end'): (text: string) => string | undefined {
  // In a query string an unescaped `+` arrives as a blank.
  return (text) => parseReportTime(text.replace(/ (?=\d\d:\d\d$)/, '+'), edge) ?? undefined;
}

export const trialBalanceBy = parameter({
  read: (text) => GROUPINGS.find((by) => by === text.toLowerCase()),
  absent: 'none' as const,
  reason: oneOf(['none', 'day', 'source']),
  documentation: { type: 'string', enum: ['none', 'day', 'source'], default: 'none' },
});

const GROUPINGS = ['none', 'day', 'source'] as const;

export const statementFormat = parameter({
  read: (text) => STATEMENT_FORMATS.find((format) => format === text.toLowerCase()),
  absent: 'json' as const,
  reason: oneOf(['json', 'csv', 'html']),
  documentation: { type: 'string', enum: ['json', 'csv', 'html'], default: 'json' },
});

const STATEMENT_FORMATS = ['json', 'csv', 'html'] as const;
