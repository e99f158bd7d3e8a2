import { HttpError } from './error-body.ts';
import type { LedgerHealth } from './ledger-link.ts';
import { isMissingTable, type Read } from './read-tables.ts';
import { isProjectorActive, selectAppliedPosition } from './queries/position.ts';
import { countDriftedAccounts } from './queries/projections.ts';

/** No check of a part takes longer. */
const CHECK_TIMEOUT_MS = 1_000;

export type Part = 'ledger' | 'event_store' | 'postgres' | 'projector' | 'reconcile';

/** Without one of these nobody is ready. The others are shown: decisions come from the log, so wrong read tables stop none. */
export const NEEDED_PARTS: readonly Part[] = ['ledger', 'event_store', 'postgres', 'projector'];

export type PartState = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export type Parts = Readonly<Record<Part, PartState>>;

export interface ReadinessDeps {
  readonly read: Read;
  /** What the ledger says of itself; rejects with the reason when it says nothing. */
  readonly ledgerHealth: () => Promise<LedgerHealth>;
  /** The read tables must have come so far in the log; default: anything at all. */
  readonly readyAtPosition?: bigint;
  readonly timeoutMs?: number;
}

/** Asks every part; never rejects. Calls that come while one is under way share its answer. */
export function createReadiness(deps: ReadinessDeps): () => Promise<Parts> {
  let underWay: Promise<Parts> | null = null;
  return () => (underWay ??= checkParts(deps).finally(() => (underWay = null)));
}

async function checkParts({
  read,
  ledgerHealth,
  readyAtPosition = 0n,
  timeoutMs = CHECK_TIMEOUT_MS,
}: ReadinessDeps): Promise<Parts> {
  const [ledger, tables] = await Promise.all([
    within(timeoutMs, ledgerHealth().then(ledgerParts)).catch(noLedger),
    within(timeoutMs, checkReadTables(read, readyAtPosition)).catch(noPostgres),
  ]);
  return { ...ledger, ...tables };
}

function ledgerParts(health: LedgerHealth): Pick<Parts, 'ledger' | 'event_store'> {
  const { eventStore, caughtUp, reason } = health;
  return {
    ledger: caughtUp ? UP : down(reason ?? 'has not read the log to its end yet'),
    event_store: eventStore === 'up' ? UP : down(reason ?? 'does not answer the ledger'),
  };
}

function noLedger(error: unknown): Pick<Parts, 'ledger' | 'event_store'> {
  return {
    ledger: down(messageOf(error)),
    event_store: down('not known: the ledger does not answer'),
  };
}

type TableParts = Pick<Parts, 'postgres' | 'projector' | 'reconcile'>;

async function checkReadTables(read: Read, readyAtPosition: bigint): Promise<TableParts> {
  const missing = (error: unknown) => {
    if (error instanceof Error && isMissingTable(error.cause))
      return down('has not made the read tables yet');
    throw error;
  };
  const projector = await read(async (db) => {
    if (!(await isProjectorActive(db))) return down('is not running');
    const position = await selectAppliedPosition(db);
    if (position === null) return down('has not applied anything yet');
    return position < readyAtPosition
      ? down(`has applied the log up to ${position}, not yet up to ${readyAtPosition}`)
      : UP;
  }).catch(missing);
  const reconcile = await read(async (db) => {
    const accounts = await countDriftedAccounts(db);
    return accounts === 0
      ? UP
      : down(`the read tables of ${accounts} accounts are not what the log says`);
  }).catch(missing);
  return { postgres: UP, projector, reconcile };
}

function noPostgres(error: unknown): TableParts {
  return {
    postgres: down(messageOf(error)),
    projector: down('not known: postgres does not answer'),
    reconcile: down('not known: postgres does not answer'),
  };
}

const UP: PartState = { ok: true };

function down(reason: string): PartState {
  return { ok: false, reason };
}

function messageOf(error: unknown): string {
  // Our own answer for want of a part says only which part; its cause says why.
  const cause = error instanceof HttpError ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  // Node's AggregateError of several refused addresses has no text of its own.
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message;
}

async function within<Result>(timeoutMs: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('does not answer in time')), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
