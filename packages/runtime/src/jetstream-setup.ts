import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats';
import { JetStreamError, toJetStreamError } from './jetstream.ts';
import type { Nats } from './nats.ts';

const API_TIMEOUT_MS = 10_000;

/** A stream on disk. Every bound is given, so that nothing grows until the server is full. */
export type StreamDefinition = {
  name: string;
  subjects: string[];
  /** `workqueue`: a message is gone when its consumer has acknowledged it. */
  retention: 'limits' | 'workqueue';
  maxAgeMs: number;
  maxBytes: number;
  /** Headers and body together. */
  maxMessageBytes?: number;
  maxMessagesPerSubject?: number;
  /** What happens at a limit: the oldest message goes, or the publisher is refused. */
  discard: 'old' | 'new';
  /** For so long a message id is recognised. */
  duplicateWindowMs: number;
  /** Single messages cannot be removed. Cannot be taken back. */
  denyDelete?: boolean;
  /** Messages can be read by subject (`lastOf`). */
  allowDirect?: boolean;
};

/** A durable pull consumer of all of a stream's messages; each must be acknowledged. */
export type ConsumerDefinition = {
  stream: string;
  name: string;
  /** A message that was neither acknowledged nor refused for so long is delivered again. */
  ackWaitMs: number;
  /** Delivered and not acknowledged, over all members. */
  maxAckPending: number;
  /** After so many deliveries a message is left where it is, and the server says so once. */
  maxDeliver: number;
};

export type SetUp = 'created' | 'changed' | 'unchanged';

export type JetStreamSetup = {
  /** Of the server, such as 2.9.10. */
  serverVersion: string;
  /** Makes the stream what the definition says; its messages stay. */
  stream: (definition: StreamDefinition) => Promise<SetUp>;
  consumer: (definition: ConsumerDefinition) => Promise<SetUp>;
};

/** Creates streams and consumers; needs the permissions for it. Throws JetStreamError. */
export function createJetStreamSetup(nats: Nats): JetStreamSetup {
  const { connection } = nats;
  const manage = async <Result>(
    what: string,
    work: (manager: JetStreamManager) => Promise<Result>,
  ): Promise<Result> => {
    try {
      const manager = await connection.jetstreamManager({
        checkAPI: false,
        timeout: API_TIMEOUT_MS,
      });
      return await work(manager);
    } catch (error) {
      throw toJetStreamError(what, error);
    }
  };

  return {
    serverVersion: connection.info?.version ?? 'unknown',
    stream: (definition) =>
      manage(definition.name, async ({ streams }) => {
        const wanted = streamConfig(definition);
        const current = await orAbsent(definition.name, async () => {
          const { config } = await streams.info(definition.name);
          return config;
        });
        if (current === null) await streams.add(wanted);
        else if (isAsWanted(current, wanted)) return 'unchanged';
        else await streams.update(definition.name, wanted);
        return current === null ? 'created' : 'changed';
      }),
    consumer: (definition) =>
      manage(`${definition.stream} ${definition.name}`, async ({ consumers }) => {
        const { stream, name } = definition;
        const wanted = consumerConfig(definition);
        const current = await orAbsent(name, async () => {
          const { config } = await consumers.info(stream, name);
          return config;
        });
        if (current === null) await consumers.add(stream, wanted);
        else if (isAsWanted(current, wanted)) return 'unchanged';
        else await consumers.update(stream, name, wanted);
        return current === null ? 'created' : 'changed';
      }),
  };
}

function streamConfig(definition: StreamDefinition): Partial<StreamConfig> & { name: string } {
  return {
    name: definition.name,
    subjects: definition.subjects,
    retention:
      definition.retention === 'workqueue' ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: nanos(definition.maxAgeMs),
    max_bytes: definition.maxBytes,
    max_msg_size: definition.maxMessageBytes ?? -1,
    max_msgs_per_subject: definition.maxMessagesPerSubject ?? -1,
    discard: definition.discard === 'new' ? DiscardPolicy.New : DiscardPolicy.Old,
    duplicate_window: nanos(definition.duplicateWindowMs),
    deny_delete: definition.denyDelete ?? false,
    allow_direct: definition.allowDirect ?? false,
  };
}

function consumerConfig(definition: ConsumerDefinition): Partial<ConsumerConfig> {
  return {
    durable_name: definition.name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(definition.ackWaitMs),
    max_ack_pending: definition.maxAckPending,
    max_deliver: definition.maxDeliver,
  };
}

/** Fields that we do not set are the server's. */
function isAsWanted(current: object, wanted: object): boolean {
  const held = new Map<string, unknown>(Object.entries(current));
  return Object.entries(wanted).every(
    ([field, value]) => JSON.stringify(held.get(field) ?? false) === JSON.stringify(value),
  );
}

async function orAbsent<Result>(what: string, asked: () => Promise<Result>) {
  try {
    return await asked();
  } catch (error) {
    const failure = toJetStreamError(what, error);
    if (failure instanceof JetStreamError && failure.code === 'not_found') return null;
    throw failure;
  }
}
