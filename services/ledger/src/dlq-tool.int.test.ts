import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createJetStream } from '@points/runtime/jetstream';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSUMERS } from '../../../infra/nats/streams.ts';
import { bury } from './dead-letters.ts';
import type { Ledger } from './start.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type StoredCommands, storedCommands } from './testing/stored-commands.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DAY_MS = 86_400_000;
const account_id = 'u1';
let world: World;
let stored: StoredCommands;
let ledger: Ledger;
let hold_id: string;

beforeAll(async () => {
  world = await startWorld({ consumers: CONSUMERS });
  stored = storedCommands(world);
  ledger = await world.startLedger();
  await world.ok('admin', 'cmd.recharge', {
    account_id,
    source: 'admin',
    source_ref: 'start',
    points: 100,
  });
  hold_id = (await world.ok('ai-demo', 'cmd.hold', { account_id, amount: 40 })).result.hold_id;
});
afterAll(() => world.stop());

/** `npm run dlq -- …` of somebody who has the password. */
async function dlq(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { user = '', pass = '' } = world.natsServer.clients['dlq'] ?? {};
  const env = { NATS_URL: world.natsServer.url, NATS_USER: user, NATS_PASS: pass };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', 'scripts/dlq.ts', ...args],
      { cwd: ROOT, env: { ...process.env, ...env } },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

/** A settlement that a crash loop has put among the dead letters. */
async function buried(body: object, subject = 'ledger.v1.q.ai-demo.confirm'): Promise<number> {
  const before = (await stored.deadLetters()).length;
  const letter = {
    subject,
    sequence: Math.floor(Math.random() * 1e9),
    storedMs: Date.now(),
    data: Buffer.from(JSON.stringify(body)),
    header: () => null,
    // The second would have NATS refuse it.
    headers: { 'Nats-Msg-Id': 'x', 'Nats-Expected-Stream': 'OTHER', 'Ledger-Correlation-Id': 'c1' },
  };
  await bury(createJetStream(await world.connection('ledger')), letter, 'delivered too often');
  const letters = await stored.deadLetters();
  expect(letters).toHaveLength(before + 1);
  return letters.at(-1)?.sequence ?? 0;
}

describe('npm run dlq', () => {
  it('shows what there is', async () => {
    const command_id = v7();
    const sequence = await buried({ command_id, hold_id });
    const { out } = await dlq('list');
    expect(out).toMatch(
      new RegExp(`^ +${sequence}  \\S+Z  ai-demo confirm  ${command_id}  delivered too often\n$`),
    );
    const listed = await dlq('list', '--json');
    expect(JSON.parse(listed.out)).toMatchObject([
      {
        sequence,
        client: 'ai-demo',
        verb: 'confirm',
        command_id,
        reason: 'delivered too often',
        subject: 'ledger.v1.q.ai-demo.confirm',
        headers: { 'Ledger-Correlation-Id': 'c1' },
      },
    ]);
    const shown = await dlq('show', String(sequence), '999');
    expect(shown).toMatchObject({ code: 1, err: 'dlq: there is no 999\n' });
    expect(JSON.parse(shown.out)).toMatchObject({
      sequence,
      body: expect.stringContaining(hold_id),
    });
  });

  it('drops', async () => {
    const sequence = await buried({ command_id: v7() });
    const other = await buried({ command_id: v7() });
    const dropped = await dlq('drop', String(sequence), '999');
    expect(dropped, dropped.err).toMatchObject({
      code: 1,
      out: expect.stringContaining('dropped'),
      err: expect.stringContaining('there is none'),
    });
    const left = (await stored.deadLetters()).map((letter) => letter.sequence);
    expect(left).toContain(other);
    expect(left).not.toContain(sequence);
    expect(await dlq('drop', 'all', '--json')).toMatchObject({ code: 0 });
    expect(await stored.deadLetters()).toEqual([]);
  });

  it('sends again what then is decided, once', async () => {
    const command_id = v7();
    const sequence = await buried({ command_id, account_id, hold_id });
    expect(await dlq('redrive', String(sequence))).toMatchObject({
      code: 0,
      out: expect.stringContaining('sent again to ledger.v1.q.ai-demo.confirm'),
    });
    expect(await stored.deadLetters()).toEqual([]);
    expect(await stored.resultOf('ai-demo', command_id)).toMatchObject({
      ok: true,
      duplicate: false,
      result: { amount: 40 },
    });
    const events = await world.events(account_id);
    expect(events.at(-1)?.metadata['$correlationId']).toBe('c1');
  });

  it('keeps what NATS would take for sent already', async () => {
    await ledger.stop();
    const command_id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    const sequence = await buried({ command_id, account_id, hold_id });
    const { code, err } = await dlq('redrive', String(sequence));
    expect(code).toBe(1);
    expect(err).toContain('within the last two minutes');
    expect(await stored.deadLetters()).toHaveLength(1);
    expect(await stored.waiting()).toBe(1);
    await dlq('drop', 'all');
  });

  it('keeps what is too old to be decided, and goes on with the others', async () => {
    await dlq('drop', 'all');
    const old = await buried({ command_id: v7({ msecs: Date.now() - 8 * DAY_MS }), hold_id });
    const other = await buried({ command_id: v7(), account_id, hold_id });
    const { code, err, out } = await dlq('redrive', 'all');
    expect(code).toBe(1);
    expect(err).toContain('more than 7 days old');
    expect(out).toContain(`${other}  sent again`);
    expect((await stored.deadLetters()).map(({ sequence }) => sequence)).toEqual([old]);
    await dlq('drop', 'all');
  });

  it('does not send again what nobody takes', async () => {
    const sequence = await buried({}, 'ledger.v1.q.ai-demo.hold');
    const { code, err } = await dlq('redrive', String(sequence));
    expect(code).toBe(1);
    expect(err).toContain('it can only be dropped');
    expect(await stored.deadLetters()).toHaveLength(1);
  });

  it('explains itself, and says what is wrong', async () => {
    const [help, nothing, typo, unsaid, wrong] = await Promise.all([
      dlq('--help'),
      dlq(),
      dlq('lsit'),
      dlq('drop'),
      dlq('drop', '1x'),
    ]);
    expect(help).toMatchObject({ code: 0, out: expect.stringContaining('redrive') });
    expect(nothing).toMatchObject({ code: 2 });
    expect(typo).toMatchObject({ code: 2, err: expect.stringContaining('lsit') });
    expect(unsaid).toMatchObject({ code: 2, err: expect.stringContaining('Say which') });
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('1x') });
  });
});
