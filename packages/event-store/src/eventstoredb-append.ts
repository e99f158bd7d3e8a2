import { parseUUID } from '@eventstore/db-client/dist/utils/grpcUUID.js';
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js';
import { createAppendBook } from './eventstoredb-append-book.ts';
import type { AppendBookBounds } from './eventstoredb-append-book.ts';
import { batchAppendRequest, positionOf } from './eventstoredb-append-messages.ts';
import {
  checkBatchAppend,
  NoBatchAppendError,
  openBatchStream,
} from './eventstoredb-append-stream.ts';
import type { BatchStream } from './eventstoredb-append-stream.ts';
import type { AdapterLog, Connection } from './eventstoredb-connection.ts';
import { describeError, verdictOnReply, verdictOnStreamEnd } from './eventstoredb-errors.ts';
import type { EncodedEvent } from './eventstoredb-guards.ts';
import { NotAppendedError, OutcomeUnknownError } from './event-log.ts';
import type { AppendResult, ExpectedRevision } from './event-log.ts';

/**
 * Appends over one BatchAppend stream: many appends in flight, each with its own correlation id and its own timer.
 *
 * The stream is opened with the client's connection and the client's generated messages, but not through its
 * `appendToStream`, which in 6.2.1 cannot be used safely by a process that must stay up:
 *
 * - it has no timer: a silent server, or a stream that the server ends with OK, leaves its promises pending for ever;
 * - it keeps the promises of all clients of the process in one map, and one failing stream rejects them all, also those
 *   on healthy connections;
 * - a reply whose promise is gone throws in its data handler, and that ends the process;
 * - when a connection breaks while more than 16 appends wait to be written, it rejects promises that nobody can
 *   handle, and that ends the process too;
 * - it tells the server an absolute deadline, so a client whose clock is behind gets Timeout for every append (without
 *   one the server takes its own limit, 2 s).
 *
 * States: no stream → opening → open → (failed) → no stream. Appends wait in order until there is a stream and a place
 * on it. What was never handed to a stream was surely not sent; what was handed over is unknown until answered. A
 * stream that fails, or leaves several appends in a row unanswered, takes its whole connection with it: the next append
 * opens a new one.
 */
export function createAppender({ connect, bounds, log }: AppenderDeps): Appender {
  const book = createAppendBook(bounds, onUnanswered);
  let stream: BatchStream | null = null;
  let opening: Promise<void> | null = null;
  let lastFailureAtMs = Number.NEGATIVE_INFINITY;
  let unansweredInARow = 0;
  let closed = false;

  function append(
    streamName: string,
    events: readonly EncodedEvent[],
    expectedRevision: ExpectedRevision,
  ): Promise<AppendResult> {
    if (closed)
      return Promise.reject(new NotAppendedError('the event log is closed', { retryable: false }));
    const outcome = book.add(streamName, (correlationId) =>
      batchAppendRequest(correlationId, streamName, events, expectedRevision),
    );
    pump();
    return outcome;
  }

  function pump(): void {
    if (closed || book.waitingCount() === 0) return;
    if (stream === null) {
      opening ??= open().finally(() => {
        opening = null;
        pump();
      });
      return;
    }
    // Not writing while the transport is full keeps "handed over" and "sent" close together.
    while (!stream.full) {
      const one = book.takeNext();
      if (one === null) return;
      stream.full = !stream.call.write(one.request);
    }
  }

  /** Opens a connection and its batch stream; if that fails, all that wait are refused: nothing of them was sent. */
  async function open(): Promise<void> {
    await pause(Math.max(0, lastFailureAtMs + bounds.reconnectPauseMs - performance.now()));
    let connection: Connection | null = null;
    try {
      connection = connect();
      await checkBatchAppend(connection, bounds.openTimeoutMs);
      const opened = await within(
        bounds.openTimeoutMs,
        openBatchStream(connection, { onReply, onDrain, onEnd }),
      );
      if (opened.ended) throw new Error('the batch stream ended as soon as it was open');
      stream = opened;
    } catch (cause) {
      lastFailureAtMs = performance.now();
      const retryable = !(cause instanceof NoBatchAppendError);
      const message = `no connection for appends: ${describeError(cause)}`;
      book.settleWaiting(() => new NotAppendedError(message, { retryable, cause }));
      await connection?.dispose();
    }
  }

  function onReply(reply: streamsPb.BatchAppendResp): void {
    const one = book.findSent(parseUUID(reply.getCorrelationId()) ?? '');
    // A late reply: its append was given up. (The client's own code dies here.)
    if (one === null) return;
    unansweredInARow = 0;
    const error = reply.getError();
    const success = reply.getSuccess();
    if (success !== undefined) {
      const revision = Number(success.getCurrentRevision());
      book.settle(one, { outcome: 'appended', position: positionOf(success), revision });
    } else if (error !== undefined) {
      const verdict = verdictOnReply(one.streamName, error);
      book.settle(one, verdict === 'conflict' ? { outcome: 'conflict' } : verdict);
    } else {
      book.settle(
        one,
        new OutcomeUnknownError(`append to ${one.streamName}: the reply says nothing`),
      );
    }
    pump();
  }

  function onDrain(drained: BatchStream): void {
    drained.full = false;
    pump();
  }

  /** The stream is over, with an error or (null) without: nothing more will be answered on it. */
  function onEnd(ended: BatchStream, error: Error | null): void {
    if (ended !== stream) return;
    stream = null;
    lastFailureAtMs = performance.now();
    unansweredInARow = 0;
    if (!closed) {
      const details = { inFlight: book.sentCount(), reason: describeError(error) };
      log.warn(details, 'event store batch stream ended');
    }
    book.settleSent((one) => verdictOnStreamEnd(one.streamName, error));
    void ended.connection.dispose();
    pump();
  }

  /** A connection that answers nothing may never answer again, and nothing else would notice. */
  function onUnanswered(): void {
    unansweredInARow += 1;
    if (stream !== null && unansweredInARow >= bounds.unansweredBeforeRebuild) {
      onEnd(stream, new Error(`${unansweredInARow} appends in a row without an answer`));
    } else {
      pump();
    }
  }

  async function close(): Promise<void> {
    closed = true;
    book.settleWaiting(
      () => new NotAppendedError('the event log was closed', { retryable: false }),
    );
    await opening;
    const last = stream;
    if (last === null) return;
    onEnd(last, new Error('the event log was closed'));
    await last.connection.dispose();
  }

  return { append, close };
}

export interface AppenderDeps {
  /** Makes a client with a connection of its own, which the appender disposes. */
  readonly connect: () => Connection;
  readonly bounds: AppenderBounds;
  readonly log: AdapterLog;
}

export interface AppenderBounds extends AppendBookBounds {
  /** For the connection, and again for the batch stream. */
  readonly openTimeoutMs: number;
  /** At least this long between a failed connection and the next try. */
  readonly reconnectPauseMs: number;
  readonly unansweredBeforeRebuild: number;
}

export interface Appender {
  readonly append: (
    stream: string,
    events: readonly EncodedEvent[],
    expectedRevision: ExpectedRevision,
  ) => Promise<AppendResult>;
  readonly close: () => Promise<void>;
}

async function within<Value>(timeoutMs: number, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
