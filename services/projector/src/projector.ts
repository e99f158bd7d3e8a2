import { checkSameLog } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { followLog } from './follow-log.ts';
import type { EventBatch, FollowLogDeps } from './follow-log.ts';

export interface ProjectLogDeps extends FollowLogDeps {
  readonly tables: Tables;
}

/** What the log is applied to: the read tables, by the session that holds the lock of the active projector. */
export interface Tables {
  /** Null when nothing was ever applied. */
  checkpoint(): Promise<Checkpoint | null>;
  /** Rows and checkpoint in one transaction. Throws CheckpointMovedError when the checkpoint is not `expected`. */
  apply(expected: Checkpoint | null, batch: EventBatch): Promise<Checkpoint>;
}

/**
 * Applies the log to the read tables until `signal` is aborted.
 *
 * Reading always starts after the last event that was applied, not at the checkpoint: the stretch between holds
 * nothing of ours in this log, but would in one that was restored from a copy, and then it must not be skipped.
 *
 * Throws whatever makes the session useless or the next event inapplicable: StoppedError, OtherLogError,
 * CheckpointMovedError, pg's errors. An event store that is away is waited for.
 */
export async function projectLog(deps: ProjectLogDeps): Promise<void> {
  const { eventLog, tables, backoff, progress, signal } = deps;
  let checkpoint = await tables.checkpoint();
  progress.applied(checkpoint?.position ?? null, 0);

  await followLog(deps, {
    async open() {
      if (checkpoint !== null) await checkSameLog(eventLog, checkpoint, signal);
      return checkpoint?.event?.position ?? null;
    },
    async apply(batch) {
      const isNews = checkpoint === null || batch.position > checkpoint.position;
      if (batch.events.length === 0 && !isNews) return;
      checkpoint = await tables.apply(checkpoint, batch);
      if (batch.events.length > 0) backoff.reset();
      progress.applied(checkpoint.position, batch.events.length);
    },
    isPassing: () => false,
  });
}
