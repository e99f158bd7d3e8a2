import type { ServiceMsg } from 'nats';
import type { Log } from './log.ts';
import { headerReader, headersIn, type Nats, settledWithin, toHeaders } from './nats.ts';

const DEFAULT_STOP_TIMEOUT_MS = 8_000;

export type NatsRequest = {
  subject: string;
  data: Uint8Array;
  header: (name: string) => string | null;
};
export type NatsAnswer = { data: Uint8Array; headers?: Record<string, string> };

export type ServeOptions = {
  /** [A-Za-z0-9_-], shown by `$SRV.INFO` (NATS services protocol, ADR-32). */
  name: string;
  /** SemVer. */
  version: string;
  /** `name` is [A-Za-z0-9_-]; `subject` may have wildcards; each request goes to one member of `queue`. */
  endpoints: {
    name: string;
    subject: string;
    queue: string;
    handler: (request: NatsRequest) => Promise<NatsAnswer>;
  }[];
  /** Requests in work at the same time, over all endpoints; one more is answered by `overloaded`. */
  maxInFlight: number;
  overloaded: (request: NatsRequest) => NatsAnswer;
  /** The answer when a handler throws, which is a bug: it is logged, the process goes on. */
  failed: (request: NatsRequest, error: unknown) => NatsAnswer;
  /** Called when a subscription was lost though nobody stopped the service: end the process. */
  onBroken: (error: Error) => void;
  log: Log;
  /** How long `stop` waits for requests in work. */
  stopTimeoutMs?: number;
};

export type Serving = {
  inFlight: () => number;
  /** Requests that were not looked at because their reply subject was not the caller's own. */
  dropped: () => number;
  /** Takes no new requests and waits until those in work are answered. */
  stop: () => Promise<void>;
};

/**
 * Answers requests. The library's callback must be synchronous and `drain` does not wait for
 * handlers, so each handler runs as a tracked promise that never rejects and `stop` waits for them.
 * A request whose reply subject does not start with `_INBOX.<client>.`, where <client> is the
 * fourth token of its subject (`ledger.v1.cmd.<client>.<verb>`), is dropped: a caller must not make
 * the service write to somebody else's subject.
 */
export async function serve(nats: Nats, options: ServeOptions): Promise<Serving> {
  const { maxInFlight, log, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS } = options;
  const tracked = new Set<Promise<void>>();
  let dropped = 0;
  let stopping = false;

  const receive = (
    message: ServiceMsg,
    handler: (request: NatsRequest) => Promise<NatsAnswer>,
  ): void => {
    const request = requestOf(message);
    if (!isOwnInbox(message.subject, message.reply)) {
      dropped += 1;
      // Logged at 1, 2, 4, 8, …: a hostile caller must not fill the disk.
      if (Number.isInteger(Math.log2(dropped))) {
        log.warn(
          { subject: message.subject, reply: message.reply, dropped },
          'request dropped: the reply subject is not its own',
        );
      }
      return;
    }
    if (tracked.size >= maxInFlight) {
      respond(message, options.overloaded(request));
      return;
    }
    const work = handle(message, request, handler, options).finally(() => tracked.delete(work));
    tracked.add(work);
  };

  const service = await nats.connection.services.add({
    name: options.name,
    version: options.version,
  });
  for (const { name, subject, queue, handler } of options.endpoints) {
    service.addEndpoint(name, {
      subject,
      queue,
      handler: (error, message) => {
        if (!error) receive(message, handler);
      },
    });
  }
  void service.stopped.then((error) => {
    if (!stopping) options.onBroken(error ?? new Error(`the NATS service ${options.name} stopped`));
  });
  await nats.connection.flush(); // from here on the server knows the subscriptions

  return {
    inFlight: () => tracked.size,
    dropped: () => dropped,
    stop: async () => {
      stopping = true;
      const deadline = Date.now() + stopTimeoutMs;
      const drained = await settledWithin(service.stop(), stopTimeoutMs);
      const answered = await settledWithin(
        Promise.all(tracked),
        Math.max(0, deadline - Date.now()),
      );
      if (!drained || !answered)
        log.error({ inFlight: tracked.size }, 'requests were left unanswered');
    },
  };
}

async function handle(
  message: ServiceMsg,
  request: NatsRequest,
  handler: (request: NatsRequest) => Promise<NatsAnswer>,
  options: ServeOptions,
): Promise<void> {
  try {
    respond(message, await handler(request));
  } catch (error) {
    options.log.error({ err: error, subject: request.subject }, 'handler failed');
    try {
      respond(message, options.failed(request, error));
    } catch (second) {
      options.log.error({ err: second, subject: request.subject }, 'no answer could be sent');
    }
  }
}

function respond(message: ServiceMsg, answer: NatsAnswer): void {
  message.respond(answer.data, answer.headers ? { headers: toHeaders(answer.headers) } : {});
}

function isOwnInbox(subject: string, reply: string | undefined): boolean {
  const client = subject.split('.')[3];
  return client !== undefined && client !== '' && (reply ?? '').startsWith(`_INBOX.${client}.`);
}

function requestOf(message: ServiceMsg): NatsRequest {
  const header = headerReader(headersIn(() => message.headers));
  return { subject: message.subject, data: message.data, header };
}
