import type { HoldPrice } from '@points/domain/account/events';
import { type AccountEvents, type HistoryStep, accountHistory } from './account-history.ts';
import { type PriceOrigin, type ReadStream, priceOrigins } from './explain-price.ts';
import type { Subject } from './explain-subject.ts';
import { type StatementLine, createLineMaker } from './statement-line.ts';

/** What an event has to do with what is explained. */
export type StepRole =
  /** It made a batch that paid. */
  | 'source'
  | 'hold'
  | 'extension'
  | 'charge'
  | 'release'
  | 'refund'
  /** It repaid the debt of a charge. */
  | 'repayment'
  | 'recharge'
  | 'reversal'
  /** It used points of the recharge. */
  | 'use'
  | 'expiry'
  | 'event';

export interface ExplainedStep {
  readonly role: StepRole;
  readonly time: string;
  readonly event: string;
  readonly revision: number;
  readonly position: string;
  /** Null when it moved nothing. */
  readonly line: StatementLine | null;
  /** Of an extension. */
  readonly expires_at: string | null;
}

/** The causal story of a charge or a recharge, oldest first. Points; times ISO-8601 UTC; positions decimal. */
export interface Explanation {
  readonly report: 'explain';
  readonly id: string;
  readonly account_id: string;
  /** Where the log was pinned. */
  readonly position: string | null;
  readonly subject: Subject;
  /** Of a hold. */
  readonly asked_by: AskedBy | null;
  readonly price: HoldPrice | null;
  readonly price_origins: readonly PriceOrigin[];
  readonly outcome: HoldOutcome | RechargeOutcome | null;
  readonly steps: readonly ExplainedStep[];
  /** Steps beyond the first 1,000, which are counted in the outcome and not told. */
  readonly more_steps: number;
}

export interface AskedBy {
  readonly actor_type: string;
  readonly actor_id: string;
  readonly owner: string;
  readonly command: string;
  readonly command_id: string;
  readonly correlation_id: string;
  readonly causation_id: string;
}

export interface HoldOutcome {
  readonly status: 'held' | 'confirmed' | 'canceled';
  /** Of a canceled hold. */
  readonly reason: string | null;
  readonly late: boolean;
  readonly held: number;
  readonly requested: number | null;
  readonly charged: number;
  readonly refunded: number;
  /** charged − refunded */
  readonly net: number;
  readonly waived: number;
  readonly debt_added: number;
  readonly debt_repaid: number;
  readonly debt_canceled: number;
  readonly debt_left: number;
}

export interface RechargeOutcome {
  readonly credited: number;
  readonly used: number;
  readonly repaid_debt: number;
  readonly returned: number;
  readonly expired: number;
  readonly reversed: number;
}

export interface ExplainRequest {
  /** As it was asked for. */
  readonly id: string;
  readonly position: bigint | null;
  readonly subject: Subject;
  /** The streams of prices, up to the pin. */
  readonly readStream: ReadStream;
}

const MAX_STEPS = 1_000;

/**
 * Tells everything that led to a charge and came of it: who asked, the price and where it came from, the batches that
 * paid and where those came from, the arithmetic of the confirm, refunds, repayments of its debt, a late confirm, a
 * failure. Of a recharge: what its batches paid for.
 *
 * `events` are all of the account's, up to the pin. Throws BrokenHistoryError when they cannot be right.
 */
export async function explain(
  accountId: string,
  events: AccountEvents,
  { id, position, subject, readStream }: ExplainRequest,
): Promise<Explanation> {
  const lines = createLineMaker();
  const makers = new Map<string, ExplainedStep>();
  const story = openStory(subject);
  for await (const step of accountHistory(accountId, events)) {
    const line = lines.next(step);
    if (line !== null) rememberMakers(makers, line);
    story.add(step, line);
  }
  const { placed } = story;
  const price = placed?.price ?? null;
  const steps = withSources(story.steps, subject, makers);
  return {
    report: 'explain',
    id,
    account_id: accountId,
    position: position === null ? null : String(position),
    subject,
    asked_by: story.askedBy,
    price,
    price_origins:
      price === null || placed === null
        ? []
        : await priceOrigins(price, placed.position, readStream),
    outcome: story.outcome(),
    steps: steps.slice(0, MAX_STEPS),
    more_steps: Math.max(0, steps.length - MAX_STEPS) + story.untold,
  };
}

/** Which event made each batch; recharges are few beside the uses of their points. */
function rememberMakers(makers: Map<string, ExplainedStep>, line: StatementLine): void {
  for (const { use, batch_id } of line.batches)
    if (!makers.has(batch_id) && (use === 'added' || use === 'returned'))
      makers.set(batch_id, stepOf('source', line));
}

interface Story {
  readonly steps: ExplainedStep[];
  /** Steps that there was no room for. */
  untold: number;
  placed: { readonly price: HoldPrice; readonly position: bigint } | null;
  askedBy: AskedBy | null;
  add(step: HistoryStep, line: StatementLine | null): void;
  outcome(): HoldOutcome | RechargeOutcome | null;
}

function openStory(subject: Subject): Story {
  if (subject.kind === 'hold') return holdStory(subject.hold_id);
  return subject.kind === 'recharge'
    ? rechargeStory(subject.source_ref)
    : eventStory(subject.revision);
}

function keep(story: Pick<Story, 'steps' | 'untold'>, step: ExplainedStep): void {
  if (story.steps.length < MAX_STEPS) story.steps.push(step);
  else story.untold += 1;
}

function holdStory(holdId: string): Story {
  // A late confirm stands in another hold; both are one story.
  const holdIds = new Set([holdId]);
  const sums = { held: 0, charged: 0, refunded: 0, waived: 0 };
  const debt = { added: 0, repaid: 0, canceled: 0 };
  let status: HoldOutcome['status'] = 'held';
  let reason: string | null = null;
  let requested: number | null = null;
  let late = false;
  const story: Story = {
    steps: [],
    untold: 0,
    placed: null,
    askedBy: null,
    add(step, line) {
      const { event, stored } = step;
      if (event.type === 'PointsHeld') {
        const { hold_id, late_of } = event.data;
        if (late_of !== undefined && holdIds.has(late_of)) holdIds.add(hold_id);
        if (holdIds.has(hold_id)) {
          story.placed ??= { price: event.data.price, position: stored.position };
          story.askedBy ??= askedBy(step, event.data.owner);
          sums.held = event.data.amount;
          status = 'held';
          late = late_of !== undefined;
        }
      }
      if (event.type === 'HoldExtended' && holdIds.has(event.data.hold_id))
        keep(story, extensionOf(step));
      if (line === null) {
        // A hold that was canceled before it ever came.
        if (event.type === 'HoldCanceled' && holdIds.has(event.data.hold_id)) {
          status = 'canceled';
          reason = event.data.reason;
          keep(story, bareStep('release', step));
        }
        return;
      }
      const repaid = line.batches.reduce(
        (sum, { use, debt_ref, points }) =>
          use === 'repaid' && debt_ref !== null && holdIds.has(debt_ref) ? sum + points : sum,
        0,
      );
      debt.repaid += repaid;
      if (line.hold_id === null || !holdIds.has(line.hold_id)) {
        if (repaid > 0) keep(story, stepOf('repayment', line));
        return;
      }
      keep(story, stepOf(roleOf(line), line));
      if (event.type === 'HoldConfirmed') {
        status = 'confirmed';
        requested = event.data.requested_amount;
        sums.charged = event.data.actual_amount;
        sums.waived = event.data.waived;
        debt.added = event.data.debt_added;
      } else if (event.type === 'HoldCanceled') {
        status = 'canceled';
        reason = event.data.reason;
      } else if (event.type === 'PointsRefunded') {
        sums.refunded += event.data.points;
        debt.canceled += event.data.debt_canceled;
        if (event.data.as_failure) {
          status = 'canceled';
          reason = 'failed';
        }
      }
    },
    outcome: () => ({
      status,
      reason: status === 'canceled' ? reason : null,
      late,
      held: sums.held,
      requested,
      charged: sums.charged,
      refunded: sums.refunded,
      net: sums.charged - sums.refunded,
      waived: sums.waived,
      debt_added: debt.added,
      debt_repaid: debt.repaid,
      debt_canceled: debt.canceled,
      debt_left: debt.added - debt.repaid - debt.canceled,
    }),
  };
  return story;
}

function rechargeStory(sourceRef: string): Story {
  const sums = { credited: 0, used: 0, repaid_debt: 0, returned: 0, expired: 0, reversed: 0 };
  const story: Story = {
    steps: [],
    untold: 0,
    placed: null,
    askedBy: null,
    add(step, line) {
      if (line === null) return;
      const isOwn = line.source_ref === sourceRef;
      if (isOwn && step.event.type === 'PointsRecharged') {
        story.askedBy ??= askedBy(step, line.actor_id);
        for (const { points } of step.event.data.batches) sums.credited += points;
      }
      let concerns = false;
      for (const { use, points, source_ref } of line.batches) {
        if (source_ref !== sourceRef || use === 'pinned') continue;
        concerns = true;
        if (use === 'repaid') sums.repaid_debt += points;
        else if (use === 'returned') sums.returned += points;
        else if (use === 'expired') sums.expired += points;
        else if (use === 'taken' && line.kind === 'reversal') sums.reversed += points;
        else if (use === 'taken') sums.used += points;
      }
      if (isOwn) keep(story, stepOf(line.kind === 'reversal' ? 'reversal' : 'recharge', line));
      else if (concerns) keep(story, stepOf(line.kind === 'expiry' ? 'expiry' : 'use', line));
    },
    outcome: () => sums,
  };
  return story;
}

function eventStory(revision: number): Story {
  let debtRef: string | null = null;
  const story: Story = {
    steps: [],
    untold: 0,
    placed: null,
    askedBy: null,
    add(step, line) {
      if (step.stored.revision === revision) {
        story.askedBy = askedBy(step, step.stored.metadata['actor_id'] ?? '');
        if (step.event.type === 'PointsAdjusted') debtRef = step.event.data.debt_ref;
        keep(story, line === null ? bareStep('event', step) : stepOf('event', line));
        return;
      }
      if (debtRef === null || line === null) return;
      if (line.batches.some(({ debt_ref }) => debt_ref === debtRef))
        keep(story, stepOf('repayment', line));
    },
    outcome: () => null,
  };
  return story;
}

/** Puts what made the batches that paid before the story; grace batches lead back to the batch they continue. */
function withSources(
  steps: readonly ExplainedStep[],
  subject: Subject,
  makers: ReadonlyMap<string, ExplainedStep>,
): ExplainedStep[] {
  if (subject.kind === 'recharge') return [...steps];
  const told = new Set(steps.map(({ revision }) => revision));
  const sources = new Map<number, ExplainedStep>();
  const wanted = steps.flatMap(({ role, line }) => (role === 'source' ? [] : wantedOf(role, line)));
  for (let batchId = wanted.pop(); batchId !== undefined; batchId = wanted.pop()) {
    const maker = makers.get(batchId);
    if (maker === undefined || told.has(maker.revision)) continue;
    if (sources.has(maker.revision)) continue;
    sources.set(maker.revision, maker);
    for (const part of maker.line?.batches ?? [])
      if (part.origin_batch_id !== null) wanted.push(part.origin_batch_id);
  }
  return [...sources.values(), ...steps].toSorted((a, b) => a.revision - b.revision);
}

function wantedOf(role: StepRole, line: StatementLine | null): string[] {
  // A repayment may repay other debts too, from batches that are no part of this story.
  if (line === null || role === 'repayment') return [];
  return line.batches.map(({ batch_id }) => batch_id);
}

function roleOf({ kind }: StatementLine): StepRole {
  return kind === 'hold' || kind === 'charge' || kind === 'release' || kind === 'refund'
    ? kind
    : 'event';
}

function stepOf(role: StepRole, line: StatementLine): ExplainedStep {
  const { time, event, revision, position } = line;
  return { role, time, event, revision, position, line, expires_at: null };
}

function bareStep(role: StepRole, { event, context, stored }: HistoryStep): ExplainedStep {
  return {
    role,
    time: context.occurred_at,
    event: event.type,
    revision: stored.revision,
    position: String(stored.position),
    line: null,
    expires_at: null,
  };
}

function extensionOf(step: HistoryStep): ExplainedStep {
  const expires_at = step.event.type === 'HoldExtended' ? step.event.data.expires_at : null;
  return { ...bareStep('extension', step), expires_at };
}

function askedBy({ stored, context }: HistoryStep, owner: string): AskedBy {
  const { metadata } = stored;
  return {
    actor_type: metadata['actor_type'] ?? '',
    actor_id: metadata['actor_id'] ?? '',
    owner,
    command: metadata['command'] ?? '',
    command_id: context.command_id,
    correlation_id: metadata['$correlationId'] ?? '',
    causation_id: metadata['$causationId'] ?? '',
  };
}
