import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDevEventStore } from '@points/dev-event-store/server';
import type { DevEventStore } from '@points/dev-event-store/server';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import type { EventLog } from '@points/event-store/event-log';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { createLedgerWriter } from './testing/ledger-writer.ts';
import type { LedgerWriter } from './testing/ledger-writer.ts';
import { startOwnProcess } from './testing/own-process.ts';
import { createRandom, randomStep } from './testing/random-history.ts';
import { createReadDatabase } from './testing/read-tables.ts';
import type { ReadDatabase } from './testing/read-tables.ts';

let eventStore: DevEventStore;
let eventLog: EventLog;
let writer: LedgerWriter;
let database: ReadDatabase;
const random = createRandom(3);

beforeAll(async () => {
  eventStore = await startDevEventStore({ dataDir: null });
  eventLog = connectEventStoreDb({ url: eventStore.url });
  writer = createLedgerWriter(eventLog);
  database = await createReadDatabase(inject('postgresUrl'));
});
afterAll(async () => {
  await eventLog.close();
  await eventStore.close();
  await database.drop();
});

const environment = () => ({
  EVENTSTORE_URL: eventStore.url,
  DATABASE_URL: database.url,
  RELAY: 'off',
});

async function live(steps: number): Promise<void> {
  for (let step = 0; step < steps; step += 1) randomStep(writer.book(`u${step % 20}`), random);
  await writer.flush();
}

async function endOfLog(): Promise<bigint> {
  let last = 0n;
  for (let account = 0; account < 20; account += 1) {
    const event = await eventLog.readLast(`account-u${account}`);
    if (event !== null && event.position > last) last = event.position;
  }
  return last;
}

describe('the projector as a process, over the wire', () => {
  it('applies exactly once though it is killed again and again', async () => {
    await live(300);
    for (let kill = 0; kill < 2; kill += 1) {
      const projector = startOwnProcess('main.ts', [], environment());
      await live(200);
      await database.announced(await endOfLog());
      await live(200);
      projector.kill('SIGKILL');
      expect(await projector.ended).toBe('SIGKILL');
    }
    const often = { ...environment(), RECONCILE_EVERY_MS: '50' };
    const projector = startOwnProcess('main.ts', [], often);
    await projector.says('"msg":"ready"');
    await database.announced(await endOfLog());
    const dump = await database.dump();
    for (let account = 0; account < 20; account += 1) {
      const book = writer.book(`u${account}`);
      const rows = await database.query(
        'select balance::int, ledger_version::int from read.user_points where user_id = $1',
        [`u${account}`],
      );
      expect(rows).toEqual([
        { balance: book.account.balance, ledger_version: book.account.revision },
      ]);
    }

    // A row that is wrong makes nobody unready, and is told until it is mended.
    await database.query(`update read.user_points set debt = debt + 1 where user_id = 'u3'`);
    const line = projector.lines.find((each) => each.includes('"msg":"ready"')) ?? '';
    const { healthPort } = z.object({ healthPort: z.number() }).parse(JSON.parse(line));
    const readyz = async () => {
      const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`);
      return [answer.status, await answer.json()];
    };
    const drift = 'the read tables of 1 accounts are not what the log says';
    const told = [200, { ok: true, parts: { reconcile: { ok: false, reason: drift } } }];
    await expect.poll(readyz, { timeout: 20_000 }).toEqual(told);
    const metrics = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
    expect(metrics).toMatch(/^reconcile_drift_accounts{.*} 1$/m);

    // `npm run rebuild` finds the addresses that "npm start" wrote down, and makes the identical tables.
    const folder = mkdtempSync(join(tmpdir(), 'projector-'));
    const stack = { eventstore: eventStore.url, postgres: database.url };
    writeFileSync(join(folder, 'dev-stack.json'), JSON.stringify(stack));
    const rebuild = startOwnProcess('rebuild-cli.ts', [], { DATA_DIR: folder });
    expect(await rebuild.ended, rebuild.lines.join('\n')).toBe(0);
    expect(rebuild.lines.at(-1)).toMatch(/^done: \d+ events up to position \d+ in [\d.]+ s$/);
    rmSync(folder, { recursive: true });
    expect(await database.dump()).toEqual(dump);
    const well = [200, { ok: true, parts: { reconcile: { ok: true } } }];
    await expect.poll(readyz, { timeout: 20_000 }).toEqual(well);

    await live(50);
    await database.announced(await endOfLog());
    projector.kill('SIGTERM');
    expect(await projector.ended).toBe(0);
  });

  it('says what a wrong setting must be and ends', async () => {
    const projector = startOwnProcess('main.ts', [], {
      EVENTSTORE_URL: eventStore.url,
      NATS_USER: 'relay',
    });
    expect(await projector.ended).toBe(1);
    expect(projector.lines).toEqual([
      'projector: DATABASE_URL is not set: must be a URL that starts with postgres:// or postgresql://.',
      'NATS_URL is not set: must be the address of the NATS server, such as nats://127.0.0.1:4222, or RELAY off.',
      'NATS_PASS is not set: must be the password of NATS_USER.',
    ]);
    const unsure = startOwnProcess('main.ts', [], { ...environment(), RELAY: 'maybe' });
    expect(await unsure.ended).toBe(1);
    expect(unsure.lines).toEqual(['projector: RELAY is "maybe": must be on or off.']);
  });

  it('rebuild explains itself, and refuses what it does not know', async () => {
    const help = startOwnProcess('rebuild-cli.ts', ['--help'], {});
    expect(await help.ended).toBe(0);
    expect(help.lines[0]).toBe('npm run rebuild');
    const wrong = startOwnProcess('rebuild-cli.ts', ['--now'], environment());
    expect(await wrong.ended).toBe(1);
    expect(wrong.lines).toEqual(['rebuild: there is no "--now"; see --help']);
    const unset = startOwnProcess('rebuild-cli.ts', [], { DATA_DIR: '/nowhere' });
    expect(await unset.ended).toBe(1);
    expect(unset.lines[0]).toMatch(/^rebuild: EVENTSTORE_URL is not set/);
  });
});
