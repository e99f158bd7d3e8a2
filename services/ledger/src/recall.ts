import { accountStream } from '@points/contracts/streams';
import type { BatchOrigin, FirstAnswer, SettledHold, Source } from '@points/domain/account/account';
import type { Recalled } from '@points/domain/account/commands';
import { batchesThatPaid, recallHold } from '@points/domain/account/recall-hold';
import { recallSource } from '@points/domain/account/recall-source';
import type {
  RecallHoldBy,
  RecallQuery,
  RecalledAnswer,
  RecalledBatch,
  RecalledPlaces,
} from '@points/read-model/recall';
import { readCommandEvents, readRevisions } from './account-log.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { ReadTablesError } from './recall-tables.ts';

/** The tables follow the log within milliseconds; looked at so often, 2 s in all. */
const LOOK_EVERY_MS = 25;
const LOOKS_MAX = 80;

/** The ids that a request names. */
export interface NamedIds {
  readonly commandId?: string;
  readonly hold?: RecallHoldBy;
  readonly sourceRef?: string;
  readonly orderNo?: string;
}

/** What the log still knows of ids that an account has forgotten. */
export interface Recollection extends Recalled {
  /** The hold that was confirmed late in place of `hold`. */
  readonly lateHold: SettledHold | null;
}

/**
 * Finds in the read tables where the named ids stand, and rebuilds what they stand for from those events of the log.
 * Waits until the tables have applied the account's event at `revision`: before that, not finding an id says nothing.
 * Throws `ReadTablesError`, `StoreUnavailableError`.
 */
export async function recollect(
  accountId: string,
  ids: NamedIds,
  revision: number,
  deps: LedgerDeps,
): Promise<Recollection> {
  const places = await placesAt({ accountId, ...ids }, revision, deps);
  const { appliedRevision, hold, lateHold, source } = places;
  return {
    appliedRevision,
    command: answerAt(places.command),
    order: answerAt(places.order),
    hold: hold === null ? null : await holdAt(accountId, hold, deps),
    lateHold: lateHold === null ? null : await holdAt(accountId, lateHold, deps),
    source: source === null ? null : await sourceAt(accountId, source, deps),
  };
}

/** The same without what stands there. */
export async function placesAt(
  query: RecallQuery,
  revision: number,
  deps: LedgerDeps,
): Promise<RecalledPlaces> {
  for (let look = 1; look <= LOOKS_MAX; look += 1) {
    const places = await deps.recallTables.places(query);
    if (places.appliedRevision >= revision) return places;
    await new Promise<void>((resolve) => deps.timers.after(LOOK_EVERY_MS, resolve));
  }
  throw new ReadTablesError(
    `the read tables have not applied revision ${revision} of account ${query.accountId}`,
  );
}

function answerAt(place: RecalledAnswer | null): FirstAnswer | null {
  return place === null ? null : { requestHash: place.request_hash, revision: place.revision };
}

async function holdAt(
  accountId: string,
  place: NonNullable<RecalledPlaces['hold']>,
  deps: LedgerDeps,
): Promise<SettledHold | null> {
  const stream = accountStream(accountId);
  const events =
    place.kind === 'tombstone'
      ? await readCommandEvents(deps.log, stream, place.revision)
      : await eventsAt(stream, place.revisions, deps);
  const batchIds = batchesThatPaid(place.hold_id, events);
  const batches = batchIds.length === 0 ? [] : await deps.recallTables.origins(accountId, batchIds);
  return rebuilding(() => recallHold(place.hold_id, events, originsIn(batches)));
}

async function sourceAt(
  accountId: string,
  place: NonNullable<RecalledPlaces['source']>,
  deps: LedgerDeps,
): Promise<Source | null> {
  const events = await eventsAt(accountStream(accountId), place.revisions, deps);
  return rebuilding(() => recallSource(place.source_ref, events));
}

async function eventsAt(stream: string, revisions: readonly number[], deps: LedgerDeps) {
  const events = await readRevisions(deps.log, stream, revisions);
  if (events.length < revisions.length)
    throw new ReadTablesError(`the read tables name events that ${stream} does not have`);
  return events;
}

function originsIn(batches: readonly RecalledBatch[]): (batchId: string) => BatchOrigin {
  const origins = new Map(batches.map((batch) => [batch.batch_id, toOrigin(batch)]));
  return (batchId) => {
    const origin = origins.get(batchId);
    if (origin === undefined) throw new Error(`batch ${batchId} is not in the read tables`);
    return origin;
  };
}

function toOrigin(batch: RecalledBatch): BatchOrigin {
  return {
    batchId: batch.batch_id,
    kind: batch.kind,
    points: batch.points,
    createdMs: batch.created_at.getTime(),
    expiresMs: batch.expires_at?.getTime() ?? null,
    sourceRef: batch.source_ref,
    originBatchId: batch.origin_batch_id,
  };
}

/** Events that cannot be those of one hold: the tables are not made of this log. */
function rebuilding<Found>(rebuild: () => Found): Found {
  try {
    return rebuild();
  } catch (cause) {
    throw new ReadTablesError('the read tables and the log do not belong together', { cause });
  }
}
