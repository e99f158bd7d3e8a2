import { secondsToMs } from '@points/contracts/text';
import type { Account } from '@points/domain/account/account';
import type {
  ActualUse,
  CommandContext,
  HoldReference,
  HoldRequest,
  Refusal,
} from '@points/domain/account/commands';
import type { Request } from '@points/contracts/ledger-requests';
import { mapGet } from '@points/domain/persistent-map';
import {
  type HoldTerms,
  type PriceRequest,
  resolvePrice,
} from '@points/domain/pricing/resolve-price';
import { durableState } from './durable-state.ts';
import { consumeHoldId, lateHoldId, mintRecordId } from './ids.ts';
import { type LedgerDeps, notReady } from './ledger-deps.ts';
import { placesAt } from './recall.ts';
import { type Outcome, refused } from './reply.ts';
import { type Caller, type CommandRequest, holdIdOf, submit } from './submit-command.ts';

/** Places a hold: reserves points before the work. */
export function hold(
  body: CommandRequest<'hold'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  if (deps.prices.sources() === null) return Promise.resolve(notReady(deps));
  const recordId = mintRecordId(deps.clock.now(), deps.timers);
  return submit(
    {
      verb: 'hold',
      body,
      caller,
      hold: { holdId: body.hold_id },
      toCommand: (context) => ({
        kind: 'HoldPoints',
        context,
        hold: holdRequest(body, body.hold_id, recordId, termsOf(priceRequest(body), deps)),
      }),
    },
    deps,
  );
}

/** Charges what was used. */
export function confirm(
  body: CommandRequest<'confirm'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const reference = holdReference(body);
  const lateRecordId = mintRecordId(deps.clock.now(), deps.timers);
  return submit(
    {
      verb: 'confirm',
      body,
      caller,
      hold: reference,
      toCommand: (context, account) => ({
        kind: 'ConfirmHold',
        context,
        hold: reference,
        actual: actualUse(body),
        late: {
          // Only used when the hold is found.
          holdId: lateHoldId(holdIdOf(reference, account, context) ?? body.command_id),
          recordId: lateRecordId,
        },
        ...(body.description === undefined ? {} : { description: body.description }),
      }),
    },
    deps,
  );
}

/** Releases the points; nothing is charged. */
export function cancel(
  body: CommandRequest<'cancel'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const reference = holdReference(body);
  return submit(
    {
      verb: 'cancel',
      body,
      caller,
      hold: reference,
      toCommand: (context, account) => ({
        kind: 'CancelHold',
        context,
        hold: reference,
        reason: body.reason ?? (isOthers(reference, account, context) ? 'admin' : 'caller'),
        ...(body.note === undefined ? {} : { note: body.note }),
      }),
    },
    deps,
  );
}

/** An admin cancels a hold of somebody else. */
function isOthers(reference: HoldReference, account: Account, context: CommandContext): boolean {
  if (!context.admin) return false;
  const holdId = holdIdOf(reference, account, context);
  const open = holdId === undefined ? undefined : mapGet(account.openHolds, holdId);
  return open !== undefined && open.owner !== context.client;
}

/** Lets a hold live longer. */
export function extend(
  body: CommandRequest<'extend'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const reference = holdReference(body);
  return submit(
    {
      verb: 'extend',
      body,
      caller,
      hold: reference,
      toCommand: (context) => ({
        kind: 'ExtendHold',
        context,
        hold: reference,
        ttlMs: body.ttl_ms,
      }),
    },
    deps,
  );
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
  return submit(
    {
      verb: 'consume',
      body,
      caller,
      hold: { holdId },
      toCommand: (context) => ({
        kind: 'Consume',
        context,
        hold: holdRequest(body, holdId, recordId, termsOf(asUsed, deps)),
        actual: actualUse(body),
      }),
    },
    deps,
  );
}

/** Gives back a charge or a part of it. */
export async function refund(
  body: CommandRequest<'refund'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const reference =
    body.transaction_id === undefined
      ? holdReference(body)
      : await holdOfTransaction(body.account_id, body.transaction_id, deps);
  if (reference === null) return refused('hold_not_found');
  return submit(
    {
      verb: 'refund',
      body,
      caller,
      hold: reference,
      toCommand: (context) => ({
        kind: 'RefundCharge',
        context,
        hold: reference,
        reason: body.reason,
        ...(body.points === undefined ? {} : { points: body.points }),
        ...(body.operator === undefined ? {} : { operator: body.operator }),
      }),
    },
    deps,
  );
}

/** The hold that an event charged, by that event's id; null = there is none. Rejects with `ReadTablesError`. */
async function holdOfTransaction(
  accountId: string,
  transactionId: string,
  deps: LedgerDeps,
): Promise<HoldReference | null> {
  const { at } = await durableState(accountId, deps);
  const { hold } = await placesAt({ accountId, hold: { transactionId } }, at.revision, deps);
  return hold === null ? null : { holdId: hold.hold_id };
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

export function holdReference(body: { hold_id?: string; record_id?: number }): HoldReference {
  if (body.hold_id !== undefined) return { holdId: body.hold_id };
  if (body.record_id !== undefined) return { recordId: body.record_id };
  throw new Error('a request without hold_id and record_id passed its schema');
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : secondsToMs(seconds);
}
