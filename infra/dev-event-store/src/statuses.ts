import shared from '@eventstore/db-client/generated/shared_pb.js';
import statusMessages from '@eventstore/db-client/generated/status_pb.js';
import { status } from '@grpc/grpc-js';
import anyMessages from 'google-protobuf/google/protobuf/any_pb.js';
import emptyMessages from 'google-protobuf/google/protobuf/empty_pb.js';
import { NO_REVISION } from './events.ts';
import type { ExpectedRevision } from './events.ts';
import type { GrpcStatus } from './grpc-server.ts';

/**
 * How the real server says no: once as the status of a call (classic append, reads, deletes), once as the
 * `google.rpc.Status` inside a batch append's answer. Codes, trailers and texts are the real ones; clients go by them.
 */

/** The server's own limit on waiting for a write, and what a late one is answered with. */
export const WRITE_TIMEOUT_MS = 2_000;
export const MAX_APPEND_BYTES = 1024 * 1024;

export const callStatus = {
  streamDeleted: (stream: string): GrpcStatus => ({
    code: status.FAILED_PRECONDITION,
    details: `Event stream '${stream}' is deleted.`,
    trailers: { exception: 'stream-deleted', 'stream-name': stream },
  }),
  wrongExpectedVersion: (
    stream: string,
    expected: ExpectedRevision,
    current: number,
  ): GrpcStatus => ({
    code: status.FAILED_PRECONDITION,
    details: `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${versionNumber(expected)}, Actual version: ${current}`,
    trailers: {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': String(versionNumber(expected)),
      'actual-version': String(current),
    },
  }),
  maxAppendSizeExceeded: (): GrpcStatus => ({
    code: status.INVALID_ARGUMENT,
    details: `Maximum Append Size of ${MAX_APPEND_BYTES} Exceeded.`,
    trailers: {
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': String(MAX_APPEND_BYTES),
    },
  }),
  accessDenied: (): GrpcStatus => ({
    code: status.PERMISSION_DENIED,
    details: 'Access Denied',
    trailers: { exception: 'access-denied' },
  }),
  notLeader: (leader: { host: string; port: number }): GrpcStatus => ({
    code: status.NOT_FOUND,
    details: 'Leader info available',
    trailers: {
      exception: 'not-leader',
      'leader-endpoint-host': leader.host,
      'leader-endpoint-port': String(leader.port),
    },
  }),
  timeout: (message: string): GrpcStatus => ({
    code: status.ABORTED,
    details: `Operation timed out: ${message}`,
  }),
  notReady: (): GrpcStatus => ({ code: status.UNAVAILABLE, details: 'Server Is Not Ready' }),
  busy: (): GrpcStatus => ({ code: status.UNAVAILABLE, details: 'Server Is Too Busy' }),
  invalidArgument: (details: string): GrpcStatus => ({ code: status.INVALID_ARGUMENT, details }),
  /** An exception that the real server does not catch. */
  unhandled: (error: unknown): GrpcStatus => ({
    code: status.UNKNOWN,
    details: `Exception was thrown by handler. ${error instanceof Error ? error.message : String(error)}`,
  }),
};

export const batchStatus = {
  streamDeleted: (stream: string): statusMessages.Status => {
    const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream));
    const details = new shared.StreamDeleted().setStreamIdentifier(identifier);
    return build(status.NOT_FOUND, 'StreamDeleted', details);
  },
  wrongExpectedVersion: (expected: ExpectedRevision, current: number): statusMessages.Status => {
    const details = new shared.WrongExpectedVersion();
    if (current === NO_REVISION) details.setCurrentNoStream(new emptyMessages.Empty());
    else details.setCurrentStreamRevision(String(current));
    if (expected === 'any') details.setExpectedAny(new emptyMessages.Empty());
    else if (expected === 'stream_exists')
      details.setExpectedStreamExists(new emptyMessages.Empty());
    else if (expected === 'no_stream') details.setExpectedNoStream(new emptyMessages.Empty());
    else details.setExpectedStreamPosition(String(expected));
    return build(status.ALREADY_EXISTS, 'WrongExpectedVersion', details);
  },
  maxAppendSizeExceeded: (): statusMessages.Status =>
    build(
      status.INVALID_ARGUMENT,
      'MaximumAppendSizeExceeded',
      new shared.MaximumAppendSizeExceeded().setMaxappendsize(MAX_APPEND_BYTES),
    ),
  accessDenied: (): statusMessages.Status =>
    build(status.PERMISSION_DENIED, 'AccessDenied', new shared.AccessDenied()),
  timeout: (): statusMessages.Status =>
    build(status.DEADLINE_EXCEEDED, 'Timeout', new shared.Timeout()),
  badRequest: (message: string): statusMessages.Status =>
    build(status.INVALID_ARGUMENT, 'BadRequest', new shared.BadRequest().setMessage(message)),
  notReady: (): statusMessages.Status => buildPlain('Server Is Not Ready'),
  busy: (): statusMessages.Status => buildPlain('Server Is Busy'),
};

function build(
  code: status,
  name: string,
  details: { serializeBinary(): Uint8Array },
): statusMessages.Status {
  const any = new anyMessages.Any();
  any.pack(details.serializeBinary(), `event_store.client.${name}`);
  return new statusMessages.Status().setCode(Number(code)).setMessage(name).setDetails(any);
}

/** These two carry no code and an empty message of another package: clients can only go by the text. */
function buildPlain(message: string): statusMessages.Status {
  const any = new anyMessages.Any();
  any.pack(new Uint8Array(), 'google.protobuf.Empty');
  return new statusMessages.Status().setMessage(message).setDetails(any);
}

/** The old numbers that trailers still use. */
function versionNumber(expected: ExpectedRevision): number {
  if (typeof expected === 'number') return expected;
  return { any: -2, no_stream: -1, stream_exists: -4 }[expected];
}
