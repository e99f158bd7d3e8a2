import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ProposedEvent } from './events.ts';

/** Between the protocol's messages and the log's events. Malformed input throws `BadMessageError`. */
export class BadMessageError extends Error {
  override readonly name = 'BadMessageError';
}

/** A message of the generated kind; bytes that are none throw. */
export function decodeMessage<Message>(
  type: { deserializeBinary(bytes: Uint8Array): Message },
  bytes: Buffer,
): Message {
  try {
    return type.deserializeBinary(bytes);
  } catch (error) {
    throw new BadMessageError('the request is not a message of this kind', { cause: error });
  }
}

type ProposedMessage = streams.AppendReq.ProposedMessage | streams.BatchAppendReq.ProposedMessage;

export function decodeProposedEvent(message: ProposedMessage): ProposedEvent {
  const properties = message.getMetadataMap();
  const type = properties.get('type');
  const contentType = properties.get('content-type');
  if (type === undefined) throw new BadMessageError("Required Metadata Property 'type' is missing");
  if (contentType === undefined)
    throw new BadMessageError("Required Metadata Property 'content-type' is missing");
  if (type === '') throw new BadMessageError("Empty eventType provided. (Parameter 'eventType')");
  const data = message.getData_asU8();
  const metadata = message.getCustomMetadata_asU8();
  return {
    id: decodeUuid(message.getId()),
    type,
    isJson: contentType === 'application/json',
    payload: Buffer.concat([data, metadata]),
    dataBytes: data.length,
  };
}

/** Lower-case text form; throws when it is missing, malformed or all zero. */
export function decodeUuid(uuid: shared.UUID | undefined): string {
  const text =
    uuid === undefined
      ? ''
      : uuid.hasStructured()
        ? structuredUuid(uuid)
        : uuid.getString().toLowerCase();
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text)) {
    throw new BadMessageError(
      'Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).',
    );
  }
  if (text === EMPTY_UUID)
    throw new BadMessageError("Empty eventId provided. (Parameter 'eventId')");
  return text;
}

export function decodeStreamName(identifier: shared.StreamIdentifier | undefined): string {
  const name =
    identifier === undefined ? '' : Buffer.from(identifier.getStreamName_asU8()).toString('utf8');
  if (name === '') throw new BadMessageError("Value cannot be null. (Parameter 'eventStreamId')");
  return name;
}

/** A uint64 in decimal; what a JavaScript number cannot hold counts as beyond every revision and position. */
export function decodeUint64(text: string): number {
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

export function confirmationMessage(subscriptionId: string): Uint8Array {
  const confirmation = new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(
    subscriptionId,
  );
  return new streams.ReadResp().setConfirmation(confirmation).serializeBinary();
}

export function checkpointMessage(position: { commit: number; prepare: number }): Uint8Array {
  const checkpoint = new streams.ReadResp.Checkpoint()
    .setCommitPosition(String(position.commit))
    .setPreparePosition(String(position.prepare));
  return new streams.ReadResp().setCheckpoint(checkpoint).serializeBinary();
}

export function caughtUpMessage(): Uint8Array {
  return new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp()).serializeBinary();
}

export function streamNotFoundMessage(stream: string): Uint8Array {
  const notFound = new streams.ReadResp.StreamNotFound().setStreamIdentifier(
    streamIdentifier(stream),
  );
  return new streams.ReadResp().setStreamNotFound(notFound).serializeBinary();
}

export function streamIdentifier(stream: string): shared.StreamIdentifier {
  return new shared.StreamIdentifier().setStreamName(Buffer.from(stream));
}

const EMPTY_UUID = '00000000-0000-0000-0000-000000000000';

/** The canonical form of the structured one: two signed 64-bit halves. */
function structuredUuid(uuid: shared.UUID): string {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64BE(BigInt(uuid.getStructured()?.getMostSignificantBits() ?? 0), 0);
  bytes.writeBigInt64BE(BigInt(uuid.getStructured()?.getLeastSignificantBits() ?? 0), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
