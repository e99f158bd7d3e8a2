import { mapGet } from '../persistent-map.ts';
import { DAY_MS, LAST_TIME_MS, formatTime } from '../time.ts';
import type { Account, MembershipPeriod } from './account.ts';
import type { GrantMembership, RevokeMembership } from './commands.ts';
import { type Draft, emit } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Membership at one time: the period that holds then, and when the last of those that follow on it ends. */
export interface MembershipNow extends MembershipPeriod {
  readonly lastEndsMs: number;
}

export function membershipAt(account: Account, atMs: number): MembershipNow | null {
  const now = account.memberships.find(({ startsMs, endsMs }) => startsMs <= atMs && atMs < endsMs);
  const last = account.memberships.at(-1);
  return now === undefined || last === undefined ? null : { ...now, lastEndsMs: last.endsMs };
}

/** Adds days after the present end, so that a renewal never costs a day. Once per order_no. */
export function grantMembership(command: GrantMembership, draft: Draft): Verdict {
  const known = findOrder(command.orderNo, draft);
  if (known === 'forgotten') return { outcome: 'recall' };
  if (known !== null) {
    if (known.requestHash !== command.context.requestHash)
      return refuse('source_ref_reused', { source_ref: command.orderNo });
    return { outcome: 'duplicate', revision: known.revision };
  }
  const previousEndsMs = currentEnd(draft);
  const startsMs = Math.max(draft.nowMs, previousEndsMs ?? 0);
  const endsMs = startsMs + command.durationDays * DAY_MS;
  if (!(endsMs > startsMs && endsMs <= LAST_TIME_MS))
    return refuse('invalid_argument', { field: 'duration_days' });
  expireDueBatches(draft);
  emit(draft, {
    type: 'MembershipGranted',
    data: {
      membership_type: command.membershipType,
      starts_at: formatTime(startsMs),
      ends_at: formatTime(endsMs),
      previous_ends_at: previousEndsMs === null ? null : formatTime(previousEndsMs),
      order_no: command.orderNo,
    },
  });
  return { outcome: 'done' };
}

/** Ends the membership now, with everything granted for later. */
export function revokeMembership(command: RevokeMembership, draft: Draft): Verdict {
  if (currentEnd(draft) === null) return refuse('invalid_argument', { field: 'account_id' });
  expireDueBatches(draft);
  emit(draft, {
    type: 'MembershipRevoked',
    data: {
      reason: command.reason,
      operator: command.operator,
      ended_at: formatTime(draft.nowMs),
    },
  });
  return { outcome: 'done' };
}

/** End of the last membership that has not ended; null = none. */
function currentEnd({ account, nowMs }: Draft): number | null {
  const last = account.memberships.at(-1);
  return last === undefined || last.endsMs <= nowMs ? null : last.endsMs;
}

function findOrder(orderNo: string, { account, context }: Draft) {
  const known = mapGet(account.orders, orderNo);
  if (known !== undefined) return known;
  const { sourcesForgottenThrough } = account.memory;
  if (sourcesForgottenThrough < 0) return null;
  const { recalled } = context;
  if (recalled === undefined || recalled.appliedRevision < sourcesForgottenThrough)
    return 'forgotten';
  return recalled.order;
}
