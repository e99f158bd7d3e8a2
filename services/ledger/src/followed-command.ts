import { type LedgerEventType, encodeMetadata } from '@points/contracts/stored-events';
import type { Result } from '@points/contracts/ledger-replies';
import type { FirstAnswer } from '@points/domain/account/account';
import type { Refusal } from '@points/domain/account/commands';
import { judgeIdTime } from '@points/domain/account/id-time';
import type { AppendResult } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { toJson } from './account-fold.ts';
import { type LedgerDeps, notReady } from './ledger-deps.ts';
import { type Outcome, refused } from './reply.ts';
import type { Caller } from './submit-command.ts';

/** A command to what every replica follows from the log: the catalog and the price lists. */
export interface FollowedCommand {
  readonly verb: string;
  readonly stream: string;
  readonly commandId: string;
  readonly requestHash: string;
  /** Decides on the followed state; called again after a conflict. */
  decide(): FollowedDecision;
  /** Revision of the stream's last event in the followed state; −1 = none. */
  revision(): number;
  /** The result as it stood right after the event at that revision, and that event's place. */
  resultAt(revision: number): Promise<ResultInLog>;
}

export type FollowedDecision =
  | {
      readonly outcome: 'accepted';
      readonly event: { readonly type: LedgerEventType; readonly data: object };
    }
  | { readonly outcome: 'duplicate'; readonly answer: FirstAnswer }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

export interface ResultInLog {
  readonly result: Result;
  readonly position: bigint | null;
  readonly atMs: number;
}

/** Decisions of one command: first try, and again after each conflict with another replica. */
const ATTEMPTS_MAX = 5;

/**
 * Carries out such a command, one after another in this process. Before a refusal, and after an append, the log is read
 * on to its end: the answer is never older than the log, and the next request on this replica sees the change.
 */
export function changeFollowed(
  command: FollowedCommand,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  return deps.catalogTurn(() => changeInTurn(command, caller, deps));
}

async function changeInTurn(
  command: FollowedCommand,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  if (!deps.prices.hasRead()) return notReady(deps);
  const idTime = judgeIdTime(command.commandId, deps.clock.now());
  if (idTime === 'in_future') return refused('id_in_future', { field: 'command_id' });
  if (idTime === 'too_old') return refused('command_too_old');
  let fresh = false;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    // Of the very state that is decided on: while the store is asked, the followed one moves on.
    const decidedOn = command.revision();
    const decision = command.decide();
    if (decision.outcome === 'duplicate') {
      const past = await command.resultAt(decision.answer.revision);
      return { ok: true, ...past, duplicate: true };
    }
    if (decision.outcome === 'refused' && fresh)
      return refused(decision.refusal.code, decision.refusal.details);
    if (decision.outcome === 'accepted') {
      const appended = await append(command, decision.event, decidedOn, caller, deps);
      if (appended.outcome === 'appended') {
        await deps.prices.refresh();
        const written = await command.resultAt(appended.revision);
        return { ok: true, ...written, position: appended.position, duplicate: false };
      }
    }
    await deps.prices.refresh();
    fresh = true;
  }
  return refused('contention');
}

async function append(
  command: FollowedCommand,
  event: { readonly type: LedgerEventType; readonly data: object },
  known: number,
  caller: Caller,
  deps: LedgerDeps,
): Promise<AppendResult> {
  const { stream, commandId } = command;
  const last = await deps.log.readLast(stream);
  if ((last?.revision ?? -1) !== known) return { outcome: 'conflict' };
  const metadata = encodeMetadata({
    eventType: event.type,
    context: {
      command_id: commandId,
      request_hash: command.requestHash,
      index: 0,
      occurred_at: new Date(deps.clock.now()).toISOString(),
    },
    commandName: command.verb,
    actorType: 'client',
    actorId: caller.client,
    correlationId: caller.correlationId ?? commandId,
    causationId: commandId,
  });
  const draft = { type: event.type, data: toJson(event.data), metadata };
  const events = chainEvents(stream, known + 1, last?.metadata['hash'] ?? GENESIS_HASH, [draft]);
  return deps.log.append(stream, events, known < 0 ? 'no_stream' : known);
}
