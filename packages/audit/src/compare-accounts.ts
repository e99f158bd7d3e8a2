import { isId } from '@points/contracts/text';
import type { EventLog } from '@points/event-store/event-log';
import { READ_CHECKPOINT } from '@points/read-model/coordination';
import type { ReadTables } from '@points/read-model/tables';
import { CompiledQuery, sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';
import { WrongBooksError } from './books/wrong-books.ts';
import { openAccountRows } from './compare-account-rows.ts';
import { ACCOUNT_TABLES, actualText, shapeOf } from './compare-row.ts';
import type { ComparedTable, TextRow } from './compare-row.ts';
import type { Differences } from './compare-rows.ts';
import { BrokenHistoryError, decodeAccountEvent } from './decode-account.ts';
import { type Finding, findingAt } from './finding.ts';
import { accountEventsUpTo } from './pinned-log.ts';

/** Streams that are read at the same time. */
const STREAMS_AT_ONCE = 8;

/** A rebuild has put other tables in the place of those that were being read: nothing can be said of either. */
export class TablesReplacedError extends Error {
  override readonly name = 'TablesReplacedError';
  constructor() {
    super('the read tables were rebuilt while they were compared: compare again');
  }
}

/**
 * Reads the tables as of one moment: everything that `work` reads belongs together, and to the position that it is
 * given (null = nothing was ever applied). Nothing is locked; the projector goes on. Throws `TablesReplacedError`: names
 * are looked up anew by each query, so a rebuild may have put other tables under them.
 */
export function atOnePosition<Result>(
  db: Kysely<ReadTables>,
  work: (snapshot: Transaction<ReadTables>, position: bigint | null) => Promise<Result>,
): Promise<Result> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      await sql`set local time zone 'UTC'`.execute(snapshot);
      // Between two of its reads the log is folded, which takes as long as it takes.
      await sql`set local idle_in_transaction_session_timeout = 0`.execute(snapshot);
      const tables = await tablesInUse(snapshot);
      const checkpoint = await snapshot
        .selectFrom('projection_checkpoints')
        .select('position')
        .where('name', '=', READ_CHECKPOINT)
        .executeTakeFirst();
      const result = await work(snapshot, checkpoint?.position ?? null);
      if ((await tablesInUse(snapshot)) !== tables) throw new TablesReplacedError();
      return result;
    });
}

/**
 * Names the present generation of the read tables; a rebuild makes another. As names of tables are, it is looked up past
 * the snapshot, but only a query that opens a table hears that a name has another meaning by now.
 */
export async function tablesInUse(db: Kysely<ReadTables>): Promise<string | undefined> {
  const { rows } = await sql<{ tables: string }>`
    select to_regclass('projection_checkpoints')::oid::text as tables, count(*)
    from projection_checkpoints`.execute(db);
  return rows[0]?.tables;
}

/**
 * Sets every row of these accounts against what their events up to `pin` say, and gives back what was folded; of accounts
 * whose events are wrong no rows are compared. In memory at a time: all rows of all these accounts, and what is needed to
 * make them. Throws what the log's reader and PostgreSQL throw.
 */
export async function compareAccounts(
  log: Pick<EventLog, 'readStream'>,
  snapshot: Transaction<ReadTables>,
  accountIds: readonly string[],
  options: {
    readonly pin: bigint | null;
    /** What collects the differences of that account. */
    readonly differencesOf: (accountId: string) => Differences;
  },
): Promise<readonly FoldedAccount[]> {
  const [actual, folded] = await Promise.all([
    readAccountRows(snapshot, accountIds),
    eachOf(accountIds, (accountId) => foldAccount(log, accountId, options.pin)),
  ]);
  for (const { accountId, rows } of folded) {
    if (rows === null) continue;
    for (const table of ACCOUNT_TABLES) {
      const told = actual.get(table)?.get(accountId) ?? [];
      options.differencesOf(accountId).compare(table, rows.get(table) ?? [], told);
    }
  }
  return folded;
}

/** The rows of one account as its events up to `pin` make them, or what is wrong with the events. */
export type FoldedAccount = {
  readonly accountId: string;
  /** Events that are right. */
  readonly events: number;
} & (
  | { readonly rows: ReadonlyMap<ComparedTable, readonly TextRow[]>; readonly finding: null }
  | { readonly rows: null; readonly finding: Finding }
);

async function foldAccount(
  log: Pick<EventLog, 'readStream'>,
  accountId: string,
  pin: bigint | null,
): Promise<FoldedAccount> {
  const account = openAccountRows(accountId);
  let events = 0;
  // A table may hold an id that can be nobody's.
  if (!isId(accountId) || pin === null)
    return { accountId, events, rows: account.rows(), finding: null };
  for await (const stored of accountEventsUpTo(log, accountId, { pin })) {
    const { id, position, revision } = stored;
    const broken = (finding: Finding): FoldedAccount => ({
      accountId,
      events,
      rows: null,
      finding,
    });
    if (revision !== events)
      return broken(findingAt(stored, 'missing_events', `comes where revision ${events} should`));
    try {
      const { event, context } = decodeAccountEvent(stored);
      account.apply({ event, context, id, position, revision });
    } catch (error) {
      if (error instanceof BrokenHistoryError) return broken(error.finding);
      if (!(error instanceof WrongBooksError)) throw error;
      return broken(findingAt(stored, 'wrong_books', `cannot be right: ${error.message}`));
    }
    events += 1;
  }
  return { accountId, events, rows: account.rows(), finding: null };
}

/** One table after the other: one connection answers one query at a time. */
async function readAccountRows(
  snapshot: Transaction<ReadTables>,
  accountIds: readonly string[],
): Promise<ReadonlyMap<ComparedTable, ReadonlyMap<string, TextRow[]>>> {
  const tables = new Map<ComparedTable, Map<string, TextRow[]>>();
  for (const table of ACCOUNT_TABLES) {
    const { account } = shapeOf(table);
    const rows = await readTable(snapshot, table, `where ${account} = any($1)`, [accountIds]);
    const byAccount = new Map<string, TextRow[]>();
    for (const row of rows) {
      const accountId = row[account ?? ''] ?? '';
      const own = byAccount.get(accountId);
      if (own === undefined) byAccount.set(accountId, [row]);
      else own.push(row);
    }
    tables.set(table, byAccount);
  }
  return tables;
}

/** The rows of a table in the form in which they are compared; `condition` is SQL. */
export async function readTable(
  snapshot: Transaction<ReadTables>,
  table: ComparedTable,
  condition = '',
  parameters: readonly unknown[] = [],
): Promise<TextRow[]> {
  const columns = Object.keys(shapeOf(table).columns).map((name) => `${name}::text as ${name}`);
  const text = `select ${columns.join()} from ${table} ${condition}`;
  const { rows } = await snapshot.executeQuery<TextRow>(CompiledQuery.raw(text, [...parameters]));
  return rows.map((row) => actualText(table, row));
}

/** `work` of each, a bounded number at a time; results in the order given. */
async function eachOf<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const entries = items.entries();
  const worker = async (): Promise<void> => {
    for (const [place, item] of entries) results[place] = await work(item);
  };
  await Promise.all(Array.from({ length: STREAMS_AT_ONCE }, worker));
  return results;
}
