import type { Explanation, ExplainedStep, HoldOutcome, StepRole } from './explain.ts';
import { type ReportLanguage, clock, kindName, lineSentences, word } from './statement-words.ts';

const ROLES: Readonly<Record<StepRole, readonly [zh: string, en: string]>> = {
  source: ['资金来源', 'where its points came from'],
  hold: ['预扣', 'the hold'],
  extension: ['延长', 'extended'],
  charge: ['扣费', 'the charge'],
  release: ['释放', 'released'],
  refund: ['退款', 'given back'],
  repayment: ['偿还其欠费', 'repaid its debt'],
  recharge: ['充值', 'the recharge'],
  reversal: ['撤销', 'taken back'],
  use: ['使用', 'used'],
  expiry: ['过期', 'expired'],
  event: ['事件', 'the event'],
};

/** The story for a person at a terminal, in order of time, each step with its reasons. */
export function explanationText(told: Explanation, lang: ReportLanguage): string {
  const say = (zh: string, en: string) => word([zh, en], lang);
  const lines = [
    say(`${told.id}，账户 ${told.account_id}`, `${told.id} of account ${told.account_id}`),
    say(`日志读至位置 ${told.position}`, `the log was read up to position ${told.position}`),
  ];
  const { asked_by: by, outcome } = told;
  if (by !== null)
    lines.push(
      say(
        `发起：${by.actor_type} ${by.actor_id}，命令 ${by.command} ${by.command_id}，关联 ${by.correlation_id}`,
        `asked for by ${by.actor_type} ${by.actor_id}, command ${by.command} ${by.command_id}, correlation ${by.correlation_id}`,
      ),
    );
  for (const origin of told.price_origins)
    lines.push(
      say(
        `价格来自 ${origin.what}：${origin.stream} 版本 ${origin.revision}，位置 ${origin.position}，${clock(origin.at)}`,
        `the price comes from ${origin.what}, revision ${origin.revision} of ${origin.stream} at position ${origin.position}, ${clock(origin.at)}`,
      ),
    );
  if (outcome !== null)
    lines.push('net' in outcome ? holdText(outcome, lang) : numbersText(Object.entries(outcome)));
  lines.push('');
  for (const step of told.steps) lines.push(...stepText(step, lang));
  if (told.more_steps > 0)
    lines.push(say(`另有 ${told.more_steps} 步未列出`, `and ${told.more_steps} more steps`));
  return `${lines.join('\n')}\n`;
}

const STATUS: Readonly<Record<HoldOutcome['status'], readonly [zh: string, en: string]>> = {
  held: ['预扣中', 'still held'],
  confirmed: ['已扣费', 'charged'],
  canceled: ['已取消', 'canceled'],
};

function holdText(outcome: HoldOutcome, lang: ReportLanguage): string {
  const { status, reason, late, ...numbers } = outcome;
  const words = [word(STATUS[status], lang)];
  if (reason !== null) words.push(reason);
  if (late) words.push(word(['过期后补扣', 'late'], lang));
  return `${words.join(' ')}: ${numbersText(Object.entries(numbers))}`;
}

function numbersText(numbers: readonly (readonly [string, number | null])[]): string {
  return numbers.map(([name, points]) => `${name} ${points ?? '-'}`).join(', ');
}

function stepText(step: ExplainedStep, lang: ReportLanguage): string[] {
  const { role, line, time, position, expires_at } = step;
  const name = line === null ? step.event : kindName(line.kind, lang);
  const about = line?.description ?? '';
  const moved =
    line === null
      ? ''
      : `  ${line.delta > 0 ? '+' : ''}${line.delta}  ${line.balance_before} → ${line.balance_after}`;
  const what = word(ROLES[role], lang);
  const title = lang === 'zh' ? `${name}（${what}）` : `${name} (${what})`;
  const lines = [`${clock(time)}  #${position}  ${title}${moved}`];
  if (about !== '') lines.push(`    ${about.replaceAll('\n', ' ')}`);
  if (expires_at !== null)
    lines.push(`    ${word(['有效期至 ', 'expires '], lang)}${clock(expires_at)}`);
  if (line !== null)
    for (const sentence of lineSentences(line, lang)) lines.push(`    - ${sentence}`);
  return lines;
}
