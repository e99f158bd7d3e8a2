import {
  ADVISORY_CONSUMER,
  ADVISORY_STREAM,
  COMMAND_CONSUMER,
  COMMAND_STREAM,
  DEAD_LETTER_STREAM,
  EVENT_STREAM,
  RESULT_STREAM,
  subjectsOf,
} from '@points/contracts/ledger-subjects';
import type { ConsumerDefinition, StreamDefinition } from '@points/runtime/jetstream-setup';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const KIB = 1_024;
const MIB = 1_048_576;
const DUPLICATE_WINDOW_MS = 2 * MINUTE_MS;

/** The streams of the system; together they fit into `max_file_store` of nats.conf. */
export const STREAMS: StreamDefinition[] = [
  {
    // Not longer than ids of commands are accepted (7 days): an older one would only be refused.
    name: COMMAND_STREAM,
    subjects: [subjectsOf('q')],
    retention: 'workqueue',
    maxAgeMs: 7 * DAY_MS,
    maxBytes: 192 * MIB,
    maxMessageBytes: 16_384,
    // The publisher sees the refusal and keeps its settlement; discarding an old one would lose it.
    discard: 'new',
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
  },
  {
    name: RESULT_STREAM,
    subjects: [subjectsOf('res')],
    retention: 'limits',
    maxAgeMs: 7 * DAY_MS,
    maxBytes: 128 * MIB,
    discard: 'old',
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
    allowDirect: true,
  },
  {
    name: EVENT_STREAM,
    subjects: [subjectsOf('evt')],
    retention: 'limits',
    maxAgeMs: 30 * DAY_MS,
    maxBytes: 512 * MIB,
    discard: 'old',
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
    denyDelete: true,
  },
  {
    name: DEAD_LETTER_STREAM,
    subjects: [subjectsOf('dlq')],
    retention: 'limits',
    maxAgeMs: 30 * DAY_MS,
    maxBytes: 128 * MIB,
    // So that one client's nonsense cannot push out what another one has lost: 250 letters of 26 KiB are 6.4 MiB for
    // each client and verb and 12.7 MiB for each client, so ten clients may be full of the largest letters at once.
    maxMessagesPerSubject: 250,
    // A stored command (16 KiB), its headers once more as JSON (8 KiB), and what is said of it (less than 2 KiB).
    maxMessageBytes: 26 * KIB,
    discard: 'old',
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
  },
  {
    name: ADVISORY_STREAM,
    subjects: [`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${COMMAND_STREAM}.${COMMAND_CONSUMER}`],
    retention: 'workqueue',
    maxAgeMs: 30 * DAY_MS,
    maxBytes: 16 * MIB,
    discard: 'old',
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
  },
];

export const CONSUMERS: ConsumerDefinition[] = [
  {
    stream: COMMAND_STREAM,
    name: COMMAND_CONSUMER,
    ackWaitMs: 30_000,
    maxAckPending: 256,
    maxDeliver: 50,
  },
  {
    stream: ADVISORY_STREAM,
    name: ADVISORY_CONSUMER,
    ackWaitMs: 30_000,
    maxAckPending: 256,
    // Moving a message away is tried for ever.
    maxDeliver: -1,
  },
];
