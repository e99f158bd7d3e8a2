import type { EventLog } from '@points/event-store/event-log';
import { LOCKS, POSITION_CHANNEL, READ_CHECKPOINT } from '@points/read-model/coordination';
import type { ReadTables } from '@points/read-model/tables';
import { sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';

/** How far the read tables are. */
export interface Checkpoint {
  /** Everything up to here is applied. */
  readonly position: bigint;
  /** The last event that was applied; null when none was yet. */
  readonly event: AppliedEvent | null;
}

export interface AppliedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly position: bigint;
}

/** The checkpoint is not where this process left it: another projector or a rebuild has moved it. */
export class CheckpointMovedError extends Error {
  override readonly name = 'CheckpointMovedError';
}

/** The log does not hold what the read tables, or the published facts, were made from. */
export class OtherLogError extends Error {
  override readonly name = 'OtherLogError';
}

/** Null when nothing was ever applied. */
export async function readCheckpoint(db: Kysely<ReadTables>): Promise<Checkpoint | null> {
  const row = await db
    .selectFrom('projection_checkpoints')
    .selectAll()
    .where('name', '=', READ_CHECKPOINT)
    .executeTakeFirst();
  if (row === undefined) return null;
  const { position, event_stream, event_revision, event_id, event_position } = row;
  if (
    event_stream === null ||
    event_revision === null ||
    event_id === null ||
    event_position === null
  ) {
    return { position, event: null };
  }
  return {
    position,
    event: {
      stream: event_stream,
      revision: event_revision,
      id: event_id,
      position: event_position,
    },
  };
}

/**
 * Moves the checkpoint on, if it is still where `expected` says; throws CheckpointMovedError otherwise. First in its
 * transaction: from here to the commit no rebuild can put other tables in the place of these, and no other projector
 * can get past.
 */
export async function advanceCheckpoint(
  transaction: Transaction<ReadTables>,
  expected: Checkpoint | null,
  next: Checkpoint,
): Promise<void> {
  const [system, swap] = LOCKS.swap;
  await sql`select pg_advisory_xact_lock_shared(${system}, ${swap})`.execute(transaction);
  const values = {
    position: next.position,
    event_stream: next.event?.stream ?? null,
    event_revision: next.event?.revision ?? null,
    event_id: next.event?.id ?? null,
    event_position: next.event?.position ?? null,
    updated_at: sql<Date>`now()`,
  };
  const moved =
    expected === null
      ? await transaction
          .insertInto('projection_checkpoints')
          .values({ name: READ_CHECKPOINT, ...values })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
      : await transaction
          .updateTable('projection_checkpoints')
          .set(values)
          .where('name', '=', READ_CHECKPOINT)
          .where('position', '=', expected.position)
          .executeTakeFirst();
  const rows = 'numUpdatedRows' in moved ? moved.numUpdatedRows : moved.numInsertedOrUpdatedRows;
  if (rows === 1n) return;
  throw new CheckpointMovedError(
    `the checkpoint is not at ${expected?.position ?? 'the start'} any more: another projector or a rebuild is at work`,
  );
}

/** Tells whoever waits for this position that it is applied; sent when the transaction commits. */
export async function announcePosition(
  transaction: Transaction<ReadTables>,
  position: bigint,
): Promise<void> {
  await sql`select pg_notify(${POSITION_CHANNEL}, ${String(position)})`.execute(transaction);
}

/**
 * Proves that the log holds the last event that was applied: a log that was replaced, or restored from an older copy,
 * does not, and going on from its middle would mix two histories. Throws OtherLogError.
 */
export async function checkSameLog(
  eventLog: EventLog,
  { event }: Checkpoint,
  signal: AbortSignal,
): Promise<void> {
  if (event === null || (await holdsEvent(eventLog, event, signal))) return;
  throw new OtherLogError(
    `different or restored event store: it does not hold event ${event.revision} of ${event.stream} at position ` +
      `${event.position}, which the read tables were made from. Connect the right store, or make the read tables ` +
      'anew from this one with "npm run rebuild".',
  );
}

/** Whether the log has this very event at this very place. Throws StoreUnavailableError. */
export async function holdsEvent(
  eventLog: EventLog,
  { stream, revision, id, position }: AppliedEvent,
  signal: AbortSignal,
): Promise<boolean> {
  const read = { fromRevision: revision, maxCount: 1, signal };
  for await (const stored of eventLog.readStream(stream, read)) {
    if (stored.id === id && stored.position === position) return true;
  }
  return false;
}

/** Takes a session lock; false when another session has it. */
export async function tryLock(
  db: Kysely<ReadTables>,
  [system, purpose]: readonly [number, number],
): Promise<boolean> {
  const { rows } = await sql<{ taken: boolean }>`
    select pg_try_advisory_lock(${system}, ${purpose}) as taken`.execute(db);
  return rows[0]?.taken === true;
}
