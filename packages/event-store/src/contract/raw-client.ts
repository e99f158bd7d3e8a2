import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import type { EventData, Position, ReadStreamOptions, RecordedEvent } from '@eventstore/db-client';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { startServerUnderTest } from './server-under-test.ts';
import type { ServerUnderTest } from './server-under-test.ts';

/** The vendor's client on the server under test, for the tests of one file, with a few shorthands. */
export function useRawClient(): RawClient {
  let server: ServerUnderTest;
  let client: EventStoreDBClient;
  beforeAll(async () => {
    server = await startServerUnderTest();
    client = EventStoreDBClient.connectionString(server.url);
  });
  afterAll(async () => {
    await client.dispose();
    await server.stop();
  });
  const read: RawClient['read'] = (stream, options = {}) => all(client.readStream(stream, options));
  return {
    get server() {
      return server;
    },
    get client() {
      return client;
    },
    read,
    readOrNothing: (stream) => read(stream).catch(() => []),
    newStreamWith: async (...events) => {
      const stream = newStream();
      if (events.length > 0) {
        await client.appendToStream(stream, events, { expectedRevision: 'no_stream' });
      }
      return stream;
    },
    lastPosition: async () => {
      const options = { direction: 'backwards', fromPosition: 'end', maxCount: 1 } as const;
      const [last] = await all(client.readAll(options));
      return last === undefined ? { commit: 0n, prepare: 0n } : positionOf(last);
    },
  };
}

/** Is there a real server, whose faults and restarts are not ours to command? */
export const external =
  process.env['EVENTSTORE_URL'] !== undefined && process.env['EVENTSTORE_URL'] !== '';

type ReadEvents = RecordedEvent[];

export interface RawClient {
  readonly server: ServerUnderTest;
  readonly client: EventStoreDBClient;
  read(stream: string, options?: ReadStreamOptions): Promise<ReadEvents>;
  readOrNothing(stream: string): Promise<ReadEvents>;
  /** Returns the name of a stream that holds these events. */
  newStreamWith(...events: EventData[]): Promise<string>;
  /** Of the whole log, which on a shared server may be long. */
  lastPosition(): Promise<Position>;
}

/** A name that nobody has used before. */
export function newStream(): string {
  return `semantics-${randomUUID()}`;
}

export function event(
  data: Record<string, unknown> = {},
  id: string = randomUUID(),
): EventData & { id: string } {
  return jsonEvent({ id, type: 'Happened', data });
}

/** Reads to the end, and leaves no call open. */
export async function all<Event>(
  reading: AsyncIterable<{ event?: Event }> & { cancel(): Promise<void> },
): Promise<Event[]> {
  const events: Event[] = [];
  try {
    for await (const { event: one } of reading) if (one !== undefined) events.push(one);
  } finally {
    await reading.cancel();
  }
  return events;
}

export function positionOf(event: { position?: Position | undefined } | undefined): Position {
  if (event?.position === undefined) throw new Error('an event without a position');
  return event.position;
}

export function commitOf(event: { position?: Position | undefined } | undefined): bigint {
  return positionOf(event).commit;
}

/** What the promise rejects with. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error('expected a failure');
    },
    (error: unknown) => error,
  );
}

/** What a subscription to `$all` and one to a stream have in common. */
interface Feed {
  on(
    name: string,
    listener: (value: { event?: { streamId: string; revision: bigint } }) => void,
  ): unknown;
  unsubscribe(): Promise<void>;
}

/** Follows a subscription: what came, in order; event revisions as text. */
export function watch(subscription: Feed) {
  const log: string[] = [];
  const ids: [stream: string, revision: string][] = [];
  const ended = new Promise<unknown>((resolve) => {
    subscription.on('error', resolve);
    subscription.on('end', () => resolve(null));
  });
  let over: { cause: unknown } | null = null;
  let wake = (): void => undefined;
  void ended.then((cause) => {
    over = { cause };
    wake();
  });
  const note = (what: string): void => {
    log.push(what);
    wake();
  };
  subscription.on('confirmation', () => note('confirmation'));
  subscription.on('caughtUp', () => note('caughtUp'));
  subscription.on('data', (resolved: { event?: { streamId: string; revision: bigint } }) => {
    if (resolved.event === undefined) return;
    ids.push([resolved.event.streamId, String(resolved.event.revision)]);
    note(String(resolved.event.revision));
  });
  onTestFinished(() => subscription.unsubscribe());
  return {
    log,
    ids,
    ended,
    events: () => ids.map(([, revision]) => revision),
    until: async (reached: () => boolean): Promise<void> => {
      while (!reached()) {
        if (over !== null) throw new Error('the subscription has ended', over);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
