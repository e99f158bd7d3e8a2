import { UnknownError } from '@eventstore/db-client';
import statusPb from '@eventstore/db-client/generated/status_pb.js';
import { describe, expect, it } from 'vitest';
import { protobufField } from './testing/eventstoredb-adapter.ts';
import { describeError, verdictOnReply, verdictOnStreamEnd } from './eventstoredb-errors.ts';

/** google.rpc.Status, as bytes: message = 2, details = 3 (google.protobuf.Any: type_url = 1). */
function reply(detail: string | null, message: string): statusPb.Status {
  const details =
    detail === null
      ? Buffer.alloc(0)
      : protobufField(3, protobufField(1, `type.googleapis.com/${detail}`));
  return statusPb.Status.deserializeBinary(Buffer.concat([protobufField(2, message), details]));
}

const notAppended = (retryable: boolean) =>
  expect.objectContaining({ name: 'NotAppendedError', retryable });
const unknown = expect.objectContaining({ name: 'OutcomeUnknownError' });

describe('verdict on a reply', () => {
  it.each([
    ['event_store.client.WrongExpectedVersion', '', 'conflict'],
    ['event_store.client.StreamDeleted', '', notAppended(false)],
    ['event_store.client.AccessDenied', '', notAppended(false)],
    ['event_store.client.BadRequest', '', notAppended(false)],
    ['event_store.client.InvalidTransaction', '', notAppended(false)],
    ['event_store.client.MaximumAppendSizeExceeded', '', notAppended(false)],
    ['event_store.client.MaximumAppendEventSizeExceeded', '', notAppended(false)],
    ['google.protobuf.Empty', 'Server Is Not Ready', notAppended(true)],
    ['google.protobuf.Empty', 'Server Is Busy', notAppended(true)],
    ['google.protobuf.Empty', 'No leader info available in response', notAppended(true)],
    ['google.protobuf.Empty', 'Unknown NotHandledReason (9)', unknown],
    ['event_store.client.Timeout', '', unknown],
    ['event_store.client.Unknown', '', unknown],
    ['event_store.client.SomethingNew', 'Server Is Busy', unknown],
    [null, 'Server Is Busy', unknown],
  ])('%s %s', (detail, message, verdict) => {
    expect(verdictOnReply('account-1', reply(detail, message))).toEqual(verdict);
  });

  it('says which stream, and what the server said', () => {
    const verdict = verdictOnReply('account-1', reply('event_store.client.Timeout', 'Timeout'));
    expect(verdict).toMatchObject({ message: expect.stringMatching(/account-1.*Timeout/) });
  });
});

describe('verdict on the end of a batch stream', () => {
  it.each([16, ...Array.from({ length: 15 }, (_value, index) => index + 1), 99])(
    'grpc code %s',
    (code) => {
      const error = Object.assign(new Error('x'), { code, details: 'x' });
      expect(verdictOnStreamEnd('account-1', error)).toEqual(
        code === 16 ? notAppended(false) : unknown,
      );
    },
  );

  it.each([
    ['without an error', null],
    ['a plain error', new Error('socket hang up')],
    ['an error with a code and nothing else', Object.assign(new Error('x'), { code: 13 })],
    ["the client's own error", new UnknownError()],
  ])('unknown: %s', (_name, error) => {
    expect(verdictOnStreamEnd('account-1', error)).toEqual(unknown);
  });
});

describe('describeError', () => {
  it.each([
    [null, 'no error given'],
    [new Error('boom'), 'boom'],
    [
      Object.assign(new Error('14 UNAVAILABLE: x'), { code: 14, details: 'x' }),
      'unavailable 14 UNAVAILABLE: x (grpc code 14)',
    ],
    [new UnknownError(undefined, 'Could not recognize'), 'unknown Could not recognize'],
    ['text', "'text'"],
  ])('%s', (error, text) => {
    expect(describeError(error)).toBe(text);
  });

  it('tells the type of an error without a message', () => {
    expect(describeError(new UnknownError())).toBe('unknown');
  });
});
