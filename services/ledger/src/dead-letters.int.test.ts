import { REAL_TIMERS, type Timers } from '@points/event-store/timers';
import { createJetStream, type JetStream } from '@points/runtime/jetstream';
import { consume } from '@points/runtime/jetstream-consume';
import { createLog } from '@points/runtime/log';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSUMERS } from '../../../infra/nats/streams.ts';
import { bury, buryCrashLoops } from './dead-letters.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type StoredCommands, storedCommands } from './testing/stored-commands.ts';

const log = createLog('test', 'silent');
let world: World;
let stored: StoredCommands;
let streams: JetStream;

beforeAll(async () => {
  world = await startWorld({
    consumers: CONSUMERS.map((consumer) =>
      consumer.stream === 'LEDGER_CMD' ? { ...consumer, ackWaitMs: 300, maxDeliver: 1 } : consumer,
    ),
  });
  stored = storedCommands(world);
  streams = createJetStream(await world.connection('ledger'));
});
afterAll(() => world.stop());

/** Takes what is there and answers only where told. */
async function take(stream: 'LEDGER_CMD' | 'LEDGER_DLQ_ADV', count: number, ack: boolean) {
  let taken = 0;
  const taking = consume(await world.connection('ledger'), {
    stream,
    consumer: stream === 'LEDGER_CMD' ? 'ledger-cmd' : 'ledger-adv',
    maxInHand: 64,
    mayPull: () => true,
    handler: async (delivery) => {
      taken += 1;
      if (ack) delivery.ack();
    },
    log,
  });
  await expect.poll(() => taken, { timeout: 10_000 }).toBe(count);
  await taking.stop();
}

describe('bury', () => {
  it('keeps a letter with anything in it, once', async () => {
    const letter = {
      subject: 'ledger.v1.q.ai-demo.confirm',
      sequence: 17,
      storedMs: 1_700_000_000_000,
      data: Buffer.from([0, 255, 10]),
      header: () => null,
      headers: { 'Nats-Msg-Id': 'a', 'X-Name': 'Größe\u0007' },
    };
    await bury(streams, letter, 'schlecht: ä\r\nx');
    await bury(streams, letter, 'the same again');
    const [found, ...more] = await stored.deadLetters();
    expect(more).toEqual([]);
    expect([...(found?.data ?? [])]).toEqual([0, 255, 10]);
    expect(found?.headers).toMatchObject({
      'Ledger-Dead-Reason': 'schlecht: ???x',
      'Ledger-Dead-Sequence': '17',
      'Ledger-Dead-Stored-At': '2023-11-14T22:13:20.000Z',
    });
    expect(JSON.parse(found?.header('Ledger-Dead-Headers') ?? '')).toEqual(letter.headers);
  });

  it('leaves headers out that are too large for it', async () => {
    const headers = { x: 'ä'.repeat(5_000) };
    const letter = { subject: 's', sequence: 18, storedMs: 0, data: Buffer.from('x'), headers };
    await bury(streams, { ...letter, header: () => null }, 'large');
    const found = (await stored.deadLetters()).at(-1);
    expect(found?.subject).toBe('ledger.v1.dlq.unknown.unknown');
    expect(found?.header('Ledger-Dead-Headers')).toBe('{}');
  });
});

describe('commands that were delivered too often', () => {
  it('are heard of also after what is no advisory', async () => {
    const advisories = createJetStream(await world.connection('provision'));
    const waiting = async () => (await advisories.streamState('LEDGER_DLQ_ADV')).messages;
    // Where the server's own acknowledgement of it goes is the sender's to choose.
    (await world.connection('ai-demo')).connection.publish(
      'ledger.v1.q.ai-demo.confirm',
      Buffer.from('x'),
      { reply: '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.LEDGER_CMD.ledger-cmd' },
    );
    await expect.poll(waiting).toBe(1);
    const nats = await world.connection('ledger');
    const burying = buryCrashLoops({ nats, streams, timers: REAL_TIMERS, log });
    await expect.poll(waiting, { timeout: 5_000 }).toBe(0);
    await burying.stop();
    await take('LEDGER_CMD', 1, true);
  });

  it('are moved although nobody heard NATS say so, and those in work are left alone', async () => {
    const before = (await stored.deadLetters()).length;
    const first = await stored.put('ai-demo', 'confirm', { x: 1 });
    await stored.put('ai-demo', 'confirm', { x: 2 });
    await take('LEDGER_CMD', 2, false);
    await take('LEDGER_DLQ_ADV', 2, true); // whoever heard it has forgotten it
    await stored.put('ai-demo', 'confirm', { x: 3 }); // waits for its first delivery
    const nats = await world.connection('ledger');
    let looks = 0;
    const timers: Timers = {
      ...REAL_TIMERS,
      after(ms, run) {
        looks += 1;
        return REAL_TIMERS.after(ms, run);
      },
    };
    const burying = buryCrashLoops({ nats, streams, timers, log, lookEveryMs: 50 });
    await expect.poll(stored.waiting, { timeout: 10_000 }).toBe(1);
    const letters = (await stored.deadLetters()).slice(before);
    expect(letters).toHaveLength(2);
    expect(letters[0]?.header('Ledger-Dead-Reason')).toBe('delivered too often without an end');
    expect(Buffer.from(letters[0]?.data ?? []).toString()).toContain(first);
    let finish = (): void => {};
    const working = consume(nats, {
      stream: 'LEDGER_CMD',
      consumer: 'ledger-cmd',
      maxInHand: 1,
      mayPull: () => true,
      handler: (delivery) =>
        new Promise((resolve) => {
          const timer = setInterval(delivery.working, 50);
          finish = () => {
            clearInterval(timer);
            delivery.ack();
            resolve();
          };
        }),
      log,
    });
    await expect.poll(working.inHand, { timeout: 10_000 }).toBe(1);
    const looksBefore = looks;
    await expect.poll(() => looks).toBeGreaterThan(looksBefore + 3);
    expect(await stored.waiting()).toBe(1);
    finish();
    await working.stop();
    await expect.poll(stored.waiting).toBe(0);
    expect((await stored.deadLetters()).slice(before)).toHaveLength(2);
    await burying.stop();
  });
});
