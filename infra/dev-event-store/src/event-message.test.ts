import { randomUUID } from 'node:crypto';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventMessage } from './event-message.ts';
import { TOMBSTONE_REVISION } from './events.ts';
import type { RecordedEvent } from './events.ts';

const anyEvent: fc.Arbitrary<RecordedEvent> = fc
  .record({
    type: fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
    isJson: fc.boolean(),
    stream: fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
    revision: fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constant(TOMBSTONE_REVISION)),
    position: fc.oneof(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    ),
    createdMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    data: fc.uint8Array({ maxLength: 300 }),
    metadata: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ data, metadata, ...fields }) => ({
    ...fields,
    id: randomUUID(),
    payload: Buffer.concat([data, metadata]),
    dataBytes: data.length,
  }));

it('the generated decoder reads exactly the event that was encoded', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const readEvent = streams.ReadResp.deserializeBinary(eventMessage(event)).getEvent();
      const recorded = readEvent?.getEvent();
      expect({
        id: recorded?.getId()?.getString(),
        stream: Buffer.from(recorded?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString(),
        revision: recorded?.getStreamRevision(),
        positions: [
          recorded?.getCommitPosition(),
          recorded?.getPreparePosition(),
          readEvent?.getCommitPosition(),
        ],
        properties: Object.fromEntries(recorded?.getMetadataMap().toArray() ?? []),
        data: Buffer.from(recorded?.getData_asU8() ?? []).toString('hex'),
        metadata: Buffer.from(recorded?.getCustomMetadata_asU8() ?? []).toString('hex'),
        link: readEvent?.hasLink(),
      }).toEqual({
        id: event.id,
        stream: event.stream,
        revision:
          event.revision === TOMBSTONE_REVISION ? '9223372036854775807' : String(event.revision),
        positions: [String(event.position), String(event.position), String(event.position)],
        properties: {
          type: event.type,
          created: String(BigInt(event.createdMs) * 10_000n),
          'content-type': event.isJson ? 'application/json' : 'application/octet-stream',
        },
        data: event.payload.toString('hex', 0, event.dataBytes),
        metadata: event.payload.toString('hex', event.dataBytes),
        link: false,
      });
    }),
  );
});
