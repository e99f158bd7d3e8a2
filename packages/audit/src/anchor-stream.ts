import { type LedgerAnchor, decodeStoredAnchor } from '@points/contracts/stored-anchors';
import { UnreadableEventError, encodeMetadata } from '@points/contracts/stored-events';
import { AUDIT_ANCHOR_STREAM } from '@points/contracts/streams';
import {
  type EventLog,
  type EventToAppend,
  type ExpectedRevision,
  NotAppendedError,
  OutcomeUnknownError,
  StoreUnavailableError,
} from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { v7 } from 'uuid';
import { type Finding, findingAt } from './finding.ts';
import { insistent } from './retry.ts';
import { problemOfEvent } from './seal.ts';
import { createStreamChains, linkOf } from './stream-chains.ts';

/** The anchors in the log, a stream beside the ledger's. */
export function createAnchorStream(
  log: Pick<EventLog, 'readStream' | 'readLast' | 'append'>,
  options: AnchorStreamOptions,
): AnchorStream {
  const { signal, retryPausesMs: pausesMs } = options;
  // Unchanged, while the store is away or leaves open whether it was done.
  const patiently = <Answer>(work: () => Promise<Answer>): Promise<Answer> =>
    insistent(work, { signal, pausesMs, mayPass });
  let batch: Batch | null = null;

  return {
    read: () => patiently(() => readAnchors(log, signal)),
    async append(anchor) {
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
        if (batch?.anchor !== anchor) batch = await patiently(() => batchOf(log, anchor));
        const { events, expected } = batch;
        const result = await patiently(() => log.append(AUDIT_ANCHOR_STREAM, events, expected));
        // Either way the outcome is known: there is nothing to repeat.
        batch = null;
        if (result.outcome === 'appended') return;
      }
      throw new NotAppendedError(`others keep writing to ${AUDIT_ANCHOR_STREAM}`, {
        retryable: true,
      });
    },
  };
}

export interface AnchorStream {
  /** All of them, and what is wrong with their stream. */
  read(): Promise<{ readonly anchors: readonly LedgerAnchor[]; readonly findings: Finding[] }>;
  /**
   * Adds an anchor to the end. When it throws, called with the same object again it first repeats the very same append,
   * so that the anchor is there once. Throws as `EventLog.append` and `readLast` do, after some tries.
   */
  append(anchor: LedgerAnchor): Promise<void>;
}

export interface AnchorStreamOptions {
  readonly signal: AbortSignal;
  /** How long to wait before each further try of what the store has failed. */
  readonly retryPausesMs?: readonly number[];
}

interface Batch {
  readonly anchor: LedgerAnchor;
  readonly events: readonly EventToAppend[];
  readonly expected: ExpectedRevision;
}

/** Another job may append at the same moment: look again, so often. */
const ATTEMPTS_MAX = 5;
/** Nobody has sent a request. */
const NO_REQUEST = '0'.repeat(64);

async function readAnchors(log: Pick<EventLog, 'readStream'>, signal: AbortSignal) {
  const anchors: LedgerAnchor[] = [];
  const findings: Finding[] = [];
  const chains = createStreamChains();
  for await (const event of log.readStream(AUDIT_ANCHOR_STREAM, { fromRevision: 0, signal })) {
    const problem = problemOfEvent(event);
    if (problem !== null) findings.push(findingAt(event, problem.kind, problem.message));
    const broken = chains.add(linkOf(event));
    if (broken !== null) findings.push(broken);
    try {
      anchors.push(decodeStoredAnchor(event));
    } catch (error) {
      if (!(error instanceof UnreadableEventError)) throw error;
      findings.push({
        ...findingAt(event, 'unreadable_event', ''),
        message: error.message,
      });
    }
  }
  return { anchors, findings };
}

async function batchOf(log: Pick<EventLog, 'readLast'>, anchor: LedgerAnchor): Promise<Batch> {
  const last = await log.readLast(AUDIT_ANCHOR_STREAM);
  const commandId = v7({ msecs: Date.parse(anchor.signed_at) });
  const metadata = encodeMetadata({
    eventType: 'LedgerAnchored',
    context: {
      command_id: commandId,
      request_hash: NO_REQUEST,
      index: 0,
      occurred_at: anchor.signed_at,
    },
    commandName: 'anchor',
    actorType: 'system',
    actorId: 'audit',
    correlationId: commandId,
    causationId: commandId,
  });
  const draft = { type: 'LedgerAnchored', data: { ...anchor }, metadata };
  const revision = last === null ? 0 : last.revision + 1;
  return {
    anchor,
    events: chainEvents(AUDIT_ANCHOR_STREAM, revision, last?.metadata['hash'] ?? GENESIS_HASH, [
      draft,
    ]),
    expected: last === null ? 'no_stream' : last.revision,
  };
}

function mayPass(error: unknown): boolean {
  return (
    error instanceof StoreUnavailableError ||
    error instanceof OutcomeUnknownError ||
    (error instanceof NotAppendedError && error.retryable)
  );
}
