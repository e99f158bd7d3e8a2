import type { Account } from '@points/domain/account/account';
import {
  type AccountCommand,
  type CommandContext,
  DEFAULT_LIMITS,
} from '@points/domain/account/commands';
import { decide } from '@points/domain/account/decide';
import { type PriceSources, resolvePrice } from '@points/domain/pricing/resolve-price';
import type { EventDraft } from '@points/event-store/hash-chain';
import type { Lanes } from '@points/event-store/lanes';
import { REAL_TIMERS } from '@points/event-store/timers';
import { toDraft } from '@points/ledger/account-fold';
import { mintRecordId } from '@points/ledger/ids';
import { v7 } from 'uuid';

/** What an account lives through: a recharge now and then, holds that are confirmed, and one in four that is canceled. */
export interface Workload {
  /** Decides commands until they have made so many events, or one or two more. */
  decideMany(
    account: Account,
    events: number,
  ): { readonly drafts: EventDraft[]; readonly account: Account };
  recharge(lanes: Lanes<Account>, stream: string, points: number): Promise<void>;
  /** One after the other, as a service does. */
  holdAndConfirm(lanes: Lanes<Account>, stream: string): Promise<void>;
}

const HOLDS_PER_RECHARGE = 100;
const HOLDS_PER_CANCEL = 4;
/** Three of four holds are charged, so that little is left when the next recharge comes. */
const RECHARGED_POINTS = 1_520;
const HOLD_TTL_MS = 30 * 60_000;
const CAUSE = { actorType: 'client', actorId: 'bench', correlationId: 'bench' } as const;

export function createWorkload(sources: PriceSources): Workload {
  let holds = 0;
  let holdsCovered = 0;
  let open: string | null = null;

  function context(): CommandContext {
    const nowMs = Date.now();
    return {
      commandId: v7(),
      requestHash: v7().replaceAll('-', '').padEnd(64, '0'),
      client: 'bench',
      admin: false,
      nowMs,
      receivedMs: nowMs,
      watermarkMs: null,
      limits: DEFAULT_LIMITS,
    };
  }

  function rechargePoints(amount: number): AccountCommand {
    const points = { points: amount, bonusPoints: 0 };
    const expiry = { kind: 'days', days: 365 } as const;
    return {
      kind: 'Recharge',
      context: context(),
      source: 'order',
      sourceRef: v7(),
      ...points,
      expiry,
      description: '',
    };
  }

  function hold(holdId: string): AccountCommand {
    const terms = resolvePrice({ sourceType: 'image', quantity: 2, metadata: {} }, sources);
    const recordId = mintRecordId(Date.now(), REAL_TIMERS);
    return {
      kind: 'HoldPoints',
      context: context(),
      hold: {
        holdId,
        recordId,
        terms,
        ttlMs: HOLD_TTL_MS,
        sourceType: 'image',
        quantity: 2,
        metadata: {},
      },
    };
  }

  function confirm(holdId: string): AccountCommand {
    return {
      kind: 'ConfirmHold',
      context: context(),
      hold: { holdId },
      actual: { kind: 'as_held' },
      late: { holdId: v7(), recordId: 0 },
    };
  }

  function cancel(holdId: string): AccountCommand {
    return { kind: 'CancelHold', context: context(), hold: { holdId }, reason: 'caller' };
  }

  function next(): AccountCommand {
    if (open !== null) {
      const holdId = open;
      open = null;
      return holds % HOLDS_PER_CANCEL === 0 ? cancel(holdId) : confirm(holdId);
    }
    if (holdsCovered === 0) {
      holdsCovered = HOLDS_PER_RECHARGE;
      return rechargePoints(RECHARGED_POINTS);
    }
    holdsCovered -= 1;
    holds += 1;
    open = v7();
    return hold(open);
  }

  async function submit(
    lanes: Lanes<Account>,
    stream: string,
    command: AccountCommand,
  ): Promise<void> {
    await lanes.submit(stream, command.context.commandId, (account) => {
      const { drafts, account: after } = decided(command, account);
      return { kind: 'append', drafts, state: after, answer: () => undefined };
    });
  }

  return {
    decideMany(account, events) {
      let after = account;
      const drafts: EventDraft[] = [];
      while (drafts.length < events) {
        const one = decided(next(), after);
        drafts.push(...one.drafts);
        after = one.account;
      }
      return { drafts, account: after };
    },
    recharge: (lanes, stream, points) => submit(lanes, stream, rechargePoints(points)),
    async holdAndConfirm(lanes, stream) {
      const holdId = v7();
      await submit(lanes, stream, hold(holdId));
      await submit(lanes, stream, confirm(holdId));
    },
  };
}

const NOTHING = { command: null, hold: null, source: null, order: null };

function decided(command: AccountCommand, account: Account) {
  let decision = decide(command, account);
  // Ids that a snapshot has left out are looked up elsewhere; these have never been used before.
  if (decision.outcome === 'recall') {
    const recalled = { ...NOTHING, appliedRevision: account.revision };
    decision = decide({ ...command, context: { ...command.context, recalled } }, account);
  }
  if (decision.outcome !== 'accepted')
    throw new Error(`${command.kind}: ${JSON.stringify(decision)}`);
  const cause = { ...CAUSE, commandName: command.kind };
  return {
    drafts: decision.events.map((event) => toDraft(event, cause)),
    account: decision.account,
  };
}
