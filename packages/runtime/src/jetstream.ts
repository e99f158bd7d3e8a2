import { type JetStreamManager, type MsgHdrs, NatsError, type StoredMsg } from 'nats';
import { headerReader, headersIn, type Nats, toHeaders } from './nats.ts';

/** An answer of JetStream that takes longer counts as none. */
const API_TIMEOUT_MS = 5_000;
/** Of reads by sequence and of deletes. */
const NO_MESSAGE = new Set([10037, 10043]);
const WRONG_LAST_SEQUENCE = 10071;
const STATUS_ERROR = 300;
const STATUS_NOT_FOUND = 404;

export type PublishOptions = {
  /** The server stores a message of the same id once within the stream's duplicate window. */
  msgId?: string;
  headers?: Record<string, string>;
  /** Fence: stored only when this is the sequence of the stream's last message (0 = none yet). */
  expectLastSequence?: number;
  /** Default 5,000. */
  timeoutMs?: number;
};

export type Published = {
  sequence: number;
  /** true: the stream has a message of this id already, and nothing was stored. */
  duplicate: boolean;
};

export type StreamState = {
  messages: number;
  bytes: number;
  /** Of the oldest message that is still there; null when the stream is empty. The server's clock. */
  firstMs: number | null;
  firstSequence: number;
  /** Of the last message ever stored, also when it is gone; 0 = there was none. */
  lastSequence: number;
};

export type ConsumerState = {
  /** Of the stream's message that was delivered last for the first time. */
  deliveredSequence: number;
  /** Up to this one all are done with: acknowledged, ended or given up. */
  doneSequence: number;
  /** Delivered and not done with, also those that wait to be delivered again. */
  pending: number;
};

export type StoredMessage = {
  subject: string;
  sequence: number;
  data: Uint8Array;
  header: (name: string) => string | null;
  headers: Record<string, string>;
  /** When it was stored, by the server's clock. */
  storedMs: number;
};

/**
 * Streams of NATS. Everything throws JetStreamError and nothing is tried twice here: what to do
 * about a failure is the caller's to say.
 */
export type JetStream = {
  /** Resolves when the server has stored the message. */
  publish: (subject: string, data: Uint8Array, options?: PublishOptions) => Promise<Published>;
  streamState: (stream: string) => Promise<StreamState>;
  consumerState: (stream: string, consumer: string) => Promise<ConsumerState>;
  /** null when the stream has none of that sequence (any more). */
  message: (stream: string, sequence: number) => Promise<StoredMessage | null>;
  /** The stream's last message and the sequence that the next `expectLastSequence` must name. */
  last: (stream: string) => Promise<{ sequence: number; message: StoredMessage | null }>;
  /** The last message of one subject; asked in a way that permissions can restrict to that subject. */
  lastOf: (stream: string, subject: string) => Promise<StoredMessage | null>;
  /** false when there was nothing to delete. */
  deleteMessage: (stream: string, sequence: number) => Promise<boolean>;
};

/**
 * Why JetStream did not do it. `applied` is `no` when nothing can have been stored and `unknown`
 * when it may have been: send the same message with the same `msgId` again.
 */
export class JetStreamError extends Error {
  override name = 'JetStreamError';
  readonly code:
    | 'not_connected'
    /** No such stream or consumer, or the server has no JetStream. */
    | 'not_found'
    | 'not_permitted'
    /** Another message was stored since: `expectLastSequence` is wrong. */
    | 'wrong_last_sequence'
    /** The stream takes no more: too large, too many, or not enough room. */
    | 'refused'
    | 'timeout'
    | 'disconnected';
  readonly applied: 'no' | 'unknown';

  constructor(code: JetStreamError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.applied = code === 'timeout' || code === 'disconnected' ? 'unknown' : 'no';
  }
}

export function createJetStream(nats: Nats): JetStream {
  const { connection } = nats;
  const client = connection.jetstream({ timeout: API_TIMEOUT_MS });

  const ask = async <Result>(what: string, question: () => Promise<Result>): Promise<Result> => {
    if (!nats.isConnected())
      throw new JetStreamError('not_connected', `no connection to NATS for ${what}`);
    try {
      return await question();
    } catch (error) {
      throw toJetStreamError(what, error);
    }
  };
  // Without the check it sends nothing: the account's own info is for administrators.
  const manage = <Result>(what: string, question: (manager: JetStreamManager) => Promise<Result>) =>
    ask(what, async () =>
      question(await connection.jetstreamManager({ checkAPI: false, timeout: API_TIMEOUT_MS })),
    );

  const streamState = (stream: string): Promise<StreamState> =>
    manage(stream, async ({ streams }) => {
      const { state } = await streams.info(stream);
      return {
        messages: state.messages,
        bytes: state.bytes,
        firstMs: state.messages === 0 ? null : Date.parse(state.first_ts),
        firstSequence: state.first_seq,
        lastSequence: state.last_seq,
      };
    });

  const message = (stream: string, sequence: number): Promise<StoredMessage | null> =>
    manage(stream, ({ streams }) => orNull(streams.getMessage(stream, { seq: sequence })));

  return {
    streamState,
    consumerState: (stream, consumer) =>
      manage(`${stream} ${consumer}`, async ({ consumers }) => {
        const info = await consumers.info(stream, consumer);
        return {
          deliveredSequence: info.delivered.stream_seq,
          doneSequence: info.ack_floor.stream_seq,
          pending: info.num_ack_pending,
        };
      }),
    message,
    publish: (subject, data, options = {}) =>
      ask(subject, async () => {
        const { msgId, headers, expectLastSequence, timeoutMs = API_TIMEOUT_MS } = options;
        const { seq, duplicate } = await client.publish(subject, data, {
          timeout: timeoutMs,
          // Old servers take the first place where a name stands, be it in the value of another
          // header: the headers that the server obeys must be the first.
          headers: toHeaders({
            ...(msgId === undefined ? {} : { 'Nats-Msg-Id': msgId }),
            ...(expectLastSequence === undefined
              ? {}
              : { 'Nats-Expected-Last-Sequence': String(expectLastSequence) }),
            ...headers,
          }),
        });
        return { sequence: seq, duplicate };
      }),
    last: async (stream) => {
      const { lastSequence: sequence } = await streamState(stream);
      return { sequence, message: sequence === 0 ? null : await message(stream, sequence) };
    },
    // The library has this read, but keeps it to itself.
    lastOf: (stream, subject) =>
      ask(subject, async () => {
        const question = `$JS.API.DIRECT.GET.${stream}.${subject}`;
        const answer = await connection.request(question, undefined, { timeout: API_TIMEOUT_MS });
        const { headers, data } = answer;
        const status = headers?.code ?? 0;
        if (status === STATUS_NOT_FOUND) return null;
        if (headers === undefined || status >= STATUS_ERROR)
          throw new JetStreamError(
            'refused',
            `${subject}: ${headers?.description ?? 'no headers'}`,
          );
        return {
          subject,
          sequence: Number(headers.get('Nats-Sequence')),
          data,
          header: headerReader(headers),
          headers: headersOf(headers),
          storedMs: Date.parse(headers.get('Nats-Time-Stamp')),
        };
      }),
    deleteMessage: (stream, sequence) =>
      manage(stream, async ({ streams }) => {
        try {
          return await streams.deleteMessage(stream, sequence, false);
        } catch (error) {
          // Servers say in many ways that it was not there.
          if ((await message(stream, sequence)) === null) return false;
          throw error;
        }
      }),
  };
}

/** All headers by name; of one that stands twice the first value. */
export function headersOf(headers: MsgHdrs | undefined): Record<string, string> {
  return Object.fromEntries(
    (headers?.keys() ?? []).map((name) => [name, headers?.get(name) ?? '']),
  );
}

export function toJetStreamError(what: string, error: unknown): JetStreamError {
  if (error instanceof JetStreamError) return error;
  if (!(error instanceof NatsError))
    return new JetStreamError('disconnected', `${what}: ${String(error)}`, error);
  const apiError = error.api_error;
  if (apiError !== undefined) {
    const { err_code: number, code: status, description } = apiError;
    const code =
      number === WRONG_LAST_SEQUENCE
        ? 'wrong_last_sequence'
        : status === 404
          ? 'not_found'
          : 'refused';
    return new JetStreamError(code, `${what}: ${description}`, error);
  }
  switch (error.code) {
    case '503':
      return new JetStreamError('not_found', `no stream takes ${what}`, error);
    case 'PERMISSIONS_VIOLATION':
    case 'AUTHORIZATION_VIOLATION':
      return new JetStreamError('not_permitted', `the NATS server does not permit ${what}`, error);
    case 'MAX_PAYLOAD_EXCEEDED':
    case 'BAD_SUBJECT':
    case 'BAD_HEADER':
      return new JetStreamError('refused', `${what}: ${error.message}`, error);
    case 'TIMEOUT':
      return new JetStreamError('timeout', `no answer for ${what} in time`, error);
    default:
      return new JetStreamError(
        'disconnected',
        `the connection to NATS was lost while asking for ${what}`,
        error,
      );
  }
}

async function orNull(asked: Promise<StoredMsg>): Promise<StoredMessage | null> {
  try {
    const stored = await asked;
    const headers = headersIn(() => stored.header);
    return {
      subject: stored.subject,
      sequence: stored.seq,
      data: stored.data,
      header: headerReader(headers),
      headers: headersOf(headers),
      storedMs: stored.time.getTime(),
    };
  } catch (error) {
    if (isNoMessage(error)) return null;
    throw error;
  }
}

/** There is the stream, but not the message. */
function isNoMessage(error: unknown): boolean {
  return error instanceof NatsError && NO_MESSAGE.has(error.api_error?.err_code ?? 0);
}
