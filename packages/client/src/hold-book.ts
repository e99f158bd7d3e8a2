import { OutboxError } from './errors.ts';
import type { ClientLog } from './log.ts';
import type { KnownHold, Outbox, OutboxRow, SettlementProblem } from './outbox.ts';
import { createAlarm } from './waiting.ts';

/** The rows of this process, each in memory as it is in the outbox. */
export interface HoldBook {
  /** Remembers a hold before it is asked for. Throws OutboxError: then it must not be asked for. */
  open(hold: KnownHold): Promise<void>;
  /** Remembers that it was granted, before the work begins. Throws OutboxError: then it must not begin. */
  granted(hold: KnownHold): Promise<void>;
  /** The hold was not granted, or is not ours to settle any more. Changes nothing once it is being settled. */
  forget(hold: KnownHold): void;
  get(hold: KnownHold): OutboxRow | undefined;
  /** Throws OutboxError `full`. */
  refuseWhenFull(): void;
  /** Rejects when the outbox does not take it; the row is in memory all the same. */
  put(row: OutboxRow): Promise<void>;
  /** Keeps a refused settlement to be looked at. */
  keepProblem(problem: SettlementProblem): void;
  remove(key: string): void;
  rows(): OutboxRow[];
  /** Rows that are in the outbox already. */
  adopt(rows: readonly OutboxRow[]): void;
  /** false when not everything was settled in time. */
  allSettled(timeoutMs: number): Promise<boolean>;
}

/** Refused settlements that are kept; the oldest goes first. */
const MAX_PROBLEMS = 1_000;

export function createHoldBook(deps: {
  outbox: Outbox;
  maxHolds: number;
  log: ClientLog;
}): HoldBook {
  const { outbox, maxHolds, log } = deps;
  const rows = new Map<string, OutboxRow>();
  const changed = createAlarm();

  function put(row: OutboxRow): Promise<void> {
    // A row that comes to another stage goes to the end.
    rows.delete(row.key);
    rows.set(row.key, row);
    changed.ring();
    return outbox.put(row);
  }

  function remove(key: string): void {
    rows.delete(key);
    changed.ring();
    outbox.remove(key).catch((error: unknown) => {
      log.warn({ key, err: error }, 'the next process will settle a hold that is settled');
    });
  }

  function refuseWhenFull(): void {
    const open = [...rows.values()].filter(isOpen).length;
    if (open >= maxHolds)
      throw new OutboxError('full', `${open} holds are open or being settled already`);
  }

  return {
    put,
    remove,
    refuseWhenFull,
    async open(hold) {
      const key = keyOf(hold);
      if (rows.has(key))
        throw new OutboxError('known', `hold ${key} is at work in this process already`);
      refuseWhenFull();
      try {
        await put({ key, stage: 'requested', since: isoNow(), hold });
      } catch (error) {
        remove(key);
        throw error;
      }
    },
    granted: (hold) => put({ key: keyOf(hold), stage: 'held', since: isoNow(), hold }),
    forget(hold) {
      const row = rows.get(keyOf(hold));
      if (row?.stage === 'requested' || row?.stage === 'held') remove(row.key);
    },
    get: (hold) => rows.get(keyOf(hold)),
    keepProblem(problem) {
      put(problem).catch((error: unknown) =>
        log.error({ hold: problem.hold, err: error }, 'a problem could not be written down'),
      );
      const problems = [...rows.values()].filter((row) => !isOpen(row));
      for (const { key, hold } of problems.slice(0, Math.max(0, problems.length - MAX_PROBLEMS))) {
        log.error({ hold }, `forgetting the oldest of more than ${MAX_PROBLEMS} problems`);
        remove(key);
      }
    },
    rows: () => [...rows.values()],
    adopt(left) {
      for (const row of left) rows.set(row.key, row);
    },
    async allSettled(timeoutMs) {
      const endMs = performance.now() + timeoutMs;
      while ([...rows.values()].some(isOpen)) {
        const leftMs = endMs - performance.now();
        if (leftMs <= 0) return false;
        await changed.wait(leftMs);
      }
      return true;
    },
  };
}

export function keyOf({ accountId, holdId, recordId }: KnownHold): string {
  return `${accountId}/${holdId ?? recordId ?? ''}`;
}

export function isoNow(): string {
  return new Date().toISOString();
}

function isOpen({ stage }: OutboxRow): boolean {
  return stage !== 'refused';
}
