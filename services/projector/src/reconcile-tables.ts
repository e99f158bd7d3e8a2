import type { Difference } from '@points/audit/compare-rows';
import type { ReadTables } from '@points/read-model/tables';
import { type Kysely, type Transaction, sql } from 'kysely';

/** Differing accounts that are written down; what is found beyond them shows when these are mended. */
const DRIFTED_ACCOUNTS_MAX = 1_000;
const NAME = 'read';

/** What the last round left behind. */
export interface ReconcileState {
  /** Accounts that differed when they were last looked at; at most 1,000 are written down. */
  readonly driftedAccounts: number;
  readonly lastRoundAt: Date | null;
  /** When the rounds last came to the end of the accounts. */
  readonly lastFullRoundAt: Date | null;
}

/** For `/readyz`: decisions come from the log, so nobody is unready because read tables differ from it. */
export function reconcilePart(state: ReconcileState | null): { ok: boolean; reason?: string } {
  const drifted = state?.driftedAccounts ?? 0;
  if (drifted === 0) return { ok: true };
  return { ok: false, reason: `the read tables of ${drifted} accounts are not what the log says` };
}

export async function readState(db: Kysely<ReadTables>): Promise<ReconcileState> {
  const progress = await db
    .selectFrom('reconcile_progress')
    .selectAll()
    .where('name', '=', NAME)
    .executeTakeFirst();
  const drift = await db
    .selectFrom('reconcile_drift')
    .select((sums) => sums.fn.count<number>('account_id').distinct().as('accounts'))
    .executeTakeFirstOrThrow();
  return {
    driftedAccounts: drift.accounts,
    lastRoundAt: progress?.last_round_at ?? null,
    lastFullRoundAt: progress?.last_full_round_at ?? null,
  };
}

export interface NextAccounts {
  /** Those known to differ first; each once. */
  readonly accountIds: readonly string[];
  /** Where the round after this one goes on; '' = at the beginning, for this one comes to the end. */
  readonly lastAccountId: string;
}

/** Which accounts a round looks at. `limits.events` may be passed by the last account that is taken. */
export async function nextAccounts(
  db: Kysely<ReadTables>,
  limits: { readonly accounts: number; readonly drifted: number; readonly events: number },
): Promise<NextAccounts> {
  const progress = await db
    .selectFrom('reconcile_progress')
    .select('last_account_id')
    .where('name', '=', NAME)
    .executeTakeFirst();
  const drifted = await db
    .selectFrom('reconcile_drift')
    .select('account_id')
    .groupBy('account_id')
    .orderBy((drift) => drift.fn.min('checked_at'))
    .orderBy('account_id')
    .limit(limits.drifted)
    .execute();
  const following = await accountsAfter(db, progress?.last_account_id ?? '', limits.accounts);
  const accountIds = new Set(drifted.map(({ account_id }) => account_id));
  let events = 0;
  let lastAccountId = '';
  for (const { account_id, revisions } of following) {
    if (events > 0 && events + revisions > limits.events)
      return { accountIds: [...accountIds], lastAccountId };
    events += revisions;
    accountIds.add(account_id);
    lastAccountId = account_id;
  }
  const isEnd = following.length < limits.accounts;
  return { accountIds: [...accountIds], lastAccountId: isEnd ? '' : lastAccountId };
}

/** In the order of the database; also accounts whose own row is gone: every event of an account is of a command. */
async function accountsAfter(db: Kysely<ReadTables>, accountId: string, limit: number) {
  const { rows } = await sql<{ account_id: string; revisions: number }>`
    with recursive next (account_id) as (
      select least(
        (select min(user_id) from user_points where user_id > ${accountId}),
        (select min(account_id) from point_commands where account_id > ${accountId}))
      union all
      select least(
        (select min(user_id) from user_points where user_id > next.account_id),
        (select min(c.account_id) from point_commands c where c.account_id > next.account_id))
      from next where next.account_id is not null
    )
    select account_id, coalesce(a.ledger_version + 1, 0) as revisions
    from (select account_id from next where account_id is not null limit ${limit}) following
    left join user_points a on a.user_id = following.account_id
    order by account_id`.execute(db);
  return rows;
}

/** What one account was found to be. */
export interface AccountLook {
  readonly accountId: string;
  readonly revision: number;
  readonly position: bigint;
  /** The first of them; none = the tables are what the log says. */
  readonly differences: readonly Difference[];
  /** What is wrong in the log itself. */
  readonly wrongLog: string | null;
}

/** Writes down what a round found: in the place of what was known of these accounts. */
export async function writeRound(
  transaction: Transaction<ReadTables>,
  { lastAccountId }: NextAccounts,
  looks: readonly AccountLook[],
  now: Date,
): Promise<void> {
  const accountIds = looks.map((look) => look.accountId);
  const before = await sql<{ account_id: string; found_at: Date }>`
    delete from reconcile_drift where account_id = any(${accountIds})
    returning account_id, found_at`.execute(transaction);
  const foundAt = new Map(before.rows.map((row) => [row.account_id, row.found_at]));
  let room = DRIFTED_ACCOUNTS_MAX - (await readState(transaction)).driftedAccounts;
  for (const look of looks) {
    const rows = driftRows(look, foundAt.get(look.accountId) ?? now, now);
    if (rows.length === 0 || room === 0) continue;
    room -= 1;
    await transaction.insertInto('reconcile_drift').values(rows).execute();
  }
  const progress = {
    last_account_id: lastAccountId,
    last_round_at: now,
    ...(lastAccountId === '' ? { last_full_round_at: now } : {}),
  };
  await transaction
    .insertInto('reconcile_progress')
    .values({ name: NAME, accounts_checked: looks.length, ...progress })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet({
        ...progress,
        accounts_checked: sql`reconcile_progress.accounts_checked + ${looks.length}`,
      }),
    )
    .execute();
}

function driftRows(look: AccountLook, found_at: Date, checked_at: Date) {
  const { accountId: account_id, revision, position, differences, wrongLog } = look;
  const shared = { account_id, revision, position, found_at, checked_at };
  const wrong = { table_name: null, row_key: '{}', column_name: null, row_value: null };
  if (wrongLog !== null)
    return [{ ...shared, ...wrong, place: 0, kind: 'wrong_log' as const, log_value: wrongLog }];
  return differences.map(({ table, key, kind, column, expected, actual }, place) => ({
    ...shared,
    place,
    table_name: table,
    row_key: JSON.stringify(key),
    column_name: column,
    kind,
    log_value: expected,
    row_value: actual,
  }));
}
