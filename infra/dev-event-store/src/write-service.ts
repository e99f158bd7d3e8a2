import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { exceedsLimit, handleAppend, settleWrite } from './append-flow.ts';
import type { AppendAnswer, AppendDeps } from './append-flow.ts';
import { guarded, unary } from './calls.ts';
import { NO_REVISION } from './events.ts';
import type { ExpectedRevision, ProposedEvent } from './events.ts';
import type { GrpcCall, GrpcHandler, GrpcStatus } from './grpc-server.ts';
import {
  BadMessageError,
  decodeMessage,
  decodeProposedEvent,
  decodeStreamName,
  decodeUint64,
} from './messages.ts';
import { callStatus } from './statuses.ts';

/** `Streams.Append`, the classic path: one call per append, the options first, then one message per event. */
export function createAppendHandler(deps: AppendDeps): GrpcHandler {
  return (call) => {
    let target: { stream: string; expected: ExpectedRevision } | null = null;
    const events: ProposedEvent[] = [];
    call.onRequest({
      message: guarded(call, (bytes: Buffer) => {
        const request = decodeMessage(streams.AppendReq, bytes);
        const options = request.getOptions();
        const proposed = request.getProposedMessage();
        if (target === null) {
          if (options === undefined) throw new BadMessageError('the options come first');
          target = {
            stream: decodeStreamName(options.getStreamIdentifier()),
            expected: expectedRevision(options),
          };
          return;
        }
        if (proposed === undefined) throw new BadMessageError('only events may follow the options');
        events.push(decodeProposedEvent(proposed));
        if (exceedsLimit(events)) call.fail(callStatus.maxAppendSizeExceeded());
      }),
      end: guarded(call, () => {
        if (call.closed) return;
        if (target === null) throw new BadMessageError('an append without options');
        const request = { ...target, events };
        handleAppend(deps, request, {
          answer: (answer) => answerAppend(call, request, answer),
          fail: call.fail,
          end: call.end,
          resetConnection: call.resetConnection,
        });
      }),
    });
  };
}

/** `Streams.Delete`: hides the stream's events; writing to it again brings it back, with the numbering going on. */
export function createDeleteHandler(deps: AppendDeps): GrpcHandler {
  return unary((bytes, call) => {
    const request = writeRequest(decodeMessage(streams.DeleteReq, bytes).getOptions());
    settleWrite(
      deps,
      () => deps.database.log.softDelete(request),
      (answer) => {
        if (answer.kind !== 'success') return call.fail(deleteRefusal(answer, request));
        const position = new streams.DeleteResp.Position()
          .setCommitPosition(String(answer.position))
          .setPreparePosition(String(answer.position));
        call.write([new streams.DeleteResp().setPosition(position).serializeBinary()]);
        call.end();
      },
    );
  });
}

/** `Streams.Tombstone`: the stream is gone for good, and so is its name. */
export function createTombstoneHandler(deps: AppendDeps): GrpcHandler {
  return unary((bytes, call) => {
    const request = writeRequest(decodeMessage(streams.TombstoneReq, bytes).getOptions());
    settleWrite(
      deps,
      () => deps.database.log.tombstone(request),
      (answer) => {
        if (answer.kind !== 'success') return call.fail(deleteRefusal(answer, request));
        const position = new streams.TombstoneResp.Position()
          .setCommitPosition(String(answer.position))
          .setPreparePosition(String(answer.position));
        call.write([new streams.TombstoneResp().setPosition(position).serializeBinary()]);
        call.end();
      },
    );
  });
}

type RevisionOptions =
  | streams.AppendReq.Options
  | streams.DeleteReq.Options
  | streams.TombstoneReq.Options;

function expectedRevision(options: RevisionOptions): ExpectedRevision {
  if (options.hasRevision()) return decodeUint64(options.getRevision());
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasAny()) return 'any';
  if (options.hasStreamExists()) return 'stream_exists';
  throw new BadMessageError("'None' is not a valid ExpectedStreamRevisionOneofCase");
}

interface DeleteRequest {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly nowMs: number;
}

function writeRequest(
  options: streams.DeleteReq.Options | streams.TombstoneReq.Options | undefined,
): DeleteRequest {
  if (options === undefined) throw new BadMessageError('a delete without options');
  return {
    stream: decodeStreamName(options.getStreamIdentifier()),
    expected: expectedRevision(options),
    nowMs: Date.now(),
  };
}

type Refusal = Exclude<AppendAnswer, { kind: 'success' }>;

function answerAppend(
  call: GrpcCall,
  request: { stream: string; expected: ExpectedRevision },
  answer: AppendAnswer,
): void {
  if (answer.kind === 'success') {
    call.write([new streams.AppendResp().setSuccess(successMessage(answer)).serializeBinary()]);
    call.end();
  } else if (answer.kind === 'wrong_revision') {
    const wrong = wrongExpectedVersionMessage(request.expected, answer.current);
    call.write([new streams.AppendResp().setWrongExpectedVersion(wrong).serializeBinary()]);
    call.end();
  } else {
    call.fail(refusal(answer, request.stream));
  }
}

function successMessage({
  revision,
  position,
}: {
  revision: number;
  position: number | null;
}): streams.AppendResp.Success {
  const success = new streams.AppendResp.Success();
  if (revision === NO_REVISION) success.setNoStream(new shared.Empty());
  else success.setCurrentRevision(String(revision));
  if (position === null) return success.setNoPosition(new shared.Empty());
  return success.setPosition(
    new streams.AppendResp.Position()
      .setCommitPosition(String(position))
      .setPreparePosition(String(position)),
  );
}

/** Not an error of the call, but an answer. */
function wrongExpectedVersionMessage(
  expected: ExpectedRevision,
  current: number,
): streams.AppendResp.WrongExpectedVersion {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (expected === 'any') wrong.setExpectedAny(new shared.Empty());
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new shared.Empty());
  else if (expected === 'no_stream') wrong.setExpectedNoStream(new shared.Empty());
  else wrong.setExpectedRevision(String(expected));
  if (current === NO_REVISION) return wrong.setCurrentNoStream(new shared.Empty());
  return wrong.setCurrentRevision(String(current));
}

function deleteRefusal(answer: Refusal, request: DeleteRequest): GrpcStatus {
  if (answer.kind !== 'wrong_revision') return refusal(answer, request.stream);
  return callStatus.wrongExpectedVersion(request.stream, request.expected, answer.current);
}

function refusal(answer: Refusal, stream: string): GrpcStatus {
  switch (answer.kind) {
    case 'wrong_revision':
      throw new Error('a wrong revision has its own answer on every path');
    case 'stream_deleted':
      return callStatus.streamDeleted(stream);
    case 'timeout':
      return callStatus.timeout('Commit phase timeout.');
    case 'access_denied':
      return callStatus.accessDenied();
    case 'not_ready':
      return callStatus.notReady();
    case 'busy':
      return callStatus.busy();
    case 'bad_request':
      return callStatus.unhandled(new Error(answer.message));
  }
}
