import { strict as assert } from 'node:assert';
import { type Account, type SettledHold, freshAccount } from '../account/account.ts';
import { recallHold } from '../account/recall-hold.ts';
import { decodeAccount, encodeAccount } from '../account/account-snapshot.ts';
import { evolve } from '../account/evolve.ts';
import { inSpendOrder, summarize } from '../account/batches.ts';
import type { AccountCommand, HoldReference, Recalled } from '../account/commands.ts';
import { type Decision, decide } from '../account/decide.ts';
import type { RecordedAccountEvent } from '../account/events.ts';
import { MAX_CANCELED_HOLDS, MAX_EXPIRED_BATCHES } from '../account/expire.ts';
import { mapGet, mapValues } from '../persistent-map.ts';
import { DAY_MS, formatTime } from '../time.ts';
import { type Auditor, createAuditor } from './auditor.ts';
import { dump, replay } from './book.ts';
import type { History } from './history.ts';
import { narrate } from './narrate.ts';

/** Old states that are read again at the end of each history. */
const STATES_READ_AGAIN = 20;

interface Life {
  account: Account;
  readonly rememberedIds: number;
  /** It has forgotten more than a replay would. */
  isTrimmed: boolean;
  /** The same account with a long memory: what is recalled of ids that `account` has forgotten. */
  longMemory: Account;
  readonly events: RecordedAccountEvent[];
  readonly auditor: Auditor;
  /** Every state so far with what it looked like when it was new. */
  readonly states: { readonly account: Account; readonly look: string }[];
}

/**
 * Lives one history: every command is decided and judged against an independent auditor, every state is kept and read
 * again. `seen` counts what came up. Throws with the whole story, one line per command.
 */
export function live(history: History, seen: Map<string, number>): void {
  const life: Life = {
    account: freshAccount(history.rememberedIds),
    rememberedIds: history.rememberedIds,
    isTrimmed: false,
    longMemory: freshAccount(),
    events: [],
    auditor: createAuditor(),
    states: [],
  };
  keep(life);
  const narrator = narrate(history);
  const lines: string[] = [];
  try {
    for (const step of history.steps) {
      if (step.do === 'reopen') reopen(life, step.ids);
      const command = narrator.next(step);
      if (command === null) continue;
      lines.push(`${formatTime(narrator.nowMs)} ${JSON.stringify(step)}`);
      const first = decide(command, life.account);
      lines.push(`  → ${story(first)}`);
      if (first.outcome !== 'recall') judge(life, command, first, seen);
      else judgeRecalled(life, command, lines, seen);
    }
    lines.push('at the end');
    judgeHistory(life);
  } catch (error) {
    throw new Error(`${lines.join('\n')}\n${String(error)}`, { cause: error });
  }
}

/** As a process does that opens the account from its snapshot. What the snapshot leaves out counts as forgotten. */
function reopen(life: Life, ids: number): void {
  const before = life.account;
  const snapshot = JSON.stringify(encodeAccount(before, ids));
  life.account = decodeAccount(JSON.parse(snapshot));
  assert.equal(JSON.stringify(encodeAccount(life.account, ids)), snapshot, 'a second snapshot');
  if (ids < before.memory.next - before.memory.first) life.isTrimmed = true;
  else assert.deepEqual(dump(life.account), dump(before), 'another account from the snapshot');
  keep(life);
}

/** The command named an id that may be forgotten: it is decided again with what is known of it, and then for good. */
function judgeRecalled(
  life: Life,
  command: AccountCommand,
  lines: string[],
  seen: Map<string, number>,
): void {
  seen.set('recall', (seen.get('recall') ?? 0) + 1);
  const recalled = recall(life, command);
  const again = { ...command, context: { ...command.context, recalled } };
  const decision = decide(again, life.account);
  lines.push(`  → ${story(decision)}`);
  assert.notEqual(decision.outcome, 'recall', 'recalled twice');
  judge(life, again, decision, seen);
}

function recall(life: Life, command: AccountCommand): Recalled {
  const { longMemory, account } = life;
  const { commands, settledHolds, recordIds, sources, orders } = longMemory;
  const named = 'hold' in command ? command.hold : null;
  const holdId =
    named === null || 'holdId' in named ? named?.holdId : mapGet(recordIds, named.recordId);
  const remembered = holdId === undefined ? undefined : mapGet(settledHolds, holdId);
  const rebuilt = holdId === undefined ? null : rebuild(life, holdId);
  if (remembered !== undefined) assert.deepEqual(rebuilt, remembered, 'a hold from the log');
  return {
    appliedRevision: account.revision,
    command: mapGet(commands, command.context.commandId) ?? null,
    hold: rebuilt,
    source: ('sourceRef' in command ? mapGet(sources, command.sourceRef) : undefined) ?? null,
    order:
      (command.kind === 'GrantMembership' ? mapGet(orders, command.orderNo) : undefined) ?? null,
  };
}

/** As the service does, from the events alone, however old the hold is. */
function rebuild({ events, auditor }: Life, holdId: string): SettledHold | null {
  const placed = events.map((event, revision) => ({ ...event, revision }));
  return recallHold(holdId, placed, (batchId) => {
    const batch = auditor.books.batches.get(batchId);
    assert(batch, `unknown batch ${batchId}`);
    const { kind, points, createdAt, expiresAt, sourceRef, originId } = batch;
    const expiresMs = expiresAt === null ? null : Date.parse(expiresAt);
    const createdMs = Date.parse(createdAt);
    return { batchId, kind, points, createdMs, expiresMs, sourceRef, originBatchId: originId };
  });
}

function judge(
  life: Life,
  command: AccountCommand,
  decision: Decision,
  seen: Map<string, number>,
): void {
  note(decision, seen);
  const before = life.account;
  if (decision.outcome !== 'accepted') {
    assert.equal(look(before), life.states.at(-1)?.look, 'the state changed under a refusal');
    if (decision.outcome === 'duplicate') judgeDuplicate(life, command, decision.revision);
    else if (decision.outcome === 'refused') judgeRefusal(life, command, decision);
    return;
  }
  judgeEvents(life, command, decision.events);
  life.account = decision.account;
  life.events.push(...decision.events);
  life.longMemory = decision.events.reduce(evolve, life.longMemory);
  judgeState(life, command);
  keep(life);
  if (decision.events.length === 0) assert.equal(decision.account, before);
  else judgeRepeat(life, command, before.revision + 1);
}

function judgeEvents(
  life: Life,
  command: AccountCommand,
  events: readonly RecordedAccountEvent[],
): void {
  const { context } = command;
  const nowMs = Math.max(context.nowMs, life.account.lastEventMs);
  const overdue = overdueHolds(life, command);
  let batches = 0;
  let holds = 0;
  for (const [index, recorded] of events.entries()) {
    assert.deepEqual(recorded.context, {
      command_id: context.commandId,
      request_hash: context.requestHash,
      index,
      occurred_at: formatTime(nowMs),
    });
    const { event } = recorded;
    if (event.type === 'BatchExpired') batches++;
    if (event.type === 'HoldCanceled' && event.data.reason === 'expired') {
      assert(overdue.includes(event.data.hold_id), 'canceled before it was overdue');
      holds++;
    }
    life.auditor.check(recorded);
  }
  assert(batches <= MAX_EXPIRED_BATCHES && holds <= MAX_CANCELED_HOLDS);
  assert(events.length <= batches + holds + 2);
  judgeOwnEvent(life, command, events);
  if (command.kind === 'ExpireDue' && holds < MAX_CANCELED_HOLDS)
    assert.deepEqual(overdueHolds(life, command), []);
}

/** What was asked is what was done. */
function judgeOwnEvent(
  life: Life,
  command: AccountCommand,
  events: readonly RecordedAccountEvent[],
): void {
  for (const { event } of events) {
    if (command.kind === 'ExtendHold' && event.type === 'HoldExtended') {
      const now = Date.parse(events[0]?.context.occurred_at ?? '');
      const asked = now + command.ttlMs;
      const { previous_expires_at, expires_at } = event.data;
      const longest = Date.parse(
        life.auditor.books.open.get(event.data.hold_id)?.placed.max_expires_at ?? '',
      );
      const later = Math.max(Date.parse(previous_expires_at), asked);
      assert.equal(Date.parse(expires_at), Math.min(longest, later), 'extended');
    }
    if (command.kind === 'RefundCharge' && event.type === 'PointsRefunded' && command.points)
      assert.equal(event.data.points, command.points);
    if (command.kind === 'Adjust' && event.type === 'PointsAdjusted')
      assert.deepEqual([event.data.delta, event.data.forced], [command.delta, command.forced]);
    if (command.kind === 'GrantMembership' && event.type === 'MembershipGranted') {
      const { starts_at, ends_at } = event.data;
      const lasts = Date.parse(ends_at) - Date.parse(starts_at);
      assert.equal(lasts, command.durationDays * DAY_MS, 'duration_days');
    }
  }
}

function overdueHolds(life: Life, command: AccountCommand): string[] {
  const { watermarkMs, limits, nowMs } = command.context;
  if (watermarkMs === null) return [];
  const latest = Math.min(Math.max(nowMs, life.account.lastEventMs), watermarkMs);
  return life.auditor.expiredHolds(formatTime(latest - limits.holdGraceMs));
}

function judgeState(life: Life, command: AccountCommand): void {
  const { account, auditor } = life;
  const nowMs = Math.max(command.context.nowMs, account.lastEventMs);
  const { available, balance } = summarize(account, nowMs);
  const due = auditor.duePoints(formatTime(nowMs));
  assert.equal(due, 0, 'due points were left');
  assert.equal(balance, auditor.balance());
  assert.equal(available, auditor.available(formatTime(nowMs)));
  assert.equal(account.revision, life.events.length - 1);
  assert.deepEqual(account.batches, account.batches.toSorted(inSpendOrder), 'spend order');
  const sum = (numbers: readonly number[]) => numbers.reduce((so, number) => so + number, 0);
  assert.equal(account.held, sum(account.batches.map((batch) => batch.pinned)));
  assert.equal(account.debt, sum(account.debts.map((debt) => debt.points)));
  assert.equal(
    account.balance,
    sum(account.batches.map((batch) => batch.remaining)) - account.debt,
  );
}

/** The command again, at once: its first answer, and nothing new. */
function judgeRepeat(life: Life, command: AccountCommand, revision: number): void {
  const { recalled: _, ...context } = command.context;
  const again = (requestHash: string): Decision => {
    const repeated = { ...command, context: { ...context, requestHash } };
    const decision = decide(repeated, life.account);
    // An account that remembers little may have forgotten at once.
    if (decision.outcome !== 'recall') return decision;
    const recalled = recall(life, command);
    return decide({ ...repeated, context: { ...repeated.context, recalled } }, life.account);
  };
  assert.deepEqual(again(context.requestHash), { outcome: 'duplicate', revision });
  assert.deepEqual(again('another payload'), {
    outcome: 'refused',
    refusal: { code: 'command_id_reused' },
  });
  assert.equal(look(life.account), life.states.at(-1)?.look, 'the state changed under a repeat');
}

/** A duplicate names the first event of a command that did what this one asks for. */
function judgeDuplicate(life: Life, command: AccountCommand, revision: number): void {
  const first = life.events[revision];
  assert.equal(first?.context.index, 0);
  const answered = life.events
    .slice(revision)
    .filter(({ context }) => context.command_id === first.context.command_id);
  if (first.context.command_id === command.context.commandId) {
    assert.equal(first.context.request_hash, command.context.requestHash);
    return;
  }
  const found = answered.some(({ event }) => {
    switch (event.type) {
      case 'PointsRecharged':
        return command.kind === 'Recharge' && event.data.source_ref === command.sourceRef;
      case 'PointsHeld':
        return command.kind === 'HoldPoints' && event.data.hold_id === command.hold.holdId;
      case 'HoldConfirmed':
        return (
          command.kind === 'ConfirmHold' &&
          // A late confirm goes by the expired hold, and by the number of the one that carries its charge.
          (isNamed(life, event.data.hold_id, command.hold) ||
            (event.data.late_of !== undefined && isNamed(life, event.data.late_of, command.hold)))
        );
      case 'HoldCanceled':
        return command.kind === 'CancelHold' && isNamed(life, event.data.hold_id, command.hold);
      case 'RechargeReversed':
        return (
          (command.kind === 'ReverseRecharge' || command.kind === 'Recharge') &&
          event.data.source_ref === command.sourceRef
        );
      case 'PointsRefunded':
        return command.kind === 'CancelHold' && isNamed(life, event.data.hold_id, command.hold);
      case 'MembershipGranted':
        return command.kind === 'GrantMembership' && event.data.order_no === command.orderNo;
      case 'BatchExpired':
      case 'HoldExtended':
      case 'PointsAdjusted':
      case 'AccountFrozen':
      case 'AccountUnfrozen':
      case 'MembershipRevoked':
        return false;
      default:
        return event satisfies never;
    }
  });
  assert(found, 'a duplicate of something else');
}

function isNamed(life: Life, holdId: string, reference: HoldReference): boolean {
  if ('holdId' in reference) return reference.holdId === holdId;
  return life.events.some(
    ({ event }) =>
      event.type === 'PointsHeld' &&
      event.data.hold_id === holdId &&
      event.data.record_id === reference.recordId,
  );
}

const ASKS_FOR_POINTS: ReadonlySet<AccountCommand['kind']> = new Set([
  'HoldPoints',
  'Consume',
  'Adjust',
]);

function judgeRefusal(
  life: Life,
  command: AccountCommand,
  decision: Decision & { outcome: 'refused' },
): void {
  const { code, details } = decision.refusal;
  const now = formatTime(Math.max(command.context.nowMs, life.account.lastEventMs));
  const available = life.auditor.available(now);
  if (code === 'insufficient_points') {
    assert(ASKS_FOR_POINTS.has(command.kind), 'a settlement was refused for points');
    const told = Number(details?.['available']);
    const required = Number(details?.['required']);
    assert(available < required && told < required, 'refused although it could be afforded');
    assert.equal(details?.['shortfall'], required - told);
    // With a watermark the look after canceling overdue holds is told, which may free more.
    if (command.context.watermarkMs === null) assert.equal(told, available);
    else assert(told >= available);
  }
  if (code === 'account_frozen') assert(life.auditor.books.frozen, 'refused as frozen');
  if (code === 'refund_exceeds_charge' && command.kind === 'RefundCharge') {
    const refundable = Number(details?.['refundable']);
    assert(refundable === 0 || (command.points ?? 0) > refundable, 'a refund that was possible');
  }
  if (code === 'too_many_open_holds')
    assert(life.auditor.openHoldCount() >= command.context.limits.openHolds);
}

function judgeHistory(life: Life): void {
  judgeReplay(life, life.events);
  judgeReplay(life, life.events.slice(0, Math.floor(life.events.length / 2)));
  // Back and forth between versions, so that old ones are read after newer ones and the other way round.
  const { states } = life;
  for (let i = 0; i < STATES_READ_AGAIN; i++) {
    const state = states[(i * 37) % states.length];
    assert.equal(state && look(state.account), state?.look, 'an old state changed');
  }
}

/** Memory apart, if a snapshot has left some of it out. */
function judgeReplay(life: Life, events: readonly RecordedAccountEvent[]): void {
  const then = life.states.findLast(({ account }) => account.revision === events.length - 1);
  if (then === undefined) return;
  const replayed = replay(events, life.rememberedIds);
  if (!life.isTrimmed)
    assert.deepEqual(dump(replayed), dump(then.account), 'replay gives another state');
  assert.deepEqual(numbersOf(replayed), numbersOf(then.account), 'replay gives other numbers');
}

function numbersOf(account: Account): unknown {
  const { revision, lastEventMs, batches, debts, balance, held, debt, frozen } = account;
  const openHolds = new Map(mapValues(account.openHolds).map(({ holdId, pins }) => [holdId, pins]));
  return { revision, lastEventMs, batches, debts, balance, held, debt, frozen, openHolds };
}

function keep(life: Life): void {
  life.states.push({ account: life.account, look: look(life.account) });
}

function look(account: Account): string {
  return JSON.stringify(dump(account));
}

function story(decision: Decision): string {
  if (decision.outcome === 'refused') return `refused: ${JSON.stringify(decision.refusal)}`;
  if (decision.outcome === 'duplicate') return `duplicate of ${decision.revision}`;
  if (decision.outcome === 'recall') return 'recall';
  return (
    decision.events
      .map(({ event }) => `${event.type} ${JSON.stringify(event.data)}`)
      .join('\n    ') || 'nothing'
  );
}

function note(decision: Decision, seen: Map<string, number>): void {
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  if (decision.outcome === 'duplicate') count('duplicate');
  if (decision.outcome === 'refused') count(decision.refusal.code);
  if (decision.outcome !== 'accepted') return;
  if (decision.account.memory.forgottenThrough >= 0) count('forgotten');
  for (const { event } of decision.events) {
    count(`accepted ${event.type}`);
    if (event.type === 'HoldCanceled') count(event.data.reason);
    if ('grace' in event.data && event.data.grace.length > 0) count('grace');
    if ('debt_repaid' in event.data && event.data.debt_repaid.length > 0) count('debt repaid');
    if (event.type === 'HoldConfirmed' && event.data.debt_added > 0) count('debt');
    if (event.type === 'HoldConfirmed' && event.data.waived > 0) count('waived');
    if (event.type === 'PointsHeld' && event.data.late_of !== undefined) count('late');
    if (event.type === 'PointsHeld') count(event.data.charge_mode);
    if (event.type === 'RechargeReversed' && event.data.debt_added > 0) count('reversal debt');
    if (event.type === 'PointsAdjusted' && event.data.debt_added > 0) count('forced debt');
    if (event.type === 'PointsRefunded') {
      if (event.data.as_failure) count('failed and refunded');
      if (event.data.debt_canceled > 0) count('debt canceled');
      if (event.data.reopened.length > 0) count('reopened');
      if (event.data.grace.length > 0) count('grace by refund');
    }
  }
}
