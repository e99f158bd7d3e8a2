import { randomUUID } from 'node:crypto';
import type streamsPb from '@eventstore/db-client/generated/streams_pb.js';
import { NotAppendedError, OutcomeUnknownError } from './event-log.ts';
import type { AppendResult } from './event-log.ts';

/**
 * The appends that have no outcome yet, each with its timer: first those that wait to be sent, in order, then those
 * that were handed to a stream. Every one is settled exactly once, by an answer, by the end of its stream, or by its
 * timer: "not appended" while it waits, "unknown" once it was sent.
 */
export function createAppendBook(bounds: AppendBookBounds, onUnanswered: () => void): AppendBook {
  const waiting = new Set<Append>();
  const sent = new Map<string, Append>();

  function settle(one: Append, result: AppendResult | Error): void {
    clearTimeout(one.timer);
    waiting.delete(one);
    sent.delete(one.correlationId);
    if (result instanceof Error) one.reject(result);
    else one.resolve(result);
  }

  function timeIsUp(one: Append): void {
    // A sent one gets one more turn: after a blocked event loop its answer may be waiting in the socket already.
    if (waiting.has(one)) expire(one);
    else setImmediate(expire, one);
  }

  function expire(one: Append): void {
    const what = `append to ${one.streamName}`;
    if (waiting.has(one)) {
      const message = `${what}: not sent within ${bounds.appendTimeoutMs} ms`;
      settle(one, new NotAppendedError(message, { retryable: true }));
    } else if (sent.has(one.correlationId)) {
      settle(
        one,
        new OutcomeUnknownError(`${what}: no answer within ${bounds.appendTimeoutMs} ms`),
      );
      onUnanswered();
    }
  }

  return {
    settle,
    add(streamName, requestOf) {
      if (waiting.size >= bounds.appendsWaitingMax) {
        const message = `append to ${streamName}: ${waiting.size} appends are waiting already`;
        return Promise.reject(new NotAppendedError(message, { retryable: true }));
      }
      return new Promise((resolve, reject) => {
        const correlationId = randomUUID();
        const one: Append = {
          streamName,
          correlationId,
          request: requestOf(correlationId),
          resolve,
          reject,
          timer: setTimeout(() => timeIsUp(one), bounds.appendTimeoutMs),
        };
        waiting.add(one);
      });
    },
    takeNext() {
      if (sent.size >= bounds.appendsInFlightMax) return null;
      for (const one of waiting) {
        waiting.delete(one);
        sent.set(one.correlationId, one);
        return one;
      }
      return null;
    },
    findSent: (correlationId) => sent.get(correlationId) ?? null,
    settleWaiting(result) {
      for (const one of waiting) settle(one, result(one));
    },
    settleSent(result) {
      for (const one of sent.values()) settle(one, result(one));
    },
    waitingCount: () => waiting.size,
    sentCount: () => sent.size,
  };
}

export interface AppendBookBounds {
  /** From the call to its outcome, waiting included. */
  readonly appendTimeoutMs: number;
  readonly appendsInFlightMax: number;
  readonly appendsWaitingMax: number;
}

export interface AppendBook {
  readonly add: (
    streamName: string,
    requestOf: (correlationId: string) => streamsPb.BatchAppendReq,
  ) => Promise<AppendResult>;
  /** The append that has waited longest, counted as sent from now on; null when none waits or too many are in flight. */
  readonly takeNext: () => Append | null;
  readonly findSent: (correlationId: string) => Append | null;
  readonly settle: (one: Append, result: AppendResult | Error) => void;
  readonly settleWaiting: (result: (one: Append) => Error) => void;
  readonly settleSent: (result: (one: Append) => Error) => void;
  readonly waitingCount: () => number;
  readonly sentCount: () => number;
}

export interface Append {
  readonly streamName: string;
  readonly correlationId: string;
  readonly request: streamsPb.BatchAppendReq;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}
