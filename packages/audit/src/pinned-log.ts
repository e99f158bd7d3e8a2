import { LEDGER_STREAM_PREFIXES, accountStream } from '@points/contracts/streams';
import type { AllPage, EventLog } from '@points/event-store/event-log';
import type { AuditEvent } from './audit-event.ts';
import { insistent, pauseBeforeRetry } from './retry.ts';

/**
 * Every event after `afterPosition` (exclusive) up to `pin` (inclusive) of the streams with one of the prefixes, in the
 * order of the log, whatever is appended meanwhile. The next page is on its way while the present one is consumed.
 *
 * A store that is away for a moment is asked again from the last position that it told; throws `StoreUnavailableError`
 * when it stays away, `LogEndsEarlyError` when the log ends before the pin, and the signal's reason when that fires.
 */
export async function* eventsUpTo(
  log: Pick<EventLog, 'readAll'>,
  options: EventsUpToOptions,
): AsyncGenerator<AuditEvent, void> {
  const { pin, afterPosition = null, streamPrefixes = LEDGER_STREAM_PREFIXES } = options;
  const { pageEvents: maxCount = PAGE_EVENTS } = options;
  const left = new AbortController();
  const signal =
    options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const isDone = (position: bigint | null): boolean =>
    pin === null || (position !== null && position >= pin);
  const pageAfter = (position: bigint | null): Promise<AllPage> => {
    const page = insistent(
      () => log.readAll({ afterPosition: position, streamPrefixes, maxCount, signal }),
      { signal, pausesMs: options.retryPausesMs },
    );
    // It may fail while nobody waits for it yet, or any more.
    page.catch(() => undefined);
    return page;
  };
  if (isDone(afterPosition)) return;
  let next: Promise<AllPage> | null = pageAfter(afterPosition);
  try {
    while (next !== null) {
      const page: AllPage = await next;
      const done = isDone(page.position);
      if (page.end && !done) throw new LogEndsEarlyError(page.position, pin);
      next = done ? null : pageAfter(page.position);
      for (const event of page.events) {
        if (pin === null || event.position > pin) return;
        yield event;
      }
    }
  } finally {
    left.abort();
  }
}

export interface EventsUpToOptions {
  /** See `pinPosition`; null = nothing. */
  readonly pin: bigint | null;
  readonly afterPosition?: bigint | null;
  readonly streamPrefixes?: readonly string[];
  /** Events that one read of the log looks at; two of these pages are in memory at a time. */
  readonly pageEvents?: number;
  readonly signal?: AbortSignal;
  /** How long to wait before asking a store again that is away, each time; then it has failed. */
  readonly retryPausesMs?: readonly number[];
}

/** The position up to which a run looks at the log; null when it is empty. Throws `StoreUnavailableError`. */
export function pinPosition(
  log: Pick<EventLog, 'readLastPosition'>,
  signal?: AbortSignal,
): Promise<bigint | null> {
  return insistent(() => log.readLastPosition(), { signal });
}

/**
 * The events of one account up to `pin` (inclusive), from its stream alone. Fails as `eventsUpTo` does; `RangeError`
 * when `accountId` is not an id.
 */
export async function* accountEventsUpTo(
  log: Pick<EventLog, 'readStream'>,
  accountId: string,
  options: AccountEventsUpToOptions,
): AsyncGenerator<AuditEvent, void> {
  const { pin, signal } = options;
  const stream = accountStream(accountId);
  const cancel = signal === undefined ? {} : { signal };
  let { fromRevision = 0 } = options;
  for (let failures = 0; ;) {
    try {
      for await (const event of log.readStream(stream, { ...cancel, fromRevision })) {
        if (pin === null || event.position > pin) return;
        yield event;
        fromRevision = event.revision + 1;
        failures = 0;
      }
      return;
    } catch (error) {
      await pauseBeforeRetry(error, failures, { signal });
      failures += 1;
    }
  }
}

export interface AccountEventsUpToOptions {
  /** See `pinPosition`; null = nothing. */
  readonly pin: bigint | null;
  /** Inclusive. */
  readonly fromRevision?: number;
  readonly signal?: AbortSignal;
}

/** The log ends before a position that it once had. */
export class LogEndsEarlyError extends Error {
  override readonly name = 'LogEndsEarlyError';
  constructor(end: bigint | null, pin: bigint | null) {
    super(
      `the log ends at position ${end ?? 'none (it is empty)'} and should reach ${pin ?? 'none'}: this is another store, or one that was restored from an older copy`,
    );
  }
}

/** Two pages are in memory at a time: some 15 MB of events as they usually are. */
const PAGE_EVENTS = 4_096;
