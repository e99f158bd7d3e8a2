import sharedPb from '@eventstore/db-client/generated/shared_pb.js';
import streamsPb from '@eventstore/db-client/generated/streams_pb.js';
import type { EncodedEvent } from './eventstoredb-guards.ts';
import type { ExpectedRevision } from './event-log.ts';

/** One append as one message of the BatchAppend stream; our appends are far below the 16 MiB a message may have. */
export function batchAppendRequest(
  correlationId: string,
  streamName: string,
  events: readonly EncodedEvent[],
  expectedRevision: ExpectedRevision,
): streamsPb.BatchAppendReq {
  const options = new streamsPb.BatchAppendReq.Options();
  const identifier = new sharedPb.StreamIdentifier();
  identifier.setStreamName(Buffer.from(streamName));
  options.setStreamIdentifier(identifier);
  // Always exact: "any" would switch optimistic concurrency off.
  if (expectedRevision === 'no_stream') options.setNoStream(new sharedPb.Empty());
  else options.setStreamPosition(String(expectedRevision));

  const request = new streamsPb.BatchAppendReq();
  request.setCorrelationId(uuid(correlationId));
  request.setOptions(options);
  request.setProposedMessagesList(events.map(proposedMessage));
  request.setIsFinal(true);
  return request;
}

/** Where the append's last event is in the log; null when the server does not tell (the events were truncated away). */
export function positionOf(success: streamsPb.BatchAppendResp.Success): bigint | null {
  const position = success.getPosition();
  return position === undefined ? null : BigInt(position.getCommitPosition());
}

function proposedMessage(event: EncodedEvent): streamsPb.BatchAppendReq.ProposedMessage {
  const message = new streamsPb.BatchAppendReq.ProposedMessage();
  message.setId(uuid(event.id));
  message.getMetadataMap().set('type', event.type);
  message.getMetadataMap().set('content-type', 'application/json');
  message.setData(Buffer.from(event.dataJson));
  message.setCustomMetadata(Buffer.from(event.metadataJson));
  return message;
}

function uuid(text: string): sharedPb.UUID {
  const message = new sharedPb.UUID();
  message.setString(text);
  return message;
}
