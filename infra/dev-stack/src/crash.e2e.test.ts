import type { Endpoint } from '@points/contracts/ledger-requests';
import type { Success } from '@points/contracts/ledger-replies';
import {
  queuedSubject,
  RESULT_STREAM,
  resultPattern,
  resultSubject,
} from '@points/contracts/ledger-subjects';
import { accountStream } from '@points/contracts/streams';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import { type Account, freshAccount } from '@points/domain/account/account';
import { evolve } from '@points/domain/account/evolve';
import { mapSize } from '@points/domain/persistent-map';
import { createAuditor } from '@points/domain/testing/auditor';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { GENESIS_HASH, verifyEvent } from '@points/event-store/hash-chain';
import { openDatabase } from '@points/read-model/database';
import { createJetStream } from '@points/runtime/jetstream';
import { createLog } from '@points/runtime/log';
import { type Nats, connectNats } from '@points/runtime/nats';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Answered, ask, startCallers } from './testing/callers.ts';
import { type StackUnderTest, removeData, startStack } from './testing/stack-under-test.ts';

const ACCOUNTS = Array.from({ length: 8 }, (_, i) => `crash-${i}`);
const CALLERS = 64;
const ANSWERS_AROUND_A_CRASH = 300;
const STORED_SETTLEMENTS = 100;

let stack: StackUnderTest;
let nats: Nats;
let admin: Nats;

beforeAll(async () => {
  stack = await startStack();
  nats = await connect('ai-demo');
  admin = await connect('admin');
  for (const account_id of ACCOUNTS) {
    const body = {
      command_id: v7(),
      account_id,
      source: 'admin',
      source_ref: 'crash',
      points: 1_000_000,
    };
    expect(await ask(admin, 'admin', 'cmd.recharge', body)).toMatchObject({ ok: true });
  }
});

afterAll(async () => {
  await nats.close();
  await admin.close();
  expect(await stack.stop()).toBe(0);
  removeData(stack.dataDir);
});

async function connect(client: string): Promise<Nats> {
  const { url, clients } = stack.file().nats;
  const credentials = clients[client];
  if (credentials === undefined) throw new Error(`no NATS client ${client}`);
  return connectNats({ url, ...credentials, name: client, log: createLog('test', 'silent') });
}

describe(`kill -9 while ${CALLERS} callers run`, () => {
  it.each(['ledger', 'projector', 'eventstore', 'postgres'])(
    'of the %s loses nothing and doubles nothing',
    async (part) => {
      const before = stack.file().pids;
      const callers = startCallers({ nats, client: 'ai-demo', accounts: ACCOUNTS, count: CALLERS });
      await callers.more(ANSWERS_AROUND_A_CRASH);
      process.kill(before[part] ?? 0, 'SIGKILL');
      await vi.waitFor(() => expect(stack.file().pids[part]).not.toBe(before[part]), {
        timeout: 30_000,
        interval: 100,
      });
      await callers.more(ANSWERS_AROUND_A_CRASH);
      await callers.stop();
      await stack.whenReady();
      const others = Object.entries(stack.file().pids).filter(([name]) => name !== part);
      for (const [name, pid] of others) expect(pid, `${name} was restarted too`).toBe(before[name]);
      await expectAllTrue(callers.answered);
    },
  );
});

describe('kill -9 while settlements are stored', () => {
  it.each(['ledger', 'nats'])(
    'of %s: each is decided once, and its result can be read',
    async (part) => {
      const streams = createJetStream(nats);
      const before = stack.file().pids;
      const confirms: { command_id: string; account_id: string; hold_id: string }[] = [];
      for (let round = 0; round < STORED_SETTLEMENTS; round += 1) {
        const account_id = ACCOUNTS[round % ACCOUNTS.length] ?? '';
        const hold = { command_id: v7(), account_id, hold_id: v7(), amount: 3 };
        expect(await ask(nats, 'ai-demo', 'cmd.hold', hold)).toMatchObject({ ok: true });
        confirms.push({ command_id: v7(), account_id, hold_id: hold.hold_id });
      }
      // At the first result the ledger has many more in hand.
      const subscription = nats.connection.subscribe(resultPattern('ai-demo'), {
        max: 1,
        callback: () => void process.kill(before[part] ?? 0, 'SIGKILL'),
      });
      await nats.connection.flush();
      await Promise.all(
        confirms.map(async (body) => {
          const bytes = Buffer.from(JSON.stringify(body));
          // As callers are meant to: the same message until NATS says that it has it.
          await vi.waitFor(
            () =>
              streams.publish(queuedSubject('ai-demo', 'confirm'), bytes, {
                msgId: body.command_id,
              }),
            { timeout: 30_000, interval: 200 },
          );
        }),
      );
      const answered: Answered[] = [];
      for (const body of confirms) {
        const found = await vi.waitFor(
          async () => {
            const subject = resultSubject('ai-demo', body.command_id);
            const message = await streams.lastOf(RESULT_STREAM, subject);
            if (message === null) throw new Error(`no result of ${body.command_id}`);
            return message;
          },
          { timeout: 90_000, interval: 200 },
        );
        const reply: Success = JSON.parse(Buffer.from(found.data).toString());
        expect(reply).toMatchObject({ ok: true, result: { status: 'confirmed', amount: 3 } });
        // Decided before the crash and published after it: the answer is the first one all the same.
        answered.push({ endpoint: 'cmd.confirm', body, reply: { ...reply, duplicate: false } });
      }
      subscription.unsubscribe();
      expect(stack.file().pids[part]).not.toBe(before[part]);
      await stack.whenReady();
      await expectAllTrue(answered);
    },
  );
});

describe('a frozen event store', () => {
  it('is refused in bounded time and named, and work resumes when it goes on', async () => {
    const pid = stack.file().pids['eventstore'] ?? 0;
    const account_id = ACCOUNTS[0] ?? '';
    process.kill(pid, 'SIGSTOP');
    try {
      const body = Buffer.from(
        JSON.stringify({ command_id: v7(), hold_id: v7(), account_id, amount: 1 }),
      );
      const first = await nats.request('ledger.v1.cmd.ai-demo.hold', body, { timeoutMs: 10_000 });
      expect(JSON.parse(Buffer.from(first.data).toString())).toMatchObject({
        ok: false,
        error: { code: 'outcome_unknown' },
      });
      await vi.waitFor(
        async () =>
          expect(await stack.readyz()).toMatchObject({
            status: 503,
            body: expect.stringContaining('event_store'),
          }),
        {
          timeout: 20_000,
          interval: 200,
        },
      );
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await stack.whenReady();
    expect(
      await ask(nats, 'ai-demo', 'cmd.hold', {
        command_id: v7(),
        hold_id: v7(),
        account_id,
        amount: 1,
      }),
    ).toMatchObject({ ok: true });
  });
});

/** Everything that was acknowledged is in the log once, the log is whole, and the read tables agree with it. */
async function expectAllTrue(answered: readonly Answered[]): Promise<void> {
  const log = connectEventStoreDb({ url: stack.file().eventstore });
  try {
    const accounts = new Map<string, Account>();
    const firstEvents = new Map<string, number>();
    for (const accountId of ACCOUNTS) {
      const events = await readWhole(log, accountStream(accountId));
      const auditor = createAuditor();
      let account = freshAccount();
      for (const stored of events) {
        const decoded = decodeStoredEvent(stored);
        if (decoded.category !== 'account') throw new Error('not an account');
        auditor.check(decoded);
        account = evolve(account, decoded);
        if (decoded.context.index === 0)
          firstEvents.set(
            decoded.context.command_id,
            (firstEvents.get(decoded.context.command_id) ?? 0) + 1,
          );
      }
      accounts.set(accountId, account);
    }
    for (const { body } of answered)
      expect(firstEvents.get((body as { command_id: string }).command_id)).toBe(1);
    expect([...firstEvents.values()].every((count) => count === 1)).toBe(true);
    await expectFirstAnswers(answered);
    await expectTablesToAgree(accounts);
  } finally {
    await log.close();
  }
}

async function readWhole(log: EventLog, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let hash = GENESIS_HASH;
  for await (const event of log.readStream(stream, { fromRevision: 0 })) {
    expect(event.revision).toBe(events.length);
    expect(verifyEvent(event, hash)).toBeNull();
    hash = event.metadata['hash'] ?? '';
    events.push(event);
  }
  return events;
}

const REPEATED_COMMANDS = 40;

async function expectFirstAnswers(answered: readonly Answered[]): Promise<void> {
  const step = Math.max(1, Math.floor(answered.length / REPEATED_COMMANDS));
  for (let i = 0; i < answered.length; i += step) {
    const first = answered[i];
    if (first === undefined) continue;
    const again = await ask(nats, 'ai-demo', first.endpoint satisfies Endpoint, first.body);
    expect(again).toMatchObject({
      ok: true,
      duplicate: true,
      result: first.reply.result,
      balance: first.reply.balance,
    });
  }
}

async function expectTablesToAgree(accounts: ReadonlyMap<string, Account>): Promise<void> {
  const db = openDatabase({
    url: stack.file().postgres,
    poolSize: 1,
    applicationName: 'crash-test',
  });
  try {
    await vi.waitFor(
      async () => {
        const rows = await db
          .selectFrom('user_points')
          .selectAll()
          .where('user_id', 'in', [...accounts.keys()])
          .execute();
        const open = await db
          .selectFrom('point_holds')
          .select(['user_id', (eb) => eb.fn.countAll<number>().as('count')])
          .where('status', '=', 'pending')
          .groupBy('user_id')
          .execute();
        expect(rows).toHaveLength(accounts.size);
        for (const row of rows) {
          const account = accounts.get(row.user_id);
          expect(row).toMatchObject({
            ledger_version: account?.revision,
            balance: account?.balance,
            held: account?.held,
            debt: account?.debt,
          });
          const holds = Number(open.find(({ user_id }) => user_id === row.user_id)?.count ?? 0);
          expect(holds).toBe(account === undefined ? -1 : mapSize(account.openHolds));
        }
      },
      { timeout: 30_000, interval: 200 },
    );
    const sums = await db
      .selectFrom('point_transactions')
      .select(['user_id', (eb) => eb.fn.sum<number>('delta').as('total')])
      .where('user_id', 'in', [...accounts.keys()])
      .groupBy('user_id')
      .execute();
    for (const { user_id, total } of sums)
      expect(Number(total)).toBe(accounts.get(user_id)?.balance);
  } finally {
    await db.destroy();
  }
}
