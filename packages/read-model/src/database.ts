import { Socket } from 'node:net';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { wrapConnection } from './connection.ts';
import type { ReadTables } from './tables.ts';

/** Table names are looked up in the read tables (can be rebuilt) first, then in the application's own state. */
export const READ_SCHEMA = 'read';
export const APP_SCHEMA = 'app';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** How much longer than the server's own limit we wait before we call the server unreachable. */
const ANSWER_GRACE_MS = 2_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
const IDLE_CONNECTION_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2_000;

export interface ConnectOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** The schema of the read tables; default `read`. */
  readonly schema?: string;
  /** The server cancels a statement that runs longer; 0 = never. Default 10,000. */
  readonly statementTimeoutMs?: number;
}

export interface DatabaseOptions extends ConnectOptions {
  /** Most connections open at once. */
  readonly poolSize: number;
}

/**
 * A pool of connections to the read tables; `destroy()` ends it.
 *
 * 64-bit columns come back as numbers, except `id`, `position`, `batch_id` and `*_position`, which are bigint (see
 * `connection.ts`): select those under their own names.
 *
 * Nothing is connected until the first query. A query fails with pg's error when the server refuses it or cannot be
 * reached within 5 s, and never waits for an answer longer than `statementTimeoutMs` plus 2 s.
 */
export function openDatabase(options: DatabaseOptions): Kysely<ReadTables> {
  const pool = new pg.Pool({
    ...clientConfig(options),
    max: options.poolSize,
    idleTimeoutMillis: IDLE_CONNECTION_TIMEOUT_MS,
  });
  // Without a listener the end of an idle connection would end the process. The pool has dropped it already.
  pool.on('error', () => undefined);
  // The same while it is in use: whoever uses it hears of the end from the query that fails.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const connect = async () => {
    const client = await pool.connect();
    return wrapConnection(client, (broken) => client.release(broken));
  };
  return new Kysely({ dialect: new PostgresDialect({ pool: { connect, end: () => pool.end() } }) });
}

/** The server forgets a session, and frees its locks, about 25 s after its machine has vanished without a word. */
const VANISHED_CLIENT =
  '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3';

/** One connection, for what must not move to another one: session locks and the work that they guard. */
export interface Session {
  /** For one thing at a time. */
  readonly db: Kysely<ReadTables>;
  /** Aborted when the connection is gone, for whatever reason; session locks are then lost. */
  readonly ended: AbortSignal;
  /** Ends the connection, by force when the server does not answer within 2 s. Never rejects. */
  close(): Promise<void>;
}

/** Opens a session. Fails with pg's error when the server cannot be reached within 5 s. */
export async function openSession(options: ConnectOptions): Promise<Session> {
  const socket = new Socket();
  const url = withStartOption(options.url, VANISHED_CLIENT);
  const client = new pg.Client({ ...clientConfig({ ...options, url }), stream: () => socket });
  const ended = new AbortController();
  // 'end' follows every 'error'; the listener only keeps the error from ending the process.
  client.on('error', () => undefined);
  client.on('end', () => ended.abort());
  try {
    await client.connect();
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const connection = wrapConnection(client, () => undefined);
  const db = new Kysely<ReadTables>({
    dialect: new PostgresDialect({
      pool: { connect: () => Promise.resolve(connection), end: () => Promise.resolve() },
    }),
  });
  const close = async () => {
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    await client.end().catch(() => undefined);
    clearTimeout(timer);
    await db.destroy();
  };
  return { db, ended: ended.signal, close };
}

function clientConfig(options: ConnectOptions): pg.ClientConfig {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
  const searchPath = `${options.schema ?? READ_SCHEMA},${APP_SCHEMA}`;
  return {
    connectionString: withStartOption(options.url, `-c search_path=${searchPath}`),
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    // pg and the server both take 0 as "no limit".
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + ANSWER_GRACE_MS,
  };
}

/** Start options in the URL would replace ours, so ours are added to them. */
function withStartOption(url: string, option: string): string {
  const parsed = new URL(url);
  const given = parsed.searchParams.get('options');
  parsed.searchParams.set('options', given === null ? option : `${given} ${option}`);
  return parsed.toString();
}
