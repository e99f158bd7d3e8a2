import { setTimeout as sleep } from 'node:timers/promises';
import { inboxPrefix } from '@points/contracts/ledger';
import {
  connect,
  type ConnectionOptions,
  Events,
  headers as natsHeaders,
  type NatsConnection,
  NatsError,
} from 'nats';
import { LedgerUnavailable, type UnavailableReason } from './errors.ts';
import type { ClientLog } from './log.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 500;
/** A dead link is noticed after MAX_PINGS_OUT + 1 of these at the latest. */
const PING_INTERVAL_MS = 20_000;
const MAX_PINGS_OUT = 2;
const DRAIN_TIMEOUT_MS = 5_000;
/** The status with which a stream says that it has no such message. */
const NO_MESSAGE = 404;

export interface LinkOptions {
  /** nats://host:port, or several with commas between. */
  readonly servers: string;
  /** The caller's identity: the fourth token of its subjects. */
  readonly client: string;
  readonly credentials: { readonly user: string; readonly pass: string };
  /** true (default): wait for a server that is not there yet. false: fail at once. */
  readonly waitForServer: boolean;
  readonly log: ClientLog;
}

/** All that the SDK needs of NATS. The library is used here and nowhere else. */
export interface Link {
  /** false while the link is down: a request would only wait for its timeout. */
  isConnected(): boolean;
  /** One question, one answer: the reply's bytes. Throws LedgerUnavailable. */
  request(subject: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** Resolves once a stream has stored the message. Throws LedgerUnavailable. */
  publishStored(
    subject: string,
    body: Uint8Array,
    options: { messageId: string; timeoutMs: number },
  ): Promise<void>;
  /** The last message that a stream has of this subject, or null. Throws LedgerUnavailable. */
  lastStored(stream: string, subject: string, timeoutMs: number): Promise<Uint8Array | null>;
  subscribe(subject: string, onMessage: (subject: string, body: Uint8Array) => void): void;
  /** Called after each reconnection. */
  onReconnect(listener: () => void): void;
  /** Sends what is still to be sent and closes; bounded. */
  close(): Promise<void>;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Connects and stays connected: after a cut it tries again for ever. Wrong credentials are not waited out: they throw
 * LedgerUnavailable `not_permitted`.
 */
export async function connectLink(options: LinkOptions): Promise<Link> {
  const { client, credentials, log } = options;
  const connection = await firstConnect(
    {
      servers: options.servers.split(','),
      ...credentials,
      name: client,
      inboxPrefix: inboxPrefix(client),
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      // A password may be wrong for a while when it is changed; what waits to be settled must outlast that.
      ignoreAuthErrorAbort: true,
      // A stack trace per request costs a third of the throughput; errors name the subject instead.
      noAsyncTraces: true,
    },
    options.waitForServer,
    log,
  );
  const jetstream = connection.jetstream();
  const listeners: (() => void)[] = [];
  let connected = true;
  void followStatus(connection, log, (value) => {
    connected = value;
    if (value) for (const listener of listeners) listener();
  });
  void connection.closed().then(() => (connected = false));

  async function send<Answer>(subject: string, ask: () => Promise<Answer>): Promise<Answer> {
    if (!connected) {
      throw new LedgerUnavailable('not_connected', `no connection to NATS for ${subject}`, {
        applied: 'no',
      });
    }
    try {
      return await ask();
    } catch (error) {
      throw asUnavailable(subject, error);
    }
  }

  return {
    isConnected: () => connected,
    request: (subject, body, { timeoutMs, headers = {} }) =>
      send(subject, async () => {
        const message = await connection.request(subject, body, {
          timeout: timeoutMs,
          headers: toHeaders(headers),
        });
        return message.data;
      }),
    publishStored: (subject, body, { messageId, timeoutMs }) =>
      send(subject, async () => {
        await jetstream.publish(subject, body, { msgID: messageId, timeout: timeoutMs });
      }),
    lastStored: (stream, subject, timeoutMs) =>
      send(subject, async () => {
        // The subject is part of the question's own subject, so that permissions can restrict it to the client's own.
        const question = `$JS.API.DIRECT.GET.${stream}.${subject}`;
        const { data, headers } = await connection.request(question, new Uint8Array(), {
          timeout: timeoutMs,
        });
        return headers?.code === NO_MESSAGE ? null : data;
      }),
    subscribe(subject, onMessage) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) onMessage(message.subject, message.data);
          else log.error({ subject, err: error }, 'cannot listen on this subject');
        },
      });
    },
    onReconnect: (listener) => void listeners.push(listener),
    async close() {
      // drain() asks the server and waits for ever when the link is down.
      const drained = connection.drain().catch(() => {});
      const late = sleep(DRAIN_TIMEOUT_MS, 'late', { ref: false });
      if (!connected || (await Promise.race([drained, late])) === 'late') await connection.close();
    },
  };
}

function toHeaders(values: Readonly<Record<string, string>>) {
  const result = natsHeaders();
  for (const [name, value] of Object.entries(values)) result.set(name, value);
  return result;
}

function asUnavailable(subject: string, error: unknown): LedgerUnavailable {
  const [reason, text] = reasonOf(error);
  const applied = reason === 'timeout' || reason === 'disconnected' ? 'unknown' : 'no';
  return new LedgerUnavailable(reason, `${text} (${subject})`, { applied, cause: error });
}

function reasonOf(error: unknown): [UnavailableReason, string] {
  // A stream that takes no more, or is not there.
  if (error instanceof NatsError && error.api_error !== undefined)
    return ['not_sent', `NATS refuses it: ${error.api_error.description}`];
  switch (error instanceof NatsError ? error.code : '') {
    case '503':
      return ['no_responders', 'nobody answers'];
    case 'PERMISSIONS_VIOLATION':
    case 'AUTHORIZATION_VIOLATION':
      return ['not_permitted', 'the NATS server does not permit it'];
    case 'TIMEOUT':
      return ['timeout', 'no answer in time'];
    case 'MAX_PAYLOAD_EXCEEDED':
    case 'BAD_SUBJECT':
      return ['not_sent', `NATS cannot carry it: ${String(error)}`];
    default:
      return ['disconnected', 'the connection to NATS was lost while waiting'];
  }
}

/** The library's own waiting would also wait out wrong credentials, in silence and for ever. */
async function firstConnect(
  options: ConnectionOptions,
  waitForServer: boolean,
  log: ClientLog,
): Promise<NatsConnection> {
  const servers = String(options.servers);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect(options);
    } catch (error) {
      const code = error instanceof NatsError ? error.code : '';
      if (code === 'AUTHORIZATION_VIOLATION' || code === 'PERMISSIONS_VIOLATION') {
        throw new LedgerUnavailable(
          'not_permitted',
          `the NATS server at ${servers} refuses user ${options.user}`,
          { applied: 'no', cause: error },
        );
      }
      if (!waitForServer) {
        throw new LedgerUnavailable('not_connected', `no NATS server answers at ${servers}`, {
          applied: 'no',
          cause: error,
        });
      }
      if (attempt === 1) log.warn({ servers }, 'no NATS server answers; waiting for it');
      await sleep(RECONNECT_WAIT_MS);
    }
  }
}

async function followStatus(
  connection: NatsConnection,
  log: ClientLog,
  setConnected: (value: boolean) => void,
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === Events.Disconnect) {
      setConnected(false);
      log.warn({}, 'connection to NATS lost; reconnecting');
    } else if (status.type === Events.Reconnect) {
      setConnected(true);
      log.info({}, 'connected to NATS again');
    } else if (status.type === Events.Error) {
      log.error({ error: String(status.data) }, 'NATS error');
    }
  }
}
