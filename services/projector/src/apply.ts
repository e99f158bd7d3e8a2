import { decodeStoredEvent, UnreadableEventError } from '@points/contracts/stored-events';
import type { StoredEvent } from '@points/event-store/event-log';
import type { ReadTables } from '@points/read-model/tables';
import type { Kysely } from 'kysely';
import { advanceCheckpoint, announcePosition } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { EventBatch } from './follow-log.ts';
import { project } from './projections.ts';
import type { PlacedEvent } from './projections.ts';
import { readRows, writeRows } from './table-rows.ts';
import { loadTouched, saveChanged } from './touched-rows.ts';
import { ProjectionError } from './working-set.ts';

/** An event that cannot be applied. Nothing after it may be, or every number from here on would be wrong. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** The tables to apply events to. */
export interface Target {
  readonly db: Kysely<ReadTables>;
  /** Whether these are the tables that are read, so that waiting readers must be told. */
  readonly announce: boolean;
}

/**
 * Applies a batch in one transaction, rows and checkpoint together, and gives the new checkpoint. When an event in it
 * cannot be applied, all before it are, and then StoppedError names it. Throws CheckpointMovedError, or pg's error.
 */
export async function applyBatch(
  target: Target,
  checkpoint: Checkpoint | null,
  batch: EventBatch,
): Promise<Checkpoint> {
  const { events } = batch;
  try {
    return await commit(target, checkpoint, batch);
  } catch (error) {
    if (!isOfTheEvent(error)) throw error;
    const [first] = events;
    if (first === undefined) throw error;
    if (events.length === 1) throw stoppedAt(first, error);
  }
  // Halves until the event is alone that cannot be applied.
  const firstHalf = events.slice(0, events.length / 2);
  const reached = firstHalf.at(-1)?.position ?? batch.position;
  const between = await applyBatch(target, checkpoint, { events: firstHalf, position: reached });
  return applyBatch(target, between, {
    events: events.slice(firstHalf.length),
    position: batch.position,
  });
}

async function commit(
  { db, announce }: Target,
  checkpoint: Checkpoint | null,
  { events, position }: EventBatch,
): Promise<Checkpoint> {
  const placed = events.map(place);
  const event = events.at(-1) ?? checkpoint?.event ?? null;
  const next: Checkpoint = { position, event };
  await db.transaction().execute(async (transaction) => {
    await advanceCheckpoint(transaction, checkpoint, next);
    if (announce) await announcePosition(transaction, next.position);
    if (placed.length === 0) return;
    const set = await loadTouched((...what) => readRows(transaction, ...what), placed);
    for (const each of placed) project(set, each);
    await saveChanged((...what) => writeRows(transaction, ...what), set);
  });
  return next;
}

function place(stored: StoredEvent): PlacedEvent {
  const ledgerEvent = decodeStoredEvent(stored);
  return { ledgerEvent, eventId: stored.id, position: stored.position, revision: stored.revision };
}

/** SQLSTATE classes that blame the data: 21 cardinality, 22 data exception, 23 integrity constraint, 54 limit exceeded. */
const DATA_ERROR = /^(21|22|23|54)/;

function isOfTheEvent(error: unknown): error is Error {
  if (error instanceof ProjectionError || error instanceof UnreadableEventError) return true;
  return error instanceof Error && 'code' in error && DATA_ERROR.test(String(error.code));
}

function stoppedAt(event: StoredEvent, cause: Error): StoppedError {
  return new StoppedError(
    `cannot apply event ${event.revision} of ${event.stream} (${event.type}, position ${event.position}): ` +
      cause.message,
    { cause },
  );
}
