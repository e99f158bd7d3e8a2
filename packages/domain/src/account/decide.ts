import { mapGet } from '../persistent-map.ts';
import { uuidV7Time } from '../time.ts';
import type { Account, FirstAnswer } from './account.ts';
import type { AccountCommand, CommandContext, Refusal } from './commands.ts';
import { type Draft, beginDraft } from './draft.ts';
import type { RecordedAccountEvent } from './events.ts';
import { cancelOverdueHolds, expireDueBatches } from './expire.ts';
import { judgeIdTime } from './id-time.ts';
import { type Verdict, refuse } from './verdict.ts';
import { adjust } from './adjust.ts';
import { cancelHold } from './cancel-hold.ts';
import { confirmHold } from './confirm-hold.ts';
import { extendHold } from './extend-hold.ts';
import { recall } from './find-hold.ts';
import { freeze } from './freeze.ts';
import { consume, holdPoints } from './hold-points.ts';
import { grantMembership, revokeMembership } from './membership.ts';
import { mayBeForgotten } from './memory.ts';
import { recharge } from './recharge.ts';
import { refundCharge } from './refund-charge.ts';
import { reverseRecharge } from './reverse-recharge.ts';

export type Decision =
  /** Append these, in order, in one append; none at all when there was nothing to do. */
  | {
      readonly outcome: 'accepted';
      readonly events: readonly RecordedAccountEvent[];
      readonly account: Account;
    }
  /** Answered before: rebuild the answer from the command whose first event is at this revision. */
  | { readonly outcome: 'duplicate'; readonly revision: number }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  /**
   * The command names an id that the account may have forgotten: look up all its ids in the log and decide again with
   * what was found as `context.recalled`.
   */
  | { readonly outcome: 'recall' };

/**
 * Decides one command on one account. Pure and total: the same command on the same state gives the same decision, and
 * every input gives one. Order of checks: ids → duplicate → frozen → limits → price → points.
 *
 * `account` of an accepted decision is the state after its events.
 */
export function decide(command: AccountCommand, account: Account): Decision {
  const { context } = command;
  const idTime = judgeIdTime(context.commandId, context.receivedMs);
  if (idTime === 'in_future') return refuse('id_in_future', { field: 'command_id' });
  if (idTime === 'too_old') return refuse('command_too_old');
  const draft = beginDraft(account, context);
  const known = findCommand(draft);
  if (known === 'forgotten') return { outcome: 'recall' };
  if (known !== null) return repeat(known, context);
  const verdict = carryOut(command, draft);
  switch (verdict.outcome) {
    case 'done':
      return { outcome: 'accepted', events: draft.events, account: draft.account };
    case 'duplicate':
      return verdict;
    case 'refused':
      return verdict;
    case 'recall':
      return verdict;
    default:
      return verdict satisfies never;
  }
}

function carryOut(command: AccountCommand, draft: Draft): Verdict {
  switch (command.kind) {
    case 'Recharge':
      return recharge(command, draft);
    case 'ReverseRecharge':
      return reverseRecharge(command, draft);
    case 'HoldPoints':
      return holdPoints(command, draft);
    case 'ConfirmHold':
      return confirmHold(command, draft);
    case 'CancelHold':
      return cancelHold(command, draft);
    case 'ExtendHold':
      return extendHold(command, draft);
    case 'Consume':
      return consume(command, draft);
    case 'RefundCharge':
      return refundCharge(command, draft);
    case 'Adjust':
      return adjust(command, draft);
    case 'Freeze':
    case 'Unfreeze':
      return freeze(command, draft);
    case 'GrantMembership':
      return grantMembership(command, draft);
    case 'RevokeMembership':
      return revokeMembership(command, draft);
    case 'ExpireDue':
      expireDueBatches(draft);
      cancelOverdueHolds(draft);
      return { outcome: 'done' };
    default:
      return command satisfies never;
  }
}

/** The first answer to the command's id; null = it is new. */
function findCommand(draft: Draft): FirstAnswer | null | 'forgotten' {
  const { account, context } = draft;
  const known = mapGet(account.commands, context.commandId);
  if (known !== undefined) return known;
  if (!mayBeForgotten(account.memory, uuidV7Time(context.commandId))) return null;
  const recalled = recall(draft);
  return recalled === null ? 'forgotten' : recalled.command;
}

function repeat(known: FirstAnswer, context: CommandContext): Decision {
  if (known.requestHash === context.requestHash)
    return { outcome: 'duplicate', revision: known.revision };
  return refuse('command_id_reused');
}
