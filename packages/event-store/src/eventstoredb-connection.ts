import { EventStoreDBClient } from '@eventstore/db-client';

/** Where the adapter tells what it did about a failing server. pino's loggers fit. */
export interface AdapterLog {
  readonly warn: (details: object, message: string) => void;
}

/** One client of the server with a connection of its own. */
export interface Connection {
  readonly client: EventStoreDBClient;
  /** True once `dispose` was called: a stream of this client that ended then did not end by itself. */
  readonly disposed: () => boolean;
  /** Ends all its calls and closes its connection. Never throws, never hangs. */
  readonly dispose: () => Promise<void>;
}

/**
 * A dead link (no FIN, no RST) is noticed after interval + timeout. Shorter intervals make the client print a warning;
 * whatever the connection string says goes first.
 */
const KEEP_ALIVE_INTERVAL_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;

/** Cancelled calls end within a turn or two of the event loop; this bounds the wait should one not. */
const DISPOSE_TIMEOUT_MS = 1_000;

/** Opens nothing yet: the client connects at its first call. `url` must have passed `checkConnectionString`. */
export function createConnection(url: string): Connection {
  const client = EventStoreDBClient.connectionString(withKeepAlive(url));
  let disposed = false;
  let channel: { close(): void } | null = null;
  // The client makes a new channel at every reconnect, always through this method. Wrapping it is how each channel gets
  // its compression header, and how it can be closed: the client's own dispose() ends the calls and leaves the socket.
  const createChannel: () => Promise<Channel> = client['createChannel'];
  client['createChannel'] = async (): Promise<Channel> => {
    const created = await createChannel();
    refuseCompression(created);
    channel = created;
    if (disposed) created.close();
    return created;
  };
  // The client calls this without waiting for it when a call has failed; where it fails itself (a cluster that cannot be
  // discovered, an error without the trailers it expects) nobody would hear, and that ends the process.
  const handleError = client['handleError'];
  client['handleError'] = (stubs, error) => handleError(stubs, error).catch(ignore);
  return {
    client,
    disposed: () => disposed,
    async dispose() {
      disposed = true;
      await settledWithin(DISPOSE_TIMEOUT_MS, client.dispose());
      channel?.close();
    },
  };
}

/**
 * Throws an `Error` that says what is wrong with a connection string, and never repeats the string, which may hold a
 * password. (For an unknown setting the client prints the whole string to stderr and goes on without the setting, so that
 * a misspelt `tls` passes unnoticed; for `tlsVerifyCert=false`, which it does not support, likewise.)
 */
export function checkConnectionString(url: string): void {
  const [, query] = url.split('?', 2);
  for (const pair of query?.split('&') ?? []) {
    const [key = '', value = ''] = pair.split('=', 2);
    const setting = flat(key);
    if (!KNOWN_KEYS.has(setting)) {
      throw new Error(`event store connection string: unknown setting "${key}"`);
    }
    if (setting === 'tlsverifycert' && value.trim() === 'false') {
      throw new Error(`event store connection string: ${key}=false has no effect, give tlsCAFile`);
    }
  }
  try {
    EventStoreDBClient.connectionString(withKeepAlive(url));
  } catch (error) {
    const expected: unknown = error instanceof Error && 'expected' in error ? error.expected : null;
    const reason = typeof expected === 'string' ? `expected ${expected}` : messageOf(error);
    throw new Error(
      `event store connection string is not valid: ${reason} (form: esdb://host:2113?tls=false)`,
    );
  }
}

const KNOWN_KEYS = new Set([
  'usercertfile',
  'userkeyfile',
  'tls',
  'tlsverifycert',
  'tlscafile',
  'connectionname',
  'maxdiscoverattempts',
  'discoveryinterval',
  'gossiptimeout',
  'nodepreference',
  'defaultdeadline',
  'keepaliveinterval',
  'keepalivetimeout',
  'throwonappendfailure',
]);

/**
 * The connection string with the keepalive settings made explicit, and a keepAliveTimeout that no other connection of
 * this process has: grpc-js shares one connection among all channels with the same target and settings, whoever made
 * them. A few ms of difference make it our own, so that reads cannot hold up appends, and so that connecting anew does
 * not give back the very connection that went dead. (Disabled with -1 in the string, it stays disabled, and shared.)
 */
function withKeepAlive(url: string): string {
  const [address = '', query = ''] = url.trim().replace(/\/+$/, '').split('?', 2);
  const settings = query.split('&').filter((setting) => setting !== '');
  const given = (name: string): string | undefined =>
    settings.find((setting) => flat(setting).startsWith(`${name}=`))?.split('=', 2)[1];
  const others = settings.filter((setting) => !flat(setting).startsWith('keepalive'));
  const intervalMs = given('keepaliveinterval') ?? String(KEEP_ALIVE_INTERVAL_MS);
  const timeoutMs = given('keepalivetimeout') ?? String(KEEP_ALIVE_TIMEOUT_MS);
  connectionsMade = (connectionsMade + 1) % 1_000;
  const ownTimeoutMs = /^\d+$/.test(timeoutMs) ? Number(timeoutMs) + connectionsMade : timeoutMs;
  const all = [...others, `keepAliveInterval=${intervalMs}`, `keepAliveTimeout=${ownTimeoutMs}`];
  return `${address.replace(/\/+$/, '')}?${all.join('&')}`;
}

/** Of the process, because what it tells apart is shared by the process. */
let connectionsMade = 0;

function flat(setting: string): string {
  return setting.toLowerCase().replace(/[_-]/g, '');
}

type Channel = Awaited<ReturnType<EventStoreDBClient['getChannel']>>;

/** As much of a call's headers as is needed here. */
interface CallHeaders {
  set(name: string, value: string): void;
}

/**
 * Keeps servers from compressing their responses.
 *
 * grpc-js always offers gzip and has no option against it; servers from 25.1 on then compress every response, which
 * costs several times the CPU of the work itself (reads 4 k events/s instead of 40 k). The offer is the header
 * `grpc-accept-encoding`, written by grpc-js's compression filter; a filter behind that one overwrites it. This is
 * private to grpc-js, hence the test on the wire in `eventstoredb-wire.int.test.ts`: it fails if an update undoes it.
 */
function refuseCompression(channel: Channel): void {
  const identityOnly = {
    async sendMetadata(metadata: Promise<CallHeaders>): Promise<CallHeaders> {
      const headers = await metadata;
      headers.set('grpc-accept-encoding', 'identity');
      return headers;
    },
    sendMessage: <Message>(message: Message) => message,
    receiveMetadata: <Metadata>(metadata: Metadata) => metadata,
    receiveMessage: <Message>(message: Message) => message,
    receiveTrailers: <Trailers>(trailers: Trailers) => trailers,
  };
  // Not the factory's own push(), which puts a filter in front.
  channel['internalChannel'].filterStackFactory.factories.push({
    createFilter: () => identityOnly,
  });
}

/** Waits for a promise that may hang or fail and whose outcome does not matter. */
async function settledWithin(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  try {
    await Promise.race([promise.then(ignore, ignore), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function ignore(): void {
  // Its outcome does not matter: the call that failed has been told, or the client is thrown away.
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
