import type { Request } from '@points/contracts/ledger-requests';
import { accountStream } from '@points/contracts/streams';
import type { Account } from '@points/domain/account/account';
import type {
  AccountCommand,
  CommandContext,
  HoldReference,
} from '@points/domain/account/commands';
import { type Decision, decide } from '@points/domain/account/decide';
import { mapGet } from '@points/domain/persistent-map';
import type { Judge, Judgement, Placed } from '@points/event-store/lanes';
import { type Cause, toDraft } from './account-fold.ts';
import { appliedBy, readCommand } from './account-log.ts';
import { type AccountVerb, recordIdIn, resultOf } from './account-results.ts';
import { type LedgerDeps, limitsOf } from './ledger-deps.ts';
import { type Outcome, refused } from './reply.ts';
import { requestHash } from './request-hash.ts';

/** Who asks, and what belongs to every command beside its body. */
export interface Caller {
  readonly client: string;
  readonly correlationId: string | null;
  /** When the command was stored on its way, by the store's clock; null = it came at once. */
  readonly receivedMs: number | null;
}

export type CommandRequest<Verb extends AccountVerb> = Request<`cmd.${Verb}`>;

/** One command to an account as it came, and what the domain makes of it. */
export interface Submission<Verb extends AccountVerb> {
  readonly verb: Verb;
  readonly body: CommandRequest<Verb>;
  readonly caller: Caller;
  /** The hold that it names. */
  readonly hold?: HoldReference;
  /** Called each time it is decided: on the state then, at the prices then. */
  readonly toCommand: (context: CommandContext, account: Account) => AccountCommand;
}

/** What a lane answers; a duplicate's events are read outside of the lane. */
type LaneAnswer =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'duplicate'; readonly revision: number; readonly account: Account };

/** Decides a command in its account's lane. Rejects with `LaneError`, and what reading the log throws. */
export async function submit<Verb extends AccountVerb>(
  submission: Submission<Verb>,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { verb, body, hold } = submission;
  const stream = accountStream(body.account_id);
  const context = contextOf(submission, deps);
  const judge: Judge<Account, LaneAnswer> = (account) => judgeCommand(submission, context, account);
  const answer = await deps.lanes.submit(stream, body.command_id, judge);
  if (answer.kind === 'outcome') return answer.outcome;
  const first = await readCommand(deps.log, stream, answer.revision);
  const result = resultOf(verb, first.events, {
    holdId: holdIdOf(hold, answer.account),
    recordIdOf: recordIdIn(answer.account),
  });
  return { ok: true, result, duplicate: true, ...appliedBy(first), atMs: first.atMs };
}

function judgeCommand<Verb extends AccountVerb>(
  submission: Submission<Verb>,
  context: CommandContext,
  account: Account,
): Judgement<Account, LaneAnswer> {
  const { verb, caller } = submission;
  const decision = decide(submission.toCommand(context, account), account);
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
        correlationId: caller.correlationId ?? context.commandId,
      };
      return {
        kind: 'append',
        drafts: decision.events.map((event) => toDraft(event, cause)),
        state: decision.account,
        answer: (placed) => ({
          kind: 'outcome',
          outcome: firstAnswer(submission, decision, placed),
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
function firstAnswer<Verb extends AccountVerb>(
  { verb, hold }: Submission<Verb>,
  decision: Decision & { outcome: 'accepted' },
  placed: Placed,
): Outcome {
  const events = decision.events.map(({ event }, index) => ({
    id: placed.events[index]?.id ?? '',
    event,
  }));
  const lastRevision = placed.firstRevision + events.length - 1;
  return {
    ok: true,
    result: resultOf(verb, events, {
      holdId: holdIdOf(hold, decision.account),
      recordIdOf: recordIdIn(decision.account),
    }),
    duplicate: false,
    ...appliedBy({ events, lastRevision, position: placed.position }),
    atMs: decision.account.lastEventMs,
  };
}

function contextOf<Verb extends AccountVerb>(
  { verb, body, caller }: Submission<Verb>,
  deps: LedgerDeps,
): CommandContext {
  const nowMs = deps.clock.now();
  return {
    commandId: body.command_id,
    requestHash: requestHash(caller.client, verb, body),
    client: caller.client,
    admin: deps.admins.has(caller.client),
    nowMs,
    receivedMs: caller.receivedMs ?? nowMs,
    watermarkMs: deps.watermarkMs(),
    limits: limitsOf(deps),
  };
}

/** The id of the hold that a command names, as far as the account knows it. */
export function holdIdOf(hold: HoldReference | undefined, account: Account): string | undefined {
  if (hold === undefined) return undefined;
  return 'holdId' in hold ? hold.holdId : mapGet(account.recordIds, hold.recordId);
}
