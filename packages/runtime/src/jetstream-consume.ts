import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { createInbox, type Msg, nanos } from 'nats';
import { headersOf, toJetStreamError } from './jetstream.ts';
import type { Log } from './log.ts';
import { headerReader, headersIn, type Nats, settledWithin } from './nats.ts';

/** A question for messages is open so long at the server … */
const PULL_EXPIRES_MS = 2_000;
/** … and counts as lost when its end has not been told so long after that. */
const PULL_PATIENCE_MS = 1_000;
const LOOK_AGAIN_MS = 250;
const TROUBLE_PAUSE_MS = 1_000;
const DEFAULT_STOP_TIMEOUT_MS = 8_000;
const STATUS_NO_RESPONDERS = 503;
const STATUS_CONFLICT = 409;
const STATUS_HEARTBEAT = 100;

/** A message in hand. Exactly one of ack, nak and term is its end; without one it comes again after the ack wait. */
export type Delivery = {
  subject: string;
  sequence: number;
  data: Uint8Array;
  header: (name: string) => string | null;
  headers: Record<string, string>;
  /** When the server stored it, by the server's clock. */
  storedMs: number;
  /** 1 = for the first time. */
  deliveries: number;
  /** Done: the message is not needed any more. Sent, not confirmed. */
  ack: () => void;
  /** Again, to whoever asks next, after so many milliseconds. Counts as a delivery. */
  nak: (delayMs: number) => void;
  /** Still at work: the ack wait begins anew. Does not count as a delivery. */
  working: () => void;
  /** Never again. */
  term: () => void;
};

export type ConsumeOptions = {
  stream: string;
  /** A durable pull consumer that exists; all members share its messages. */
  consumer: string;
  /** Deliveries in work at once. */
  maxInHand: number;
  handler: (delivery: Delivery) => Promise<void>;
  /** false: nothing is asked for until it is true again; what is in hand goes on. */
  mayPull: () => boolean;
  log: Log;
  /** How long `stop` waits for deliveries in work. */
  stopTimeoutMs?: number;
};

export type Consuming = {
  inHand: () => number;
  /** Null while nothing is known to be wrong, else why no messages come. */
  trouble: () => string | null;
  /** Asks for nothing more and waits until what is in hand is done. */
  stop: () => Promise<void>;
};

/** How one question for messages ended: all that it can bring have come, or something is wrong. */
type PullEnd = 'done' | 'broken';

/**
 * Takes messages from a pull consumer and gives them to `handler`, at most `maxInHand` at once and
 * never more than it can begin with at once, so that none grows old in a buffer. Goes on by itself
 * after a cut, and when the consumer was missing and is there (again).
 */
export function consume(nats: Nats, options: ConsumeOptions): Consuming {
  const { connection } = nats;
  const { stream, consumer, maxInHand, log, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS } = options;
  const question = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
  const inbox = createInbox(nats.inboxPrefix);
  const stopping = new AbortController();
  const tracked = new Set<Promise<void>>();
  let trouble: string | null = null;
  /** The server took the subscription away: nothing will ever come. */
  let lost: string | null = null;
  let open: { missing: number; end: (how: PullEnd) => void } | null = null;
  let slotFreed = (): void => {};

  const receive = (message: Msg): void => {
    if (message.subject === inbox) {
      const status = message.headers?.code ?? 0;
      if (status === STATUS_HEARTBEAT) return;
      const isBroken = status === STATUS_NO_RESPONDERS || status === STATUS_CONFLICT;
      open?.end(isBroken ? 'broken' : 'done');
      return;
    }
    if (open !== null) {
      open.missing -= 1;
      if (open.missing === 0) open.end('done');
    }
    const work = handle(toDelivery(message), options).finally(() => {
      tracked.delete(work);
      slotFreed();
    });
    tracked.add(work);
  };
  const subscription = connection.subscribe(inbox, {
    callback: (error, message) => {
      if (error === null) receive(message);
      else {
        lost = `messages of ${stream} cannot be received: ${error.message}`;
        log.error({ err: error, stream }, 'messages of the stream cannot be received');
      }
    },
  });

  const pull = async (batch: number): Promise<PullEnd> => {
    const silence = new AbortController();
    const silent = sleep(PULL_EXPIRES_MS + PULL_PATIENCE_MS, 'broken' as const, {
      signal: silence.signal,
    });
    silent.catch(() => {}); // when something came before
    const ended = new Promise<PullEnd>((resolve) => (open = { missing: batch, end: resolve }));
    connection.publish(question, JSON.stringify({ batch, expires: nanos(PULL_EXPIRES_MS) }), {
      reply: inbox,
    });
    const how = await Promise.race([ended, silent]);
    silence.abort();
    open = null;
    return how;
  };

  const pause = (ms: number): Promise<unknown> =>
    sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  /** A question to a consumer that does not exist is not even refused: it gets no answer. */
  const look = async (): Promise<string | null> => {
    try {
      const manager = await connection.jetstreamManager({ checkAPI: false });
      await manager.consumers.info(stream, consumer);
      return null;
    } catch (error) {
      const { code, message } = toJetStreamError(`${stream} ${consumer}`, error);
      return code === 'not_found'
        ? `there is no stream ${stream} with a consumer ${consumer}`
        : message;
    }
  };

  const run = async (): Promise<void> => {
    let isKnown = false;
    while (!stopping.signal.aborted) {
      if (!nats.isConnected() || !options.mayPull()) {
        await pause(LOOK_AGAIN_MS);
        continue;
      }
      if (tracked.size >= maxInHand) {
        await new Promise<void>((resolve) => (slotFreed = resolve));
        await nextTurn(); // those that end together are asked for together
        continue;
      }
      if (!isKnown) {
        trouble = await look();
        isKnown = trouble === null;
      }
      if (isKnown) isKnown = (await pull(maxInHand - tracked.size)) === 'done';
      if (!isKnown) await pause(TROUBLE_PAUSE_MS);
    }
  };
  const running = run();

  return {
    inHand: () => tracked.size,
    trouble: () => lost ?? trouble,
    stop: async () => {
      stopping.abort();
      open?.end('done');
      slotFreed();
      await running;
      subscription.unsubscribe();
      if (!(await settledWithin(Promise.all(tracked), stopTimeoutMs)))
        log.error({ inHand: tracked.size, stream }, 'stored messages were left undone');
    },
  };
}

async function handle(delivery: Delivery, { handler, log }: ConsumeOptions): Promise<void> {
  try {
    await handler(delivery);
  } catch (error) {
    // A bug. The message comes again, and after enough of that it is moved away.
    const { subject, sequence } = delivery;
    log.error({ err: error, subject, sequence }, 'handler of a stored message failed');
  }
}

/** The reply subject of a delivery is `$JS.ACK.…` and says all about it; newer servers put two tokens more in front. */
function toDelivery(message: Msg): Delivery {
  const tokens = (message.reply ?? '').split('.');
  const [deliveries, sequence, , nanoseconds] = tokens
    .slice(tokens.length > SHORT_ACK_TOKENS ? LONG_ACK_START : SHORT_ACK_START)
    .map(Number);
  const headers = headersIn(() => message.headers);
  let ended = false;
  const answer = (text: string): void => {
    if (ended) return;
    ended = text !== WORKING;
    message.respond(Buffer.from(text));
  };
  return {
    subject: message.subject,
    sequence: sequence ?? 0,
    data: message.data,
    header: headerReader(headers),
    headers: headersOf(headers),
    storedMs: Math.floor((nanoseconds ?? 0) / NANOS_PER_MS),
    deliveries: deliveries ?? 0,
    ack: () => answer('+ACK'),
    nak: (delayMs) => answer(`-NAK ${JSON.stringify({ delay: nanos(delayMs) })}`),
    working: () => answer(WORKING),
    term: () => answer('+TERM'), // with a reason behind it, servers before 2.10.4 take it for nothing
  };
}

const WORKING = '+WPI';
const NANOS_PER_MS = 1_000_000;
/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer's sequence>.<time>.<pending>` */
const SHORT_ACK_TOKENS = 9;
const SHORT_ACK_START = 4;
/** The same with domain and account before the stream. */
const LONG_ACK_START = 6;
