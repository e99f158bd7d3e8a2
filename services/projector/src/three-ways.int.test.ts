import { openAccountBooks } from '@points/audit/books/account-books';
import { liveOut } from '@points/audit/books/testing/lives';
import { type CompareReport, compare } from '@points/audit/compare';
import { mapValues } from '@points/domain/persistent-map';
import { charged, confirm, hold, recharge } from '@points/domain/testing/book';
import { histories } from '@points/domain/testing/history';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { createLog } from '@points/runtime/log';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Follower } from './follower.ts';
import { startProjector } from './start.ts';
import { createLedgerWriter } from './testing/ledger-writer.ts';
import type { ReadDatabase } from './testing/read-tables.ts';
import { createReadDatabase } from './testing/read-tables.ts';

const RUNS = Number(process.env['THREE_WAYS_RUNS'] ?? 10);
const MAX_STEPS = 80;

const log = createInMemoryEventLog();
const writer = createLedgerWriter(log);
let database: ReadDatabase;
let projector: Follower;

beforeAll(async () => {
  database = await createReadDatabase(inject('postgresUrl'));
  const databaseUrl = database.url;
  projector = startProjector({ eventLog: log, databaseUrl, log: createLog('test', 'silent') });
});

afterAll(async () => {
  await projector.stop();
  await database.drop();
});

async function projected(): Promise<void> {
  await writer.flush();
  await database.announced((await log.readLastPosition()) ?? 0n);
}

function compared(...accounts: string[]): Promise<CompareReport> {
  return compare({
    log,
    databaseUrl: database.url,
    ...(accounts.length === 0 ? {} : { accounts }),
  });
}

const byText = (one: readonly unknown[], other: readonly unknown[]) =>
  String(one[0]) < String(other[0]) ? -1 : 1;

describe('a random history, replayed three ways', () => {
  it('is the same in the ledger, in the audit and in the read tables', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(histories(MAX_STEPS), { minLength: 3, maxLength: 6 }),
        async (lives) => {
          runs += 1;
          const accounts = lives.map((history, place) => {
            const accountId = `run-${runs}-${place}`;
            const { events, account } = liveOut(history);
            writer.book(accountId).events.push(...events);
            return { accountId, events, account };
          });
          await projected();
          const report = await compared(...accounts.map(({ accountId }) => accountId));
          expect(report.differences).toEqual([]);
          expect(report.findings).toEqual([]);
          for (const { accountId, events, account } of accounts) {
            if (events.length === 0) continue;
            const books = openAccountBooks();
            for (const event of events) books.apply(event);
            const domain = {
              balance: account.balance,
              held: account.held,
              available: account.balance - account.held,
              debt: account.debt,
              revision: account.revision,
              batches: account.batches
                .map(({ batchId, remaining, pinned }) => [batchId, remaining, pinned])
                .sort(byText),
              openHolds: mapValues(account.openHolds)
                .map(({ holdId, amount }) => [holdId, amount])
                .sort(byText),
              deltas: events
                .map(({ event: { data } }) => data.balance_after - data.balance_before)
                .filter((delta) => delta !== 0),
            };
            expect(await tables(accountId)).toEqual(domain);
            const { deltas: _, ...state } = domain;
            expect({
              balance: books.balance(),
              held: books.held(),
              available: books.balance() - books.held(),
              debt: books.debt(),
              revision: events.length - 1,
              batches: [...books.batches.values()]
                .filter(({ remaining }) => remaining > 0)
                .map(({ batchId, remaining, pinned }) => [batchId, remaining, pinned])
                .sort(byText),
              openHolds: [...books.openHolds]
                .map(([holdId, { placed }]) => [holdId, placed.amount])
                .sort(byText),
            }).toEqual(state);
          }
        },
      ),
      // A failure is told, made as small as it could be by then, before the test's own time is over.
      { numRuns: RUNS, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: true },
    );
  });
});

/** An account with a recharge, a charge and an open hold. */
async function lived(accountId: string): Promise<{ open: string; paid: string }> {
  const book = writer.book(accountId);
  recharge(book, 20);
  hold(book, 5, { terms: charged(5) });
  const paid = lastHold(accountId);
  confirm(book, paid);
  hold(book, 3, { terms: charged(3) });
  await projected();
  return { paid, open: lastHold(accountId) };
}

function lastHold(accountId: string): string {
  const placed = writer.book(accountId).events.at(-1)?.event;
  if (placed?.type !== 'PointsHeld') throw new Error('no hold');
  return placed.data.hold_id;
}

describe('a wrong row', () => {
  type Found = [table: string, kind: string, column: string | null, log: unknown, row: unknown];
  const planted: readonly [string, string, readonly Found[]][] = [
    [
      'balance and total',
      `update read.user_points set balance = 16, total_recharged = 21 where user_id = $id`,
      [
        ['user_points', 'different', 'balance', '15', '16'],
        ['user_points', 'different', 'available', '12', '13'],
        ['user_points', 'different', 'total_recharged', '20', '21'],
      ],
    ],
    [
      'missing transaction',
      `delete from read.point_transactions where user_id = $id and type = 'consume'`,
      [['point_transactions', 'missing', null, null, null]],
    ],
    [
      'extra hold',
      `insert into read.point_holds select (jsonb_populate_record(h, '{"hold_id": "another"}')).*
       from read.point_holds h where user_id = $id and status = 'pending'`,
      [['point_holds', 'surplus', null, null, null]],
    ],
    [
      'changed batch',
      `update read.point_batches set remaining = 14 where user_id = $id`,
      [['point_batches', 'different', 'remaining', '15', '14']],
    ],
    [
      'forgotten command',
      `delete from read.point_commands where account_id = $id and revision = 0`,
      [['point_commands', 'missing', null, null, null]],
    ],
    [
      'changed times and allocations',
      `update read.point_holds set expires_at = expires_at + interval '1 microsecond',
              allocations = '[]' where user_id = $id and status = 'pending'`,
      [
        ['point_holds', 'different', 'allocations', expect.stringContaining('"points":3'), '[]'],
        ['point_holds', 'different', 'expires_at', expect.any(String), expect.any(String)],
      ],
    ],
  ];
  it.each(planted)('is named: %s', async (name, text, found) => {
    const accountId = name.replaceAll(' ', '-');
    const { open, paid } = await lived(accountId);
    expect((await compared(accountId)).holds).toBe(true);
    await database.query(text.replaceAll('$id', `'${accountId}'`));
    const report = await compared(accountId);
    expect(report.holds).toBe(false);
    expect(report.accounts).toEqual([{ account_id: accountId, revision: 3 }]);
    expect(report.position).toBe(String(await log.readLastPosition()));
    expect(
      report.differences.map(({ table, kind, column, expected, actual }) => [
        table,
        kind,
        column,
        expected,
        actual,
      ]),
    ).toEqual(found);
    expect([open, paid, accountId, 'another']).toContain(
      report.differences[0]?.key['hold_id'] ?? accountId,
    );
  });

  it('of somebody, or something, that the log does not know is named too', async () => {
    await database.query(
      `insert into read.point_tombstones values ('nobody', 'h', 'x', 0);
       insert into read.points_packages values
         ('p', 1, 'name', 1, 0, 1, null, true, 0, 0, null)`,
    );
    const report = await compared();
    const keys = report.differences.map(({ kind, key }) => [kind, Object.values(key).join()]);
    expect(keys).toContainEqual(['surplus', 'nobody,h']);
    expect(keys).toContainEqual(['surplus', 'p']);
    expect(report.difference_count).toBe(report.differences.length);
  });

  it('is not looked for where the log itself is wrong: that is told', async () => {
    await lived('broken');
    const real = log.readStream.bind(log);
    const forged = {
      readAll: log.readAll.bind(log),
      async *readStream(...asked: Parameters<typeof real>) {
        for await (const event of real(...asked))
          yield event.type === 'HoldConfirmed'
            ? { ...event, data: { ...event.data, actual_amount: 4 } }
            : event;
      },
    };
    const accounts = ['broken'];
    const report = await compare({ log: forged, databaseUrl: database.url, accounts });
    expect(report.differences).toEqual([]);
    expect(report.findings).toMatchObject([{ kind: 'wrong_books', revision: 2 }]);
    expect(report.holds).toBe(false);
  });
});

async function tables(accountId: string) {
  const own = (text: string) => database.query(text.replaceAll('$id', `'${accountId}'`));
  const [row] = await own(
    `select balance, held, available, debt, ledger_version as revision
     from read.user_points where user_id = $id`,
  );
  const batches = await own(
    `select batch_id, remaining, held from read.point_batches where user_id = $id and remaining > 0`,
  );
  const holds = await own(
    `select hold_id, amount from read.point_holds where user_id = $id and status = 'pending'`,
  );
  const deltas = await own(
    `select delta from read.point_transactions where user_id = $id order by id`,
  );
  return {
    ...Object.fromEntries(Object.entries(row ?? {}).map(([key, value]) => [key, Number(value)])),
    batches: batches
      .map((each) => [each['batch_id'], Number(each['remaining']), Number(each['held'])])
      .sort(byText),
    openHolds: holds.map((each) => [each['hold_id'], Number(each['amount'])]).sort(byText),
    deltas: deltas.map(({ delta }) => Number(delta)),
  };
}
