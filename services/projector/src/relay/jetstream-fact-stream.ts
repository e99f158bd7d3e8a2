import { decodeFact, encodeFact, NotAFactError } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import { EVENT_STREAM } from '@points/contracts/ledger-subjects';
import { createJetStream, JetStreamError } from '@points/runtime/jetstream';
import type { JetStream } from '@points/runtime/jetstream';
import type { Nats } from '@points/runtime/nats';
import { FactStreamError } from './fact-stream.ts';
import type { FactStream } from './fact-stream.ts';

/** Facts sent and not acknowledged yet. */
const WINDOW_FACTS = 128;
/** A window that was under way when the connection was cut is given up after so long. */
const ACK_TIMEOUT_MS = 2_000;

/** LEDGER_EVT of a NATS server; `nats` stays the caller's. */
export function createJetStreamFactStream(nats: Nats): FactStream {
  const jetStream = createJetStream(nats);
  return {
    async last() {
      const { sequence, message } = await orFactStreamError(() => jetStream.last(EVENT_STREAM));
      return { sequence, fact: message === null ? null : decodeLast(message.data) };
    },
    publish: (facts, expectedSequence) => publish(jetStream, facts, expectedSequence),
  };
}

/** No relay has written it, and behind it nothing may be added: numbers would no longer be those of the events. */
function decodeLast(data: Uint8Array): Fact {
  try {
    return decodeFact(data);
  } catch (error) {
    if (!(error instanceof NotAFactError)) throw error;
    throw new NotAFactError(
      `${EVENT_STREAM} holds a message that no relay has written (${error.message}): find who published it, ` +
        'remove the stream and run "npm run provision"; the relay fills it again from the log',
      { cause: error },
    );
  }
}

type Outcome = 'published' | 'moved' | FactStreamError;

/** Sends a window ahead of the acknowledgements; after the first failure nothing more. */
async function publish(
  jetStream: JetStream,
  facts: readonly Fact[],
  expectedSequence: number,
): Promise<'published' | 'moved'> {
  const outcomes: Promise<Outcome>[] = [];
  for (const [index, fact] of facts.entries()) {
    const before = await outcomes[index - WINDOW_FACTS];
    if (before !== undefined && before !== 'published') break;
    outcomes.push(send(jetStream, fact, expectedSequence + index));
  }
  const settled = await Promise.all(outcomes);
  const failure = settled.find((outcome) => outcome !== 'published');
  if (failure instanceof FactStreamError) throw failure;
  return failure ?? 'published';
}

/** Rejects only for a bug: nobody may be waiting for it when it fails. */
async function send(
  jetStream: JetStream,
  fact: Fact,
  expectLastSequence: number,
): Promise<Outcome> {
  try {
    const { subject, headers, body } = encodeFact(fact);
    const { sequence } = await jetStream.publish(subject, body, {
      msgId: fact.id,
      headers: { ...headers },
      expectLastSequence,
      timeoutMs: ACK_TIMEOUT_MS,
    });
    // The server looks at the id first: a fact that it has is acknowledged with its number, wherever it was expected.
    return sequence === expectLastSequence + 1 ? 'published' : 'moved';
  } catch (error) {
    if (!(error instanceof JetStreamError)) throw error;
    if (error.code === 'wrong_last_sequence') return 'moved';
    return toFactStreamError(error);
  }
}

async function orFactStreamError<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof JetStreamError ? toFactStreamError(error) : error;
  }
}

function toFactStreamError(error: JetStreamError): FactStreamError {
  const advice = error.code === 'not_found' ? '; make the streams with "npm run provision"' : '';
  return new FactStreamError(`${error.message}${advice}`, { cause: error });
}
