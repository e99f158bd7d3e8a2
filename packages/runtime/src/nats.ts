import { setTimeout as sleep } from 'node:timers/promises';
import {
  connect,
  type ConnectionOptions,
  Events,
  headers as natsHeaders,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
} from 'nats';
import type { Log } from './log.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 500;
/** A dead link is noticed after MAX_PINGS_OUT + 1 of these at the latest. */
const PING_INTERVAL_MS = 20_000;
const MAX_PINGS_OUT = 2;
const DRAIN_TIMEOUT_MS = 5_000;

export type NatsOptions = {
  /** nats://host:port, or several with commas between. */
  url: string;
  user: string;
  pass: string;
  /** Shown in the server's list of connections, such as `ledger@host`. */
  name: string;
  log: Log;
  /** Where replies to this process arrive; the server lets `user` read only its own. Default `_INBOX.<user>`. */
  inboxPrefix?: string;
  /** true (default): wait for a server that is not there yet. false: fail at once with NatsRequestError. */
  waitForServer?: boolean;
};

export type NatsReply = { data: Uint8Array; header: (name: string) => string | null };

export type Nats = {
  /** The library's connection, for the code of this package only. */
  connection: NatsConnection;
  /** What may be listened to for answers begins with it. */
  inboxPrefix: string;
  /** false while the link is down: a request would only wait for its timeout. */
  isConnected: () => boolean;
  /** How often the link was lost so far; tells of a cut that was over before anybody looked. */
  disconnects: () => number;
  /** One question, one answer. Throws NatsRequestError. */
  request: (
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; headers?: Record<string, string> },
  ) => Promise<NatsReply>;
  /** Resolves with the reason when the connection has ended for good; the process should end too. */
  closed: Promise<Error | null>;
  /** Sends what is still to be sent and closes; bounded. */
  close: () => Promise<void>;
};

/**
 * Why a request got no answer. `applied` is `no` when nobody can have received it (not connected,
 * nobody listens, not permitted) and `unknown` when somebody may have.
 */
export class NatsRequestError extends Error {
  override name = 'NatsRequestError';
  readonly code:
    | 'not_connected'
    | 'no_responders'
    | 'not_permitted'
    | 'not_sent'
    | 'timeout'
    | 'disconnected';
  readonly applied: 'no' | 'unknown';

  constructor(code: NatsRequestError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.applied = code === 'timeout' || code === 'disconnected' ? 'unknown' : 'no';
  }
}

/**
 * Connects and stays connected: after a cut it tries again for ever. Wrong credentials are not
 * waited out: they throw NatsRequestError `not_permitted`.
 */
export async function connectNats(options: NatsOptions): Promise<Nats> {
  const { log, user, inboxPrefix = `_INBOX.${user}`, waitForServer = true } = options;
  const connection = await firstConnect(
    {
      servers: options.url.split(','),
      user,
      pass: options.pass,
      name: options.name,
      inboxPrefix,
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      // A stack trace per request costs a third of the throughput; errors name the subject instead.
      noAsyncTraces: true,
    },
    waitForServer,
    log,
  );
  let connected = true;
  let disconnects = 0;
  void followStatus(connection, log, (value) => {
    connected = value;
    if (!value) disconnects += 1;
  });
  // The library's own promise never settles when it is closed while it is reconnecting.
  let closedByUs = (): void => {};
  const closing = new Promise<null>((resolve) => (closedByUs = () => resolve(null)));
  const lost = connection.closed().then((error) => (error instanceof Error ? error : null));
  const closed = Promise.race([closing, lost]).finally(() => (connected = false));
  return {
    connection,
    inboxPrefix,
    isConnected: () => connected,
    disconnects: () => disconnects,
    request: (subject, data, { timeoutMs, headers }) => {
      if (!connected)
        return Promise.reject(
          new NatsRequestError('not_connected', `no connection to NATS for ${subject}`),
        );
      return request(connection, subject, data, timeoutMs, headers);
    },
    closed,
    close: async () => {
      // drain() asks the server and waits for ever when the link is down.
      const drained = connected && (await settledWithin(connection.drain(), DRAIN_TIMEOUT_MS));
      if (!drained) await connection.close();
      closedByUs();
    },
  };
}

/** The headers of a message; of one whose headers break the rules none, so that a sender cannot make a reader fail. */
export function headersIn(read: () => MsgHdrs | undefined): MsgHdrs | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof NatsError) return undefined;
    throw error;
  }
}

export function headerReader(headers: MsgHdrs | undefined): (name: string) => string | null {
  return (name) => (headers?.has(name) ? headers.get(name) : null);
}

export function toHeaders(values: Record<string, string>): MsgHdrs {
  const result = natsHeaders();
  for (const [name, value] of Object.entries(values)) result.set(name, value);
  return result;
}

async function request(
  connection: NatsConnection,
  subject: string,
  data: Uint8Array,
  timeoutMs: number,
  headers?: Record<string, string>,
): Promise<NatsReply> {
  try {
    const options = { timeout: timeoutMs, ...(headers && { headers: toHeaders(headers) }) };
    const message = await connection.request(subject, data, options);
    return { data: message.data, header: headerReader(message.headers) };
  } catch (error) {
    throw requestError(subject, error);
  }
}

function requestError(subject: string, error: unknown): NatsRequestError {
  const code = error instanceof NatsError ? error.code : '';
  switch (code) {
    case '503':
      return new NatsRequestError('no_responders', `nobody answers on ${subject}`, error);
    case 'PERMISSIONS_VIOLATION':
    case 'AUTHORIZATION_VIOLATION':
      return new NatsRequestError(
        'not_permitted',
        `the NATS server does not permit ${subject}`,
        error,
      );
    case 'TIMEOUT':
      return new NatsRequestError('timeout', `no answer on ${subject} in time`, error);
    case 'MAX_PAYLOAD_EXCEEDED':
    case 'BAD_SUBJECT':
      return new NatsRequestError('not_sent', `${subject}: ${String(error)}`, error);
    default:
      return new NatsRequestError(
        'disconnected',
        `the connection to NATS was lost while asking ${subject}`,
        error,
      );
  }
}

/** The library's own waiting would also wait out wrong credentials, in silence and for ever. */
async function firstConnect(
  options: ConnectionOptions,
  waitForServer: boolean,
  log: Log,
): Promise<NatsConnection> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect(options);
    } catch (error) {
      if (
        error instanceof NatsError &&
        (error.code === 'AUTHORIZATION_VIOLATION' || error.code === 'PERMISSIONS_VIOLATION')
      ) {
        throw new NatsRequestError(
          'not_permitted',
          `the NATS server at ${String(options.servers)} refuses user ${options.user}`,
          error,
        );
      }
      if (!waitForServer) {
        throw new NatsRequestError(
          'not_connected',
          `no NATS server answers at ${String(options.servers)}`,
          error,
        );
      }
      if (attempt === 1)
        log.warn({ url: options.servers }, 'no NATS server answers; waiting for it');
      await sleep(RECONNECT_WAIT_MS);
    }
  }
}

async function followStatus(
  connection: NatsConnection,
  log: Log,
  setConnected: (value: boolean) => void,
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === Events.Disconnect) {
      setConnected(false);
      log.warn('connection to NATS lost; reconnecting');
    } else if (status.type === Events.Reconnect) {
      setConnected(true);
      log.info('connected to NATS again');
    } else if (status.type === Events.Error) {
      log.error({ error: String(status.data) }, 'NATS error');
    }
  }
}

/** false when the promise has not settled in time; its rejection counts as settled. */
export async function settledWithin(
  promise: Promise<unknown>,
  timeoutMs: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
