// What accounts cost in memory: one that is idle, and one more open hold. Run: npm run bench:memory
import { type Account, freshAccount } from '@points/domain/account/account';
import { evolve } from '@points/domain/account/evolve';
import { decide } from '@points/domain/account/decide';
import type { CommandContext, HoldRequest } from '@points/domain/account/commands';
import { DEFAULT_LIMITS } from '@points/domain/account/commands';
import type { RecordedAccountEvent } from '@points/domain/account/events';
import { v7 } from 'uuid';

const ACCOUNTS = 5_000;
const HOLDS = 50_000;
const HOLDS_PER_ACCOUNT = 1_000;
const PAIRS_OF_AN_ACTIVE_ACCOUNT = 100;
const REQUEST_HASH_LENGTH = 64;
const START_MS = Date.now();

function main(): void {
  const rows = [
    ['idle account (recharged, one use)', perUnit(ACCOUNTS, () => active(1))],
    [
      `account with ${PAIRS_OF_AN_ACTIVE_ACCOUNT} uses remembered`,
      perUnit(500, () => active(PAIRS_OF_AN_ACTIVE_ACCOUNT)),
    ],
    ['one more open hold', openHold()],
  ] as const;
  for (const [what, bytes] of rows)
    process.stdout.write(`${what.padEnd(44)} ${Math.round(bytes).toLocaleString('en')} B\n`);
}

/** Heap that each of `count` results keeps, in bytes. */
function perUnit(count: number, make: () => unknown): number {
  const kept: unknown[] = [make()];
  const before = heap();
  for (let made = 0; made < count; made += 1) kept.push(make());
  const bytes = (heap() - before) / count;
  if (kept.length === 0) throw new Error('nothing was kept');
  return bytes;
}

function openHold(): number {
  const accounts = Array.from({ length: HOLDS / HOLDS_PER_ACCOUNT }, () => recharged());
  const before = heap();
  for (const [index, account] of accounts.entries()) {
    let state = account;
    for (let placed = 0; placed < HOLDS_PER_ACCOUNT; placed += 1) state = hold(state, v7()).account;
    accounts[index] = state;
  }
  // The command of each hold is remembered too, for 8 days at most.
  const bytes = (heap() - before) / HOLDS;
  if (accounts.some(({ held }) => held === 0)) throw new Error('nothing was kept');
  return bytes;
}

function active(uses: number): Account {
  let account = recharged();
  for (let use = 0; use < uses; use += 1) {
    const holdId = v7();
    account = hold(account, holdId).account;
    const confirmed = decide(
      {
        kind: 'ConfirmHold',
        context: context(),
        hold: { holdId },
        actual: { kind: 'as_held' },
        late: { holdId: v7(), recordId: 1 },
      },
      account,
    );
    account = fold(account, confirmed);
  }
  return account;
}

function recharged(): Account {
  const account = freshAccount();
  const decision = decide(
    {
      kind: 'Recharge',
      context: context(),
      source: 'order',
      sourceRef: v7(),
      points: 1_000_000,
      bonusPoints: 0,
      expiry: { kind: 'days', days: 365 },
      description: '',
    },
    account,
  );
  return fold(account, decision);
}

let recordId = 1;

function hold(account: Account, holdId: string) {
  const request: HoldRequest = {
    holdId,
    recordId: recordId++,
    terms: {
      price: {
        mode: 'fixed',
        unit: 'call',
        unit_price: '10',
        min_points: 0,
        rounding: 'ceil',
        source: 'operation:ai_writing',
        config_version: 'f'.repeat(REQUEST_HASH_LENGTH),
      },
      amount: 10,
      listPrice: 10,
      chargeMode: 'charged',
      memberFree: false,
      overage: 'debt',
      debtFloor: null,
      failurePolicy: 'cancel',
      ttlMs: 1_800_000,
      description: 'AI写作 - blog',
    },
    sourceType: 'ai_writing',
    bizId: holdId,
    metadata: { tool_type: 'blog' },
  };
  return {
    account: fold(
      account,
      decide({ kind: 'HoldPoints', context: context(), hold: request }, account),
    ),
  };
}

/** As another process would: from the events' JSON, so that nothing is shared with the command. */
function fold(account: Account, decision: ReturnType<typeof decide>): Account {
  if (decision.outcome !== 'accepted') throw new Error(JSON.stringify(decision));
  const events = JSON.parse(JSON.stringify(decision.events)) as RecordedAccountEvent[];
  return events.reduce(evolve, account);
}

function context(): CommandContext {
  const commandId = v7();
  return {
    commandId,
    requestHash: commandId.replaceAll('-', '').repeat(2),
    client: 'ai-demo',
    admin: false,
    nowMs: START_MS,
    receivedMs: START_MS,
    watermarkMs: null,
    limits: { ...DEFAULT_LIMITS, openHolds: HOLDS_PER_ACCOUNT + 1 },
  };
}

function heap(): number {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

main();
