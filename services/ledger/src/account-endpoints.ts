import type { Request } from '@points/contracts/ledger-requests';
import { accountStream } from '@points/contracts/streams';
import { secondsToMs } from '@points/contracts/text';
import type { Account } from '@points/domain/account/account';
import type {
  AccountCommand,
  ActualUse,
  CommandContext,
  Expiry,
  HoldReference,
  HoldRequest,
  Refusal,
} from '@points/domain/account/commands';
import { type Decision, decide } from '@points/domain/account/decide';
import { mapGet } from '@points/domain/persistent-map';
import {
  type HoldTerms,
  type PriceRequest,
  resolvePrice,
} from '@points/domain/pricing/resolve-price';
import type { Judge, Judgement, Placed } from '@points/event-store/lanes';
import { type Cause, toDraft } from './account-fold.ts';
import { type AccountVerb, appliedBy, readCommand, resultOf } from './account-results.ts';
import { type LedgerDeps, limitsOf, notReady } from './ledger-deps.ts';
import { consumeHoldId, lateHoldId, mintRecordId } from './ids.ts';
import { type Outcome, refused } from './reply.ts';
import { requestHash } from './request-hash.ts';

/** Who asks, and what belongs to every command beside its body. */
export interface Caller {
  readonly client: string;
  readonly correlationId: string | null;
  /** When the command was stored on its way, by the store's clock; null = it came at once. */
  readonly receivedMs: number | null;
}

type CommandRequest<Verb extends AccountVerb> = Request<`cmd.${Verb}`>;

/** Places a hold: reserves points before the work. */
export function hold(
  body: CommandRequest<'hold'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  if (deps.prices.sources() === null) return Promise.resolve(notReady(deps));
  const recordId = mintRecordId(deps.clock.now(), deps.timers);
  return submit('hold', body, caller, deps, { holdId: body.hold_id }, (context) => ({
    kind: 'HoldPoints',
    context,
    hold: holdRequest(body, body.hold_id, recordId, termsOf(priceRequest(body), deps)),
  }));
}

/** Charges what was used. */
export function confirm(
  body: CommandRequest<'confirm'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const reference = holdReference(body);
  const lateRecordId = mintRecordId(deps.clock.now(), deps.timers);
  return submit('confirm', body, caller, deps, reference, (context, account) => ({
    kind: 'ConfirmHold',
    context,
    hold: reference,
    actual: actualUse(body),
    late: {
      // Only used when the hold is found.
      holdId: lateHoldId(holdIdOf(reference, account) ?? body.command_id),
      recordId: lateRecordId,
    },
    ...(body.description === undefined ? {} : { description: body.description }),
  }));
}

/** Releases the points; nothing is charged. */
export function cancel(
  body: CommandRequest<'cancel'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const reference = holdReference(body);
  return submit('cancel', body, caller, deps, reference, (context) => ({
    kind: 'CancelHold',
    context,
    hold: reference,
    reason: body.reason ?? 'caller',
    ...(body.note === undefined ? {} : { note: body.note }),
  }));
}

/** Hold and confirm at once. What is known to have been used is also the estimate when none is given. */
export function consume(
  body: CommandRequest<'consume'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  if (deps.prices.sources() === null) return Promise.resolve(notReady(deps));
  const recordId = mintRecordId(deps.clock.now(), deps.timers);
  const holdId = body.hold_id ?? consumeHoldId(body.command_id);
  const price = priceRequest(body);
  const asUsed: PriceRequest = {
    ...price,
    quantity: price.quantity ?? body.actual_quantity,
    estimatedDurationMs: price.estimatedDurationMs ?? milliseconds(body.actual_duration),
  };
  return submit('consume', body, caller, deps, { holdId }, (context) => ({
    kind: 'Consume',
    context,
    hold: holdRequest(body, holdId, recordId, termsOf(asUsed, deps)),
    actual: actualUse(body),
  }));
}

/** Credits points. */
export function recharge(
  body: CommandRequest<'recharge'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  return submit('recharge', body, caller, deps, null, (context) => ({
    kind: 'Recharge',
    context,
    source: body.source,
    sourceRef: body.source_ref,
    points: body.points,
    bonusPoints: body.bonus_points ?? 0,
    expiry: expiryOf(body, deps),
    description: body.description ?? '',
    ...(body.order_no === undefined ? {} : { orderNo: body.order_no }),
  }));
}

/** What a lane answers; a duplicate's events are read outside of the lane. */
type LaneAnswer =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'duplicate'; readonly revision: number; readonly account: Account };

async function submit<Verb extends AccountVerb>(
  verb: Verb,
  body: CommandRequest<Verb>,
  caller: Caller,
  deps: LedgerDeps,
  hold: HoldReference | null,
  toCommand: (context: CommandContext, account: Account) => AccountCommand,
): Promise<Outcome> {
  const stream = accountStream(body.account_id);
  const context = contextOf(body.command_id, requestHash(caller.client, verb, body), caller, deps);
  const judge: Judge<Account, LaneAnswer> = (account) =>
    judgeCommand(verb, toCommand(context, account), account, caller, hold);
  const answer = await deps.lanes.submit(stream, body.command_id, judge);
  if (answer.kind === 'outcome') return answer.outcome;
  const first = await readCommand(deps.log, stream, answer.revision);
  const result = resultOf(verb, first.events, answer.account, holdIdOf(hold, answer.account));
  return { ok: true, result, duplicate: true, ...appliedBy(first), atMs: first.atMs };
}

function judgeCommand(
  verb: AccountVerb,
  command: AccountCommand,
  account: Account,
  caller: Caller,
  hold: HoldReference | null,
): Judgement<Account, LaneAnswer> {
  const decision = decide(command, account);
  switch (decision.outcome) {
    case 'refused': {
      const { code, details } = decision.refusal;
      return {
        kind: 'answer',
        needsTail: true,
        answer: () => ({ kind: 'outcome', outcome: refused(code, details) }),
      };
    }
    case 'duplicate':
      return {
        kind: 'answer',
        needsTail: false,
        answer: () => ({ kind: 'duplicate', revision: decision.revision, account }),
      };
    case 'accepted': {
      const cause: Cause = {
        commandName: verb,
        actorType: 'client',
        actorId: caller.client,
        correlationId: caller.correlationId ?? command.context.commandId,
      };
      return {
        kind: 'append',
        drafts: decision.events.map((event) => toDraft(event, cause)),
        state: decision.account,
        answer: (placed) => ({
          kind: 'outcome',
          outcome: firstAnswer(verb, decision, placed, hold),
        }),
      };
    }
    case 'recall':
      return {
        kind: 'answer',
        needsTail: false,
        answer: () => ({ kind: 'outcome', outcome: refused('store_unavailable') }),
      };
    default:
      return decision satisfies never;
  }
}

/** Made from the same events and by the same code as a repeated answer. */
function firstAnswer(
  verb: AccountVerb,
  decision: Decision & { outcome: 'accepted' },
  placed: Placed,
  hold: HoldReference | null,
): Outcome {
  const events = decision.events.map(({ event }, index) => ({
    id: placed.events[index]?.id ?? '',
    event,
  }));
  const lastRevision = placed.firstRevision + events.length - 1;
  return {
    ok: true,
    result: resultOf(verb, events, decision.account, holdIdOf(hold, decision.account)),
    duplicate: false,
    ...appliedBy({ events, lastRevision, position: placed.position }),
    atMs: decision.account.lastEventMs,
  };
}

function contextOf(
  commandId: string,
  hash: string,
  caller: Caller,
  deps: LedgerDeps,
): CommandContext {
  const nowMs = deps.clock.now();
  return {
    commandId,
    requestHash: hash,
    client: caller.client,
    admin: deps.admins.has(caller.client),
    nowMs,
    receivedMs: caller.receivedMs ?? nowMs,
    watermarkMs: deps.watermarkMs(),
    limits: limitsOf(deps),
  };
}

function holdRequest(
  body: CommandRequest<'hold'> | CommandRequest<'consume'>,
  holdId: string,
  recordId: number,
  terms: HoldTerms | Refusal,
): HoldRequest {
  const estimatedDurationMs = milliseconds(body.estimated_duration);
  return {
    holdId,
    recordId,
    terms,
    metadata: body.metadata ?? {},
    ...(body.ttl_ms === undefined ? {} : { ttlMs: body.ttl_ms }),
    ...(body.max_amount === undefined ? {} : { maxAmount: body.max_amount }),
    ...(body.source_type === undefined ? {} : { sourceType: body.source_type }),
    ...(body.model === undefined ? {} : { model: body.model }),
    ...(body.biz_type === undefined ? {} : { bizType: body.biz_type }),
    ...(body.biz_id === undefined ? {} : { bizId: body.biz_id }),
    ...(body.quantity === undefined ? {} : { quantity: body.quantity }),
    ...(estimatedDurationMs === undefined ? {} : { estimatedDurationMs }),
    ...(body.description === undefined ? {} : { description: body.description }),
  };
}

type PricingFields = Request<'qry.price'> & {
  readonly overage?: PriceRequest['overage'];
  readonly metadata?: PriceRequest['metadata'];
};

/** The fields that name a price, as the domain takes them. */
export function priceRequest(body: PricingFields): PriceRequest {
  return {
    amount: body.amount,
    sourceType: body.source_type,
    model: body.model,
    platform: body.platform,
    modelType: body.model_type,
    quantity: body.quantity,
    estimatedDurationMs: milliseconds(body.estimated_duration),
    overage: body.overage,
    metadata: body.metadata ?? {},
  };
}

/** The price in force now; called again each time the command is decided. */
export function termsOf(request: PriceRequest, deps: LedgerDeps): HoldTerms | Refusal {
  const sources = deps.prices.sources();
  return sources === null ? { code: 'price_not_found' } : resolvePrice(request, sources);
}

function actualUse(body: {
  actual_amount?: number;
  actual_quantity?: number;
  actual_duration?: number;
}): ActualUse {
  if (body.actual_amount !== undefined) return { kind: 'points', points: body.actual_amount };
  if (body.actual_quantity !== undefined)
    return { kind: 'quantity', quantity: body.actual_quantity };
  if (body.actual_duration !== undefined)
    return { kind: 'duration', durationMs: secondsToMs(body.actual_duration) };
  return { kind: 'as_held' };
}

function expiryOf(body: CommandRequest<'recharge'>, deps: LedgerDeps): Expiry {
  if (body.expires_at === null) return { kind: 'never' };
  if (body.expires_at !== undefined) return { kind: 'at', atMs: Date.parse(body.expires_at) };
  const days =
    body.validity_days ??
    deps.prices.sources()?.config.expiry.default_days ??
    DEFAULT_VALIDITY_DAYS;
  return { kind: 'days', days };
}

const DEFAULT_VALIDITY_DAYS = 365;

function holdReference(body: { hold_id?: string; record_id?: number }): HoldReference {
  if (body.hold_id !== undefined) return { holdId: body.hold_id };
  if (body.record_id !== undefined) return { recordId: body.record_id };
  throw new Error('a request without hold_id and record_id passed its schema');
}

function holdIdOf(hold: HoldReference | null, account: Account): string | undefined {
  if (hold === null) return undefined;
  return 'holdId' in hold ? hold.holdId : mapGet(account.recordIds, hold.recordId);
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : secondsToMs(seconds);
}
