import { LEDGER_VERSION } from './ledger.ts';
import { isId } from './text.ts';

/**
 * What of the ledger travels through stored streams of NATS (JetStream), and the names of those streams. A command
 * that must not be lost is published on `ledger.v1.q.<client>.<verb>` and stored before the ledger sees it; its reply
 * is published on `ledger.v1.res.<client>.<command_id>`. The server's permissions make sure that `<client>` is who
 * it says.
 */
export const COMMAND_STREAM = 'LEDGER_CMD';
export const RESULT_STREAM = 'LEDGER_RES';
export const EVENT_STREAM = 'LEDGER_EVT';
export const DEAD_LETTER_STREAM = 'LEDGER_DLQ';
/** What NATS itself says of commands that were delivered too often. */
export const ADVISORY_STREAM = 'LEDGER_DLQ_ADV';

/** All replicas of the ledger share these consumers. */
export const COMMAND_CONSUMER = 'ledger-cmd';
export const ADVISORY_CONSUMER = 'ledger-adv';

/** By which NATS recognises a message that is sent again; of a command it is the command_id. */
export const MESSAGE_ID_HEADER = 'Nats-Msg-Id';

/** What a dead letter says of the message that it was, whose body it has. */
export const DEAD_LETTER_HEADERS = {
  reason: 'Ledger-Dead-Reason',
  subject: 'Ledger-Dead-Subject',
  /** In LEDGER_CMD. */
  sequence: 'Ledger-Dead-Sequence',
  /** When LEDGER_CMD had stored it, ISO-8601. */
  storedAt: 'Ledger-Dead-Stored-At',
  /** The original headers, as a JSON object of strings. */
  headers: 'Ledger-Dead-Headers',
} as const;

/** Settlements only: a stored hold or consume would start work that nobody waits for any more. */
export const DURABLE_VERBS = ['confirm', 'cancel'] as const;
export type DurableVerb = (typeof DURABLE_VERBS)[number];

export interface QueuedSubject {
  readonly client: string;
  readonly verb: DurableVerb;
}

export interface ResultSubject {
  readonly client: string;
  readonly commandId: string;
}

export interface EventSubject {
  readonly type: string;
  readonly accountId: string;
}

export interface DeadLetterSubject {
  readonly client: string;
  readonly verb: string;
}

/** Where `client` sends a settlement that must not be lost. Throws RangeError when the name cannot be part of a subject. */
export function queuedSubject(client: string, verb: DurableVerb): string {
  return subject('q', client, verb);
}

/** Who sent it and what it asks, or null when it is none of ours. */
export function parseQueuedSubject(text: string): QueuedSubject | null {
  const [client, verb] = tokensOf('q', text) ?? [];
  const known = DURABLE_VERBS.find((name) => name === verb);
  return client === undefined || known === undefined ? null : { client, verb: known };
}

/** Where the reply to a stored command is published. Throws RangeError. */
export function resultSubject(client: string, commandId: string): string {
  return subject('res', client, commandId);
}

/** Every reply to stored commands of `client`, to subscribe to. Throws RangeError. */
export function resultPattern(client: string): string {
  return `ledger.${LEDGER_VERSION}.res.${checked(client)}.*`;
}

export function parseResultSubject(text: string): ResultSubject | null {
  const [client, commandId] = tokensOf('res', text) ?? [];
  return client === undefined || commandId === undefined ? null : { client, commandId };
}

/** Where the fact that an event happened is published; `type` is the stored event's name. Throws RangeError. */
export function eventSubject(type: string, accountId: string): string {
  return subject('evt', type, accountId);
}

export function parseEventSubject(text: string): EventSubject | null {
  const [type, accountId] = tokensOf('evt', text) ?? [];
  return type === undefined || accountId === undefined ? null : { type, accountId };
}

/** Where a message is put that cannot be a command. Whatever its subject was, this is one: never throws. */
export function deadLetterSubject(queued: string): string {
  const [, , , client = '', verb = ''] = queued.split('.');
  return subject('dlq', isId(client) ? client : 'unknown', isId(verb) ? verb : 'unknown');
}

export function parseDeadLetterSubject(text: string): DeadLetterSubject | null {
  const [client, verb] = tokensOf('dlq', text) ?? [];
  return client === undefined || verb === undefined ? null : { client, verb };
}

/** All subjects of one kind, for the stream that stores them. */
export function subjectsOf(kind: Kind): string {
  return `ledger.${LEDGER_VERSION}.${kind}.*.*`;
}

type Kind = 'q' | 'res' | 'evt' | 'dlq';

function subject(kind: Kind, first: string, second: string): string {
  return `ledger.${LEDGER_VERSION}.${kind}.${checked(first)}.${checked(second)}`;
}

function tokensOf(kind: Kind, text: string): [string, string] | null {
  const [ledger, version, given, first = '', second = '', ...more] = text.split('.');
  if (ledger !== 'ledger' || version !== LEDGER_VERSION || given !== kind || more.length > 0)
    return null;
  return isId(first) && isId(second) ? [first, second] : null;
}

function checked(token: string): string {
  if (!isId(token)) throw new RangeError(`not a part of a subject: ${JSON.stringify(token)}`);
  return token;
}
