import { CHANGE_TYPE_NAMES } from '@points/contracts/display-names';
import { MOVEMENT_KINDS, type Movement } from './movement.ts';
import { shanghaiTimeOf } from './report-time.ts';
import type { BatchPart, LineKind, LinePrice, StatementLine } from './statement-line.ts';

export type ReportLanguage = 'zh' | 'en';

/** A text in both languages. */
type Words = readonly [zh: string, en: string];

const KIND_NAMES: Readonly<Record<LineKind, Words>> = {
  recharge: [CHANGE_TYPE_NAMES.recharge, 'Recharge'],
  reward: [CHANGE_TYPE_NAMES.reward, 'Reward'],
  reversal: ['充值撤销', 'Recharge reversed'],
  hold: ['预扣', 'Hold'],
  charge: [CHANGE_TYPE_NAMES.consume, 'Charge'],
  release: ['释放', 'Release'],
  expiry: [CHANGE_TYPE_NAMES.expire, 'Expiry'],
  refund: [CHANGE_TYPE_NAMES.refund, 'Refund'],
  adjustment: [CHANGE_TYPE_NAMES.admin_adjust, 'Adjustment'],
};

export function kindName(kind: LineKind, lang: ReportLanguage): string {
  return word(KIND_NAMES[kind], lang);
}

const MOVEMENT_NAMES: Readonly<Record<keyof Movement, Words>> = {
  paid: ['充值', 'paid'],
  bonus: ['赠送', 'bonus'],
  rewarded: ['奖励', 'rewarded'],
  reversed: ['充值撤销', 'reversed'],
  consumed: ['消费', 'consumed'],
  refunded: ['退款', 'refunded'],
  expired: ['过期', 'expired'],
  adjusted_up: ['调增', 'adjusted up'],
  adjusted_down: ['调减', 'adjusted down'],
  debt_incurred: ['新增欠费', 'debt incurred'],
  debt_repaid: ['偿还欠费', 'debt repaid'],
  debt_canceled: ['冲销欠费', 'debt canceled'],
  waived: ['免收', 'waived'],
  held: ['预扣变动', 'change of held'],
};

/** What a kind of movement is called in a report for people. */
export function movementName(kind: keyof Movement, lang: ReportLanguage): string {
  return word(MOVEMENT_NAMES[kind], lang);
}

/** The kinds that moved anything, with their names. */
export function movementNames(sums: Movement, lang: ReportLanguage): [string, number][] {
  return MOVEMENT_KINDS.filter((kind) => sums[kind] !== 0).map((kind) => [
    movementName(kind, lang),
    sums[kind],
  ]);
}

/** Why a line is as it is: which hold, which price, which batches, what of debt. A sentence each. */
export function lineSentences(line: StatementLine, lang: ReportLanguage): string[] {
  const say = (...words: Words) => word(words, lang);
  const sentences: string[] = [];
  const { debt_added, debt_canceled, waived, overage, released } = line;
  if (line.source_ref !== null) sentences.push(sourceSentence(line, lang));
  if (line.kind === 'release') sentences.push(releaseSentence(line.reason ?? '', lang));
  if (line.late_of !== null)
    sentences.push(
      say(
        `预扣 ${line.late_of} 过期后补扣`,
        `charged late for hold ${line.late_of}, which had expired`,
      ),
    );
  if (line.charge_mode === 'free' || line.charge_mode === 'member_free')
    sentences.push(
      line.charge_mode === 'free'
        ? say('免费使用', 'free of charge')
        : say('会员免费', 'free for members'),
    );
  const { price } = line;
  // What is free is told above; what was charged as held is told below.
  if (price !== null && price.mode !== 'free' && price.basis !== 'as_held')
    sentences.push(priceSentence(price, lang));
  if (line.requested !== null) sentences.push(chargeSentence(line, lang));
  if (line.as_failure)
    sentences.push(
      say('任务失败，该笔消费同时退回', 'the work failed: its charge is given back at once'),
    );
  if (line.kind === 'refund' && line.reason !== null && line.reason !== '')
    sentences.push(say(`原因：${line.reason}`, `reason: ${line.reason}`));
  if (overage > 0) sentences.push(say(`超出预扣 ${overage} 点`, `${overage} beyond what was held`));
  if (released > 0)
    sentences.push(say(`释放 ${released} 点`, `${released} of the held points released`));
  for (const part of line.batches) sentences.push(batchSentence(part, lang));
  if (debt_added > 0) sentences.push(say(`形成欠费 ${debt_added} 点`, `${debt_added} became debt`));
  if (debt_canceled > 0)
    sentences.push(say(`冲销欠费 ${debt_canceled} 点`, `${debt_canceled} of its debt canceled`));
  if (waived > 0) sentences.push(say(`免收 ${waived} 点`, `${waived} waived`));
  if (line.operator !== null && line.operator !== '')
    sentences.push(say(`操作人：${line.operator}`, `by ${line.operator}`));
  return sentences;
}

const BATCH_KINDS: Readonly<Record<BatchPart['kind'], Words>> = {
  paid: ['充值', 'paid'],
  bonus: ['赠送', 'bonus'],
  reward: ['奖励', 'reward'],
  grace: ['宽限', 'grace'],
  adjust: ['调整', 'adjustment'],
};

const USES: Readonly<Record<BatchPart['use'], Words>> = {
  added: ['新增', 'new'],
  pinned: ['预留', 'reserved from'],
  taken: ['扣自', 'taken from'],
  returned: ['退回', 'returned to'],
  repaid: ['偿还欠费', 'repaid debt from'],
  expired: ['过期', 'expired of'],
};

/** What became of a batch's points, with where they came from and how long they live. */
export function batchSentence(part: BatchPart, lang: ReportLanguage): string {
  const { use, batch_id, kind, points, expires_at, debt_ref, origin_batch_id } = part;
  const until =
    expires_at === null
      ? word(['永久有效', 'never expires'], lang)
      : word(['有效期至 ', 'expires '], lang) + clock(expires_at);
  const about = [until];
  if (debt_ref !== null) about.unshift(word([`欠费 ${debt_ref}`, `for ${debt_ref}`], lang));
  if (origin_batch_id !== null)
    about.unshift(
      word([`延续批次 ${origin_batch_id}`, `continues batch ${origin_batch_id}`], lang),
    );
  const name = word(BATCH_KINDS[kind], lang);
  const did = word(USES[use], lang);
  return lang === 'zh'
    ? `${did}${name}批次 ${batch_id} ${points} 点（${about.join('，')}）`
    : `${points} ${did} ${name} batch ${batch_id} (${about.join(', ')})`;
}

const ROUNDING: Readonly<Record<LinePrice['rounding'], Words>> = {
  ceil: ['向上取整', 'rounded up'],
  floor: ['向下取整', 'rounded down'],
  half_up: ['四舍五入', 'rounded half up'],
};

const MODES: Readonly<Record<LinePrice['mode'], Words>> = {
  fixed: ['固定', 'fixed'],
  duration: ['按时长', 'by duration'],
  free: ['免费', 'free'],
  amount: ['给定', 'given'],
};

/** A config's version is a hash; its beginning tells it from others, and the whole is in JSON and CSV. */
const VERSION_DIGITS = 12;

/** How the number came about: unit price × use, rounding → points, and whose price it is. */
function priceSentence(price: LinePrice, lang: ReportLanguage): string {
  const { unit_price, quantity, duration_ms, min_points, points, source } = price;
  if (price.basis === 'given')
    return word([`由调用方给定 ${points} 点`, `given by the caller: ${points}`], lang);
  const mode = word(MODES[price.mode], lang);
  const use =
    duration_ms === null
      ? String(quantity ?? 1)
      : `${duration_ms / 1_000} ${word(['秒', 's'], lang)}`;
  const least =
    min_points > 0 ? word([`，最低 ${min_points}`, `, at least ${min_points}`], lang) : '';
  const config = price.config_version.slice(0, VERSION_DIGITS);
  const version = config === '' ? '' : word([`，配置 ${config}`, `, config ${config}`], lang);
  const rounding = word(ROUNDING[price.rounding], lang);
  return lang === 'zh'
    ? `单价 ${unit_price}（${mode}）× ${use}，${rounding}${least} → ${points} 点（${source}${version}）`
    : `price ${unit_price} (${mode}) × ${use}, ${rounding}${least} → ${points} (${source}${version})`;
}

function chargeSentence(line: StatementLine, lang: ReportLanguage): string {
  const { requested, held_amount } = line;
  const charged = -line.delta;
  return word(
    [
      `预扣 ${held_amount} 点，应收 ${requested} 点，实收 ${charged} 点`,
      `held ${held_amount}, cost ${requested}, charged ${charged}`,
    ],
    lang,
  );
}

function sourceSentence(
  { kind, reason, source_ref, order_no }: StatementLine,
  lang: ReportLanguage,
) {
  const order =
    order_no === null || order_no === source_ref
      ? ''
      : word([`，订单 ${order_no}`, `, order ${order_no}`], lang);
  if (kind === 'reversal')
    return word([`撤销来源 ${source_ref}`, `takes back recharge ${source_ref}`], lang);
  return word(
    [`来源 ${reason}：${source_ref}${order}`, `from ${reason} ${source_ref}${order}`],
    lang,
  );
}

const RELEASES: Readonly<Record<string, Words>> = {
  caller: ['调用方取消', 'canceled by the caller'],
  failed: ['任务失败', 'the work failed'],
  client_abort: ['用户中断', 'the user broke off'],
  expired: ['预扣超时', 'the hold ran out of time'],
  admin: ['管理员取消', 'canceled by an admin'],
};

function releaseSentence(reason: string, lang: ReportLanguage): string {
  return word(RELEASES[reason] ?? [reason, reason], lang);
}

/** A time for people: the clock in Shanghai. */
export function clock(time: string): string {
  return shanghaiTimeOf(time).slice(0, 19).replace('T', ' ');
}

export function word([zh, en]: Words, lang: ReportLanguage): string {
  return lang === 'zh' ? zh : en;
}
