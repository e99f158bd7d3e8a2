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
  /** Accounts that were left out when their turn came last. */
  readonly skippedAccounts: number;
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
  const skipped = await db
    .selectFrom('reconcile_skipped')
    .select((sums) => sums.fn.countAll<number>().as('accounts'))
    .executeTakeFirstOrThrow();
  return {
    driftedAccounts: drift.accounts,
    skippedAccounts: skipped.accounts,
    lastRoundAt: progress?.last_round_at ?? null,
    lastFullRoundAt: progress?.last_full_round_at ?? null,
  };
}

export interface NextAccounts {
  /** Those known to differ first; each once. */
  readonly accountIds: readonly string[];
  /** How many of them come first because they are known to differ. */
  readonly drifted: number;
  /** Where the round before this one ended. */
  readonly afterAccountId: string;
  /** Where the round after this one goes on; '' = at the beginning, for this one comes to the end. */
  readonly lastAccountId: string;
}

/**
 * Which accounts a round looks at. Those known to differ count towards `limits.events` too; whatever they leave, one of
 * the accounts that follow is taken, so that the round always comes further. Those that differ and were left out the last
 * time wait for their turn among the others.
 */
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
    .leftJoin('user_points', 'user_id', 'account_id')
    .select((drift) => [
      'account_id',
      drift.fn.coalesce('ledger_version', sql<number>`-1`).as('ledger_version'),
    ])
    .where('account_id', 'not in', (not) =>
      not.selectFrom('reconcile_skipped').select('account_id'),
    )
    .groupBy(['account_id', 'ledger_version'])
    .orderBy((drift) => drift.fn.min('checked_at'))
    .orderBy('account_id')
    .limit(limits.drifted)
    .execute();
  const afterAccountId = progress?.last_account_id ?? '';
  const following = await accountsAfter(db, afterAccountId, limits.accounts);
  const accountIds = new Set<string>();
  let events = 0;
  for (const { account_id, ledger_version } of drifted) {
    if (events > 0 && events + ledger_version + 1 > limits.events) break;
    events += ledger_version + 1;
    accountIds.add(account_id);
  }
  const known = { afterAccountId, drifted: accountIds.size };
  let lastAccountId = '';
  for (const { account_id, revisions } of following) {
    if (lastAccountId !== '' && events > 0 && events + revisions > limits.events)
      return { accountIds: [...accountIds], ...known, lastAccountId };
    events += revisions;
    accountIds.add(account_id);
    lastAccountId = account_id;
  }
  const isEnd = following.length < limits.accounts;
  return { accountIds: [...accountIds], ...known, lastAccountId: isEnd ? '' : lastAccountId };
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

/** An account that was not compared. */
export interface AccountSkip {
  readonly accountId: string;
  readonly reason: 'too_many_events' | 'failed';
  /** Says why, for people. */
  readonly message: string;
}

/** Writes down what a round found: in the place of what was known of these accounts. What is known of those that were left out stays. */
export async function writeRound(
  transaction: Transaction<ReadTables>,
  {
    lastAccountId,
    looks,
    skips,
  }: {
    readonly lastAccountId: string;
    readonly looks: readonly AccountLook[];
    readonly skips: readonly AccountSkip[];
  },
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
  const turns = [...accountIds, ...skips.map(({ accountId }) => accountId)];
  await sql`delete from reconcile_skipped where account_id = any(${turns})`.execute(transaction);
  if (skips.length > 0)
    await transaction
      .insertInto('reconcile_skipped')
      .values(
        skips.map(({ accountId: account_id, reason, message }) => ({
          account_id,
          reason,
          message,
          skipped_at: now,
        })),
      )
      .execute();
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
