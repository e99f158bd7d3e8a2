import { inspect } from 'node:util';
import { convertToCommandError, ErrorType } from '@eventstore/db-client';
import type statusPb from '@eventstore/db-client/generated/status_pb.js';
import { NotAppendedError, OutcomeUnknownError } from './event-log.ts';

/*
 * What each failure of an append means. "Surely not written" is claimed only for what is listed here; everything else,
 * also what no server is known to send, is "unknown", because treating a written append as not written doubles it,
 * while treating an unwritten one as unknown only costs a resend.
 *
 *   what arrives                                             where                    verdict
 *   no connection, GetSupportedMethods fails or hangs        before anything is sent  not appended, retryable
 *   no batch append on the server                            before anything is sent  not appended
 *   WrongExpectedVersion                                     reply                    conflict
 *   StreamDeleted, AccessDenied, BadRequest, size limits     reply                    not appended
 *   Server Is Not Ready, Server Is Busy, no leader known     reply                    not appended, retryable
 *   Timeout, Unknown, InternalError, anything else           reply                    unknown
 *   UNAUTHENTICATED, access denied                           whole stream             not appended (refused at the door)
 *   UNAVAILABLE, CANCELLED, INTERNAL, not leader, OK, …      whole stream             unknown for all in flight on it
 *   no answer within our own timer                           our timer                unknown if sent, else not appended
 */

/** The verdict on a reply to one append that carries an error. */
export function verdictOnReply(
  stream: string,
  status: statusPb.Status,
): 'conflict' | NotAppendedError | OutcomeUnknownError {
  const detail = status.getDetails()?.getTypeName() ?? 'none';
  if (detail === 'event_store.client.WrongExpectedVersion') return 'conflict';
  const said = `${detail.replace('event_store.client.', '')} ${status.getMessage()}`.trim();
  const message = `append to ${stream}: the server answered ${said}`;
  if (REFUSALS.has(detail)) return new NotAppendedError(message, { retryable: false });
  if (detail === 'google.protobuf.Empty' && NOT_HANDLED.has(status.getMessage())) {
    return new NotAppendedError(message, { retryable: true });
  }
  return new OutcomeUnknownError(message);
}

const REFUSALS = new Set([
  'event_store.client.StreamDeleted',
  'event_store.client.AccessDenied',
  'event_store.client.BadRequest',
  'event_store.client.InvalidTransaction',
  'event_store.client.MaximumAppendSizeExceeded',
  'event_store.client.MaximumAppendEventSizeExceeded',
]);

/** These have no type of their own: the text is all that tells them apart. */
const NOT_HANDLED = new Set([
  'Server Is Not Ready',
  'Server Is Busy',
  'No leader info available in response',
]);

/** The verdict on an append that was in flight on a batch stream that ended; null = it ended without an error. */
export function verdictOnStreamEnd(
  stream: string,
  cause: Error | null,
): NotAppendedError | OutcomeUnknownError {
  const message = `append to ${stream}: the batch stream ended: ${describeError(cause)}`;
  if (cause !== null && typeOf(cause) === ErrorType.ACCESS_DENIED) {
    return new NotAppendedError(message, { retryable: false, cause });
  }
  return new OutcomeUnknownError(message, { cause });
}

/** True for "there is no such stream", which is an answer and not a failure. */
export function isStreamNotFound(error: unknown): boolean {
  return error instanceof Error && typeOf(error) === ErrorType.STREAM_NOT_FOUND;
}

/** One line for people. Several of the client's errors have an empty message, so type and code are told as well. */
export function describeError(error: unknown): string {
  if (error === null || error === undefined) return 'no error given';
  if (!(error instanceof Error)) return inspect(error);
  const code: unknown = 'code' in error ? error.code : undefined;
  return [
    typeOf(error),
    error.message,
    typeof code === 'number' ? `(grpc code ${code})` : undefined,
  ]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}

function typeOf(error: Error): string | undefined {
  try {
    const converted: object = convertToCommandError(error);
    return 'type' in converted && typeof converted.type === 'string' ? converted.type : undefined;
  } catch {
    // The converter takes trailers for granted that an unusual error need not have.
    return undefined;
  }
}
