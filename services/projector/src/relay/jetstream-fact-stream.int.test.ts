import { eventSubject } from '@points/contracts/ledger-subjects';
import { createJetStream } from '@points/runtime/jetstream';
import { describe, expect, it } from 'vitest';
import { createJetStreamFactStream } from './jetstream-fact-stream.ts';
import { describeFactStream } from './testing/fact-stream.contract.ts';
import { createFacts } from './testing/facts.ts';
import { startNatsUnderTest } from './testing/nats-under-test.ts';

describeFactStream('NATS JetStream', async () => {
  const nats = await startNatsUnderTest();
  return {
    stream: createJetStreamFactStream(await nats.connect()),
    other: createJetStreamFactStream(await nats.connect()),
    stored: nats.facts,
    expireAll: nats.expireAll,
    setDown: (down) => (down ? nats.kill() : nats.start()),
    stop: nats.stop,
  };
});

describe('LEDGER_EVT', () => {
  it('holds the messages of the contract, and refuses to continue after one that is none', async () => {
    const nats = await startNatsUnderTest();
    const relay = await nats.connect();
    const stream = createJetStreamFactStream(relay);
    const [fact] = createFacts().next(1);
    if (fact === undefined) throw new Error('no fact');
    await stream.publish([fact], 0);
    expect(await nats.messages()).toMatchObject([
      {
        subject: eventSubject(fact.type, fact.account_id),
        headers: {
          'Nats-Msg-Id': fact.id,
          'Ledger-Event-Type': fact.type,
          'Ledger-Schema': 'PointsHeld.v1',
          'Ledger-Revision': '1',
          'Ledger-Position': '100',
          'Ledger-Correlation-Id': 'c1',
          'Ledger-Causation-Id': 'k1',
          'Ledger-Client': 'ai-demo',
        },
      },
    ]);
    await createJetStream(relay).publish(eventSubject('Junk', 'a'), Buffer.from('{}'));
    await expect(stream.last()).rejects.toThrow(
      /not a fact: stream.* remove the stream and run "npm run provision"/,
    );
    await nats.stop();
  });

  it('says how to make it when it is missing', async () => {
    const nats = await startNatsUnderTest({ streams: false });
    const stream = createJetStreamFactStream(await nats.connect());
    await expect(stream.last()).rejects.toThrow(/stream not found; .* "npm run provision"/);
    const facts = createFacts().next(2);
    await expect(stream.publish(facts, 0)).rejects.toThrow(/no stream .* "npm run provision"/);
    await nats.stop();
  });
});
