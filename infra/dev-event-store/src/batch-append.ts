import shared from '@eventstore/db-client/generated/shared_pb.js';
import type statusMessages from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import emptyMessages from 'google-protobuf/google/protobuf/empty_pb.js';
import { exceedsLimit, handleAppend } from './append-flow.ts';
import type { AppendAnswer, AppendDeps } from './append-flow.ts';
import { guarded } from './calls.ts';
import { NO_REVISION } from './events.ts';
import type { ExpectedRevision, ProposedEvent } from './events.ts';
import type { GrpcCall, GrpcHandler } from './grpc-server.ts';
import {
  BadMessageError,
  decodeMessage,
  decodeProposedEvent,
  decodeStreamName,
  decodeUint64,
  streamIdentifier,
} from './messages.ts';
import { batchStatus, WRITE_TIMEOUT_MS } from './statuses.ts';

/**
 * `Streams.BatchAppend`: any number of appends over one call. An append may come in several messages with one
 * correlation id; the first carries the options, the last `is_final`.
 */
export function createBatchAppendHandler(deps: AppendDeps): GrpcHandler {
  return (call) => {
    const batch: Batch = { call, pending: new Map(), unanswered: 0, half: false };
    call.onRequest({
      message: guarded(call, (bytes: Buffer) =>
        receive(deps, batch, decodeMessage(streams.BatchAppendReq, bytes)),
      ),
      end: () => {
        batch.half = true;
        if (batch.unanswered === 0) call.end();
      },
    });
    call.onClosed(() => {
      for (const { timer } of batch.pending.values()) clearTimeout(timer);
      batch.pending.clear();
    });
  };
}

interface Batch {
  readonly call: GrpcCall;
  readonly pending: Map<string, PendingAppend>;
  unanswered: number;
  /** The client has said all it had to say; the call ends with the last answer. */
  half: boolean;
}

interface PendingAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly events: ProposedEvent[];
  readonly timer: NodeJS.Timeout | undefined;
}

function receive(deps: AppendDeps, batch: Batch, request: streams.BatchAppendReq): void {
  const { call } = batch;
  const correlationId = request.getCorrelationId();
  const stream = request.getOptions()?.getStreamIdentifier();
  const refuse = (error: statusMessages.Status): void => {
    call.write([answerMessage(correlationId, stream).setError(error).serializeBinary()]);
  };
  const key = correlationId?.getString() ?? '';
  try {
    const options = request.getOptions();
    if (options !== undefined && !batch.pending.has(key)) {
      const timeoutMs = requestedTimeoutMs(options);
      if (timeoutMs <= 0) return refuse(batchStatus.timeout());
      batch.pending.set(
        key,
        open(
          options,
          request.getIsFinal()
            ? null
            : {
                timeoutMs,
                onTimeout: () => {
                  batch.pending.delete(key);
                  refuse(batchStatus.timeout());
                },
              },
        ),
      );
    }
    const pending = batch.pending.get(key);
    if (pending === undefined) return;
    for (const message of request.getProposedMessagesList())
      pending.events.push(decodeProposedEvent(message));
    if (exceedsLimit(pending.events)) {
      forget(batch, key);
      return refuse(batchStatus.maxAppendSizeExceeded());
    }
    if (!request.getIsFinal()) return;
    forget(batch, key);
    submit(deps, { batch, correlationId, pending });
  } catch (error) {
    forget(batch, key);
    if (!(error instanceof BadMessageError)) throw error;
    refuse(batchStatus.badRequest(error.message));
  }
}

function submit(
  deps: AppendDeps,
  {
    batch,
    correlationId,
    pending,
  }: { batch: Batch; correlationId: shared.UUID | undefined; pending: PendingAppend },
): void {
  const { call } = batch;
  batch.unanswered += 1;
  handleAppend(deps, pending, {
    answer: (answer) => {
      const message = answerMessage(correlationId, streamIdentifier(pending.stream));
      if (answer.kind === 'success') message.setSuccess(successMessage(answer));
      else message.setError(errorOf(answer, pending));
      call.write([message.serializeBinary()]);
      batch.unanswered -= 1;
      if (batch.half && batch.unanswered === 0) call.end();
    },
    fail: call.fail,
    end: call.end,
    resetConnection: call.resetConnection,
  });
}

function open(
  options: streams.BatchAppendReq.Options,
  unfinished: { timeoutMs: number; onTimeout: () => void } | null,
): PendingAppend {
  return {
    stream: decodeStreamName(options.getStreamIdentifier()),
    expected: expectedRevision(options),
    events: [],
    timer: unfinished === null ? undefined : setTimeout(unfinished.onTimeout, unfinished.timeoutMs),
  };
}

function forget(batch: Batch, key: string): void {
  clearTimeout(batch.pending.get(key)?.timer);
  batch.pending.delete(key);
}

/** The deadline is a time of the client's clock, measured against the server's. */
function requestedTimeoutMs(options: streams.BatchAppendReq.Options): number {
  const deadline = options.getDeadline();
  if (deadline === undefined) return WRITE_TIMEOUT_MS;
  const atMs = deadline.getSeconds() * 1000 + deadline.getNanos() / 1_000_000;
  return Math.min(atMs - Date.now(), WRITE_TIMEOUT_MS);
}

function expectedRevision(options: streams.BatchAppendReq.Options): ExpectedRevision {
  if (options.hasStreamPosition()) return decodeUint64(options.getStreamPosition());
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasAny()) return 'any';
  if (options.hasStreamExists()) return 'stream_exists';
  throw new BadMessageError("'None' is not a valid ExpectedStreamPositionOneofCase");
}

function answerMessage(
  correlationId: shared.UUID | undefined,
  stream: shared.StreamIdentifier | undefined,
): streams.BatchAppendResp {
  return new streams.BatchAppendResp().setCorrelationId(correlationId).setStreamIdentifier(stream);
}

function successMessage({
  revision,
  position,
}: {
  revision: number;
  position: number | null;
}): streams.BatchAppendResp.Success {
  const success = new streams.BatchAppendResp.Success();
  if (revision === NO_REVISION) success.setNoStream(new emptyMessages.Empty());
  else success.setCurrentRevision(String(revision));
  if (position === null) return success.setNoPosition(new emptyMessages.Empty());
  const place = new shared.AllStreamPosition()
    .setCommitPosition(String(position))
    .setPreparePosition(String(position));
  return success.setPosition(place);
}

function errorOf(
  answer: Exclude<AppendAnswer, { kind: 'success' }>,
  pending: PendingAppend,
): statusMessages.Status {
  switch (answer.kind) {
    case 'wrong_revision':
      return batchStatus.wrongExpectedVersion(pending.expected, answer.current);
    case 'stream_deleted':
      return batchStatus.streamDeleted(pending.stream);
    case 'timeout':
      return batchStatus.timeout();
    case 'access_denied':
      return batchStatus.accessDenied();
    case 'not_ready':
      return batchStatus.notReady();
    case 'busy':
      return batchStatus.busy();
    case 'bad_request':
      return batchStatus.badRequest(answer.message);
  }
}
