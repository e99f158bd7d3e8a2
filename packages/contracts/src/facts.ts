import { z } from 'zod';
import { firstProblem } from './first-problem.ts';
import { eventSubject } from './ledger-subjects.ts';
import type { EncodedEvent } from './stored-events.ts';
import { parseStream } from './streams.ts';
import { id, uuid } from './text.ts';

/**
 * A fact: one event of an account as it is published on NATS, subject `ledger.v1.evt.<EventType>.<accountId>`.
 *
 * Facts come in the order of `position`, each exactly once in the stream LEDGER_EVT. A consumer that keeps the position
 * of the last fact it has dealt with, and passes over facts that are not beyond it, deals with each exactly once. Those
 * of one account have the revisions 0, 1, 2, …
 *
 * `data` and `metadata` are what the log holds, so `decodeStoredEvent` takes a fact as it is and brings its data up to
 * date. New event types and new fields come without notice: what is not known is ignored.
 */
export const fact = z.object({
  /** `account-<account_id>`: the stream of the log. */
  stream: z.string(),
  account_id: id,
  /** Place in the account's stream, from 0. */
  revision: z.int().min(0),
  /** Place in the log, a decimal of up to 64 bits; rises from fact to fact, by more than 1. */
  position: z.string().regex(/^(0|[1-9]\d{0,19})$/, { error: 'must be a decimal number' }),
  /** Of the event, and of the message (`Nats-Msg-Id`). */
  id: uuid,
  type: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/, { error: 'must be the name of an event' }),
  data: z.record(z.string(), z.unknown()),
  /** See docs/events.md: who did it, when (`occurred_at`), by which command, and the hash chain. */
  metadata: z.record(z.string(), z.string()),
});
export type Fact = z.output<typeof fact>;

/** An event of an account that has no place on NATS, or a message that is no fact. */
export class NotAFactError extends Error {
  override readonly name = 'NotAFactError';
}

/** An event of the log with its id and place; `StoredEvent` of the event store fits. */
export interface EventInLog extends EncodedEvent {
  readonly id: string;
  readonly position: bigint;
}

/** The fact that an event is; null when it is not an account's. Throws NotAFactError when it cannot be made one. */
export function factOf(event: EventInLog): Fact | null {
  const stream = parseStream(event.stream);
  if (stream !== null && stream.category !== 'account') return null;
  const { revision, position, type, data, metadata } = event;
  const parsed = fact.safeParse({
    stream: event.stream,
    account_id: stream?.accountId,
    revision,
    position: String(position),
    id: event.id,
    type,
    data,
    metadata,
  });
  if (parsed.success) return parsed.data;
  const problem = firstProblem(parsed.error, '');
  throw new NotAFactError(
    `event ${revision} of ${event.stream} (${type}, position ${position}) cannot be published: ` +
      `${problem.field} ${problem.message}`,
  );
}

/** Throws NotAFactError when the bytes are not a fact. */
export function decodeFact(bytes: Uint8Array): Fact {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new NotAFactError('not a fact: the message is not JSON', { cause: error });
  }
  const parsed = fact.safeParse(value);
  if (parsed.success) return parsed.data;
  const problem = firstProblem(parsed.error, '');
  throw new NotAFactError(`not a fact: ${problem.field} ${problem.message}`);
}

export interface FactMessage {
  readonly subject: string;
  /** What consumers can choose by without reading the body. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The message that carries a fact; its `Nats-Msg-Id` is the fact's id. */
export function encodeFact(published: Fact): FactMessage {
  const { metadata } = published;
  const headers = {
    'Ledger-Event-Type': published.type,
    'Ledger-Schema': metadata['schema'],
    'Ledger-Revision': String(published.revision),
    'Ledger-Position': published.position,
    'Ledger-Correlation-Id': metadata['$correlationId'],
    'Ledger-Causation-Id': metadata['$causationId'],
    'Ledger-Client': metadata['actor_id'],
  };
  return {
    subject: eventSubject(published.type, published.account_id),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, headerText(value)]],
      ),
    ),
    body: new TextEncoder().encode(JSON.stringify(published)),
  };
}

/** A header is one line; the body has the text as it is. */
function headerText(value: string): string {
  return value.replaceAll(/[\u0000-\u001f\u007f]/g, ' ');
}
