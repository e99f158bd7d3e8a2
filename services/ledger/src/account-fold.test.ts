import { accountSnapshotStream, accountStream } from '@points/contracts/streams';
import type { Account } from '@points/domain/account/account';
import {
  type AccountCommand,
  type CommandContext,
  DEFAULT_LIMITS,
  type HoldPoints,
} from '@points/domain/account/commands';
import { type Decision, decide } from '@points/domain/account/decide';
import { mapValues } from '@points/domain/persistent-map';
import { emptyCatalog } from '@points/domain/catalog/catalog';
import { configOf } from '@points/domain/testing/pricing';
import { resolvePrice } from '@points/domain/pricing/resolve-price';
import type { EventLog } from '@points/event-store/event-log';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import type { LaneFold } from '@points/event-store/lane-head';
import type { SnapshotNotice } from '@points/event-store/lane-snapshots';
import { createLanes } from '@points/event-store/lanes';
import { describe, expect, it } from 'vitest';
import { v7 } from 'uuid';
import { ACCOUNT_FOLD, toDraft } from './account-fold.ts';
import { NO_REQUEST } from './request-hash.ts';

const STREAM = accountStream('u1');
const CACHE = accountSnapshotStream(STREAM);
const CONSUMES = 400;

function context(): CommandContext {
  const nowMs = Date.now();
  return {
    commandId: v7(),
    requestHash: NO_REQUEST,
    client: 'ai-demo',
    admin: false,
    nowMs,
    receivedMs: nowMs,
    watermarkMs: null,
    limits: DEFAULT_LIMITS,
  };
}

const RECHARGE: AccountCommand = {
  kind: 'Recharge',
  context: context(),
  source: 'order',
  sourceRef: 'order-1',
  points: 100_000,
  bonusPoints: 5,
  expiry: { kind: 'never' },
  description: '',
};

function holdRequest(recordId: number) {
  const config = configOf({});
  const sources = { catalog: emptyCatalog(), config, configVersion: 'v' };
  const terms = resolvePrice({ amount: 7, metadata: {} }, sources);
  return { holdId: v7(), recordId, terms, metadata: {} };
}

function holdOf(recordId: number): HoldPoints {
  return { kind: 'HoldPoints', context: context(), hold: holdRequest(recordId) };
}

function replica(log: EventLog, fold: LaneFold<Account> = ACCOUNT_FOLD) {
  const notices: SnapshotNotice['outcome'][] = [];
  const lanes = createLanes<Account>({
    log,
    fold,
    singleWriter: false,
    onFatal: (error) => {
      throw error;
    },
    onSnapshot: ({ outcome }) => notices.push(outcome),
  });
  return {
    notices,
    decide: (command: AccountCommand): Promise<Decision> =>
      lanes.submit<Decision>(STREAM, command.context.commandId, (account) => {
        const decision = decide(command, account);
        if (decision.outcome !== 'accepted')
          return { kind: 'answer', needsTail: true, answer: () => decision };
        const cause = { actorType: 'client', actorId: 'ai-demo', correlationId: 'c' } as const;
        const drafts = decision.events.map((event) =>
          toDraft(event, { ...cause, commandName: command.kind }),
        );
        return { kind: 'append', drafts, state: decision.account, answer: () => decision };
      }),
    account: (): Promise<Account> =>
      lanes.submit(STREAM, '', (account) => ({
        kind: 'answer',
        needsTail: true,
        answer: () => account,
      })),
  };
}

/** An account of 803 events with two open holds, one from before its snapshot and one from after it. */
async function longAccount() {
  const log = createInMemoryEventLog();
  const writer = replica(log);
  await writer.decide(RECHARGE);
  await writer.decide(holdOf(CONSUMES + 1));
  const consumes = Array.from({ length: CONSUMES }, (_, recordId): AccountCommand => {
    const actual = { kind: 'points', points: 3 } as const;
    return { kind: 'Consume', context: context(), hold: holdRequest(recordId), actual };
  });
  for (const command of consumes) await writer.decide(command);
  await expect.poll(() => writer.notices).toContain('written');
  const hold = holdOf(CONSUMES);
  await writer.decide(hold);
  return { log, writer, hold, consumes };
}

/** All that must be the same, however the account was opened. */
function view(account: Account) {
  const { revision, lastEventMs, batches, balance, held, debts, frozen, memberships } = account;
  const openHolds = mapValues(account.openHolds);
  return { revision, lastEventMs, batches, balance, held, debts, frozen, memberships, openHolds };
}

describe('an account opened from its snapshot', () => {
  it('is the account that its events make', async () => {
    const { log } = await longAccount();
    const reopened = replica(log);
    const { snapshots: _, ...whole } = ACCOUNT_FOLD;
    const [fast, slow] = [await reopened.account(), await replica(log, whole).account()];
    expect(reopened.notices).toEqual(['used']);
    expect(view(fast)).toEqual(view(slow));
    expect(view(fast)).toMatchObject({ revision: 802, balance: 100_005 - 3 * CONSUMES, held: 14 });
    expect(mapValues(fast.openHolds)).toHaveLength(2);
  });

  it('knows the commands that were answered before, and settles what is open', async () => {
    const { log, hold, consumes } = await longAccount();
    const reopened = replica(log);
    expect(await reopened.decide(hold)).toEqual({ outcome: 'duplicate', revision: 802 });
    const last = consumes.at(-1);
    if (last === undefined) throw new Error('no consumes');
    expect(await reopened.decide(last)).toEqual({ outcome: 'duplicate', revision: 800 });
    const first = await reopened.decide(RECHARGE);
    expect(first).toEqual({ outcome: 'duplicate', revision: 0 });
    const cancel: AccountCommand = {
      kind: 'CancelHold',
      context: context(),
      hold: { holdId: hold.hold.holdId },
      reason: 'caller',
    };
    expect(await reopened.decide(cancel)).toMatchObject({ outcome: 'accepted' });
    expect((await replica(log).account()).held).toBe(7);
  });

  it('is not opened from a snapshot of another version', async () => {
    const { log, writer } = await longAccount();
    const codec = ACCOUNT_FOLD.snapshots;
    if (codec === undefined) throw new Error('accounts have no snapshots');
    const newer = replica(log, { ...ACCOUNT_FOLD, snapshots: { ...codec, version: 'next' } });
    expect(view(await newer.account())).toEqual(view(await writer.account()));
    expect(newer.notices[0]).toBe('ignored');
  });

  it('has one small snapshot', async () => {
    const { log } = await longAccount();
    const snapshots = [];
    for await (const event of log.readStream(CACHE, { fromRevision: 0 })) snapshots.push(event);
    expect(snapshots).toHaveLength(1);
    expect(JSON.stringify(snapshots[0]?.data).length).toBeLessThan(512 * 1_024);
  });
});
