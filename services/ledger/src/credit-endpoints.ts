import type { Expiry } from '@points/domain/account/commands';
import type { LedgerDeps } from './ledger-deps.ts';
import type { Outcome } from './reply.ts';
import { type Caller, type CommandRequest, submit } from './submit-command.ts';

/** Credits points that were paid for, with a bonus. */
export function recharge(
  body: CommandRequest<'recharge'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  return submit(
    {
      verb: 'recharge',
      body,
      caller,
      sourceRef: body.source_ref,
      toCommand: (context) => ({
        kind: 'Recharge',
        context,
        source: body.source,
        sourceRef: body.source_ref,
        points: body.points,
        bonusPoints: body.bonus_points ?? 0,
        expiry: expiryOf(body, deps),
        description: body.description ?? '',
        ...(body.order_no === undefined ? {} : { orderNo: body.order_no }),
      }),
    },
    deps,
  );
}

/** Gives points for nothing. */
export function reward(
  body: CommandRequest<'reward'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  return submit(
    {
      verb: 'reward',
      body,
      caller,
      sourceRef: body.source_ref,
      toCommand: (context) => ({
        kind: 'Recharge',
        context,
        source: 'reward',
        sourceRef: body.source_ref,
        points: body.points,
        bonusPoints: 0,
        expiry: expiryOf(body, deps),
        description: body.description ?? '',
      }),
    },
    deps,
  );
}

/** Takes a recharge or a reward back. */
export function reverseRecharge(
  body: CommandRequest<'reverse_recharge'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { reason, operator, source_ref: sourceRef } = body;
  return submit(
    {
      verb: 'reverse_recharge',
      body,
      caller,
      sourceRef,
      toCommand: (context) => ({ kind: 'ReverseRecharge', context, sourceRef, reason, operator }),
    },
    deps,
  );
}

/** A correction by a person. */
export function adjust(
  body: CommandRequest<'adjust'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { delta, reason, operator, forced = false } = body;
  return submit(
    {
      verb: 'adjust',
      body,
      caller,
      toCommand: (context) => ({ kind: 'Adjust', context, delta, reason, operator, forced }),
    },
    deps,
  );
}

/** Refuses new holds and consumes from now on. */
export function freeze(
  body: CommandRequest<'freeze'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { reason, operator } = body;
  return submit(
    {
      verb: 'freeze',
      body,
      caller,
      toCommand: (context) => ({ kind: 'Freeze', context, reason, operator }),
    },
    deps,
  );
}

export function unfreeze(
  body: CommandRequest<'unfreeze'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { reason, operator } = body;
  return submit(
    {
      verb: 'unfreeze',
      body,
      caller,
      toCommand: (context) => ({ kind: 'Unfreeze', context, reason, operator }),
    },
    deps,
  );
}

/** Adds days of membership after the present ones. */
export function grantMembership(
  body: CommandRequest<'grant_membership'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  return submit(
    {
      verb: 'grant_membership',
      body,
      caller,
      orderNo: body.order_no,
      toCommand: (context) => ({
        kind: 'GrantMembership',
        context,
        membershipType: body.membership_type,
        durationDays: body.duration_days,
        orderNo: body.order_no,
      }),
    },
    deps,
  );
}

/** Ends the membership now. */
export function revokeMembership(
  body: CommandRequest<'revoke_membership'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { reason, operator } = body;
  return submit(
    {
      verb: 'revoke_membership',
      body,
      caller,
      toCommand: (context) => ({ kind: 'RevokeMembership', context, reason, operator }),
    },
    deps,
  );
}

const DEFAULT_VALIDITY_DAYS = 365;

function expiryOf(
  body: { readonly expires_at?: string | null; readonly validity_days?: number },
  deps: LedgerDeps,
): Expiry {
  if (body.expires_at === null) return { kind: 'never' };
  if (body.expires_at !== undefined) return { kind: 'at', atMs: Date.parse(body.expires_at) };
  return { kind: 'days', days: body.validity_days ?? defaultValidityDays(deps) };
}

/** Life of points that come without an end. */
export function defaultValidityDays(deps: LedgerDeps): number {
  return deps.prices.config()?.config.expiry.default_days ?? DEFAULT_VALIDITY_DAYS;
}
