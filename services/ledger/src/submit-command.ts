import type { Request } from '@points/contracts/ledger-requests';
import { accountStream } from '@points/contracts/streams';
import type { Account } from '@points/domain/account/account';
import type {
  AccountCommand,
  CommandContext,
  HoldReference,
  Recalled,
} from '@points/domain/account/commands';
import { type Decision, decide } from '@points/domain/account/decide';
import { mapGet } from '@points/domain/persistent-map';
import type { Judge, Judgement, Placed } from '@points/event-store/lanes';
import { type Cause, toDraft } from './account-fold.ts';
import { appliedBy, readCommand } from './account-log.ts';
import { type AccountVerb, type HoldNames, resultOf } from './account-results.ts';
import { rememberedRecordId, resultInLog } from './result-in-log.ts';
import { type LedgerDeps, limitsOf } from './ledger-deps.ts';
import { recollect } from './recall.ts';
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
  /** The recharge or the order that it names. */
  readonly sourceRef?: string;
  readonly orderNo?: string;
  /** Called each time it is decided: on the state then, at the prices then. */
  readonly toCommand: (context: CommandContext, account: Account) => AccountCommand;
}

/** What a lane answers; a duplicate's events and forgotten ids are read outside of the lane. */
type LaneAnswer =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'duplicate'; readonly revision: number; readonly account: Account }
  /** `revision` is that of the account that may have forgotten. */
  | { readonly kind: 'recall'; readonly revision: number };

/** Each decision after the first knows what was recalled for it; an account may have forgotten more meanwhile. */
const DECISIONS_MAX = 5;

/**
 * Decides a command in its account's lane, again with what the log knows when the account may have forgotten its ids.
 * Rejects with `LaneError`, `ReadTablesError`, and what reading the log throws.
 */
export async function submit<Verb extends AccountVerb>(
  submission: Submission<Verb>,
  deps: LedgerDeps,
): Promise<Outcome> {
  const { account_id, command_id } = submission.body;
  const stream = accountStream(account_id);
  const asked = contextOf(submission, deps);
  let context = asked;
  for (let decisions = 1; decisions <= DECISIONS_MAX; decisions += 1) {
    const judge: Judge<Account, LaneAnswer> = (account) =>
      judgeCommand(submission, context, account);
    const answer = await deps.lanes.submit(stream, command_id, judge);
    if (answer.kind === 'outcome') return answer.outcome;
    if (answer.kind === 'duplicate') return firstAnswerAgain(submission, context, answer, deps);
    context = { ...asked, recalled: await recall(submission, answer.revision, deps) };
  }
  return refused('contention');
}

async function recall<Verb extends AccountVerb>(
  { verb, body, hold, sourceRef, orderNo }: Submission<Verb>,
  revision: number,
  deps: LedgerDeps,
): Promise<Recalled> {
  const ids = {
    commandId: body.command_id,
    ...(hold === undefined ? {} : { hold }),
    ...(sourceRef === undefined ? {} : { sourceRef }),
    ...(orderNo === undefined ? {} : { orderNo }),
  };
  const { lateHold, ...recalled } = await recollect(body.account_id, ids, revision, deps);
  // A late charge goes by the expired hold's name, too.
  return verb === 'refund' && lateHold !== null ? { ...recalled, hold: lateHold } : recalled;
}

/** The first answer to a command, made from its events in the log. */
async function firstAnswerAgain<Verb extends AccountVerb>(
  { verb, body, hold }: Submission<Verb>,
  context: CommandContext,
  { revision, account }: LaneAnswer & { kind: 'duplicate' },
  deps: LedgerDeps,
): Promise<Outcome> {
  const first = await readCommand(deps.log, accountStream(body.account_id), revision);
  const holdId = holdIdOf(hold, account, context);
  const result = await resultInLog(body.account_id, verb, first, account, holdId, deps);
  return { ok: true, result, duplicate: true, ...appliedBy(first), atMs: first.atMs };
}

function judgeCommand<Verb extends AccountVerb>(
  submission: Submission<Verb>,
  context: CommandContext,
  account: Account,
): Judgement<Account, LaneAnswer> {
  const { verb, caller } = submission;
  // Looked up before the decision: an older version of the account costs more to read.
  const names = namesIn(account, submission.hold, context);
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
          outcome: firstAnswer(verb, decision, placed, names),
        }),
      };
    }
    case 'recall':
      return {
        kind: 'answer',
        needsTail: false,
        answer: () => ({ kind: 'recall', revision: account.revision }),
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
  names: HoldNames,
): Outcome {
  const events = decision.events.map(({ event }, index) => ({
    id: placed.events[index]?.id ?? '',
    event,
  }));
  const lastRevision = placed.firstRevision + events.length - 1;
  return {
    ok: true,
    result: resultOf(verb, events, names),
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

/** The id of the hold that a command names, as far as it is known. */
export function holdIdOf(
  hold: HoldReference | undefined,
  account: Account,
  context: CommandContext,
): string | undefined {
  if (hold === undefined) return undefined;
  if ('holdId' in hold) return hold.holdId;
  return mapGet(account.recordIds, hold.recordId) ?? context.recalled?.hold?.holdId;
}

function namesIn(
  account: Account,
  hold: HoldReference | undefined,
  context: CommandContext,
): HoldNames {
  const holdId = holdIdOf(hold, account, context);
  if (holdId === undefined) return {};
  const { recalled } = context;
  const found = recalled?.hold?.holdId === holdId ? recalled.hold.recordId : null;
  return { holdId, recordId: rememberedRecordId(account, holdId) ?? found ?? undefined };
}
