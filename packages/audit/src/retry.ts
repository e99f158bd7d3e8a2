import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailableError } from '@points/event-store/event-log';

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long to wait before each further try; after the last one it has failed. */
  readonly pausesMs?: readonly number[] | undefined;
  /** Whether the error may pass by itself: without it, only that of a store that cannot be read for now. */
  readonly mayPass?: (error: unknown) => boolean;
}

const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000];

/** Does it again, unchanged, while what it fails of may pass. Throws its last error, or the signal's reason. */
export async function insistent<Answer>(
  work: () => Promise<Answer>,
  options: RetryOptions = {},
): Promise<Answer> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      await pauseBeforeRetry(error, failures, options);
    }
  }
}

/** Throws the error when it will not pass, or has come too often. */
export async function pauseBeforeRetry(
  error: unknown,
  failures: number,
  { signal, pausesMs = PAUSES_MS, mayPass = isStoreAway }: RetryOptions,
): Promise<void> {
  const pauseMs = pausesMs[failures];
  if (!mayPass(error) || pauseMs === undefined) throw error;
  await sleep(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

function isStoreAway(error: unknown): boolean {
  return error instanceof StoreUnavailableError;
}
