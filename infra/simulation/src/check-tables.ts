import { strict as assert } from 'node:assert';
import { ACCOUNTS, BATCHES, COMMANDS, HOLDS, SOURCES, TRANSACTIONS } from '@points/projector/rows';
import type { Fact } from '@points/contracts/facts';
import type { AccountJournal, Journal } from './journal.ts';
import type { MemoryTables } from './tables.ts';

/** At rest, the stream of facts ends with the log's events of accounts, each once and in order. Throws AssertionError. */
export function checkFacts(facts: readonly Fact[], published: number, journal: Journal): void {
  assert.equal(published, journal.all.length, 'facts published');
  assert.deepEqual(
    facts.map(({ id, position }) => [id, position]),
    journal.all
      .slice(published - facts.length)
      .map(({ stored }) => [stored.id, String(stored.position)]),
    'facts',
  );
}

/** At rest, the read tables must say what the auditor's books say. Throws AssertionError. */
export function checkTables(tables: MemoryTables, journal: Journal): void {
  for (const accountId of journal.accountIds())
    checkAccount(accountId, tables, journal.account(accountId));
}

function checkAccount(
  accountId: string,
  tables: MemoryTables,
  { auditor, events, commands }: AccountJournal,
): void {
  const { books } = auditor;
  const own = <Row extends { readonly user_id: string }>(rows: readonly Row[]) =>
    rows.filter((row) => row.user_id === accountId);

  const last = events.at(-1)?.after;
  const { total } = books;
  assert.deepEqual(
    own(tables.rows(ACCOUNTS)).map((row) => [
      [row.balance, row.held, row.debt, row.ledger_version],
      [row.total_consumed, row.total_refunded, row.total_expired],
      row.total_recharged + row.total_rewarded + row.total_reversed,
    ]),
    [
      [
        [last?.balance, last?.held, last?.debt, events.length - 1],
        [total.consumed, total.refunded, total.expired],
        total.paid + total.bonus + total.rewarded,
      ],
    ],
    'user_points',
  );
  assert.deepEqual(
    byId(own(tables.rows(BATCHES)).map((row) => [row.batch_id, row.remaining, row.held])),
    byId([...books.batches.values()].map(({ id, remaining, pinned }) => [id, remaining, pinned])),
    'point_batches',
  );
  for (const { hold_id, status } of own(tables.rows(HOLDS))) {
    const outcome = books.done.get(hold_id);
    const isLate = outcome?.status === 'canceled' && outcome.lateHold !== null;
    if (!isLate) assert.equal(status, outcome?.status ?? 'pending', `hold ${hold_id}`);
  }
  assert.deepEqual(
    own(tables.rows(TRANSACTIONS)).map(({ event_id, delta }) => [event_id, delta]),
    events
      .map(({ stored, event: { data } }) => [stored.id, data.balance_after - data.balance_before])
      .filter(([, delta]) => delta !== 0),
    'point_transactions',
  );
  const told = tables.rows(COMMANDS).filter((row) => row.account_id === accountId);
  assert.deepEqual(
    byId(told.map(({ command_id, revision }) => [command_id, revision])),
    byId([...commands].map(([id, { first }]) => [id, first])),
    'point_commands',
  );
  assert.deepEqual(
    byId(own(tables.rows(SOURCES)).map((row) => [row.source_ref, row.reversed_revision !== null])),
    byId([...books.sources].map(([ref, { reversed }]) => [ref, reversed])),
    'point_sources',
  );
}

function byId<Row extends readonly [string, ...unknown[]]>(rows: readonly Row[]): Row[] {
  return rows.toSorted(([a], [b]) => (a < b ? -1 : 1));
}
