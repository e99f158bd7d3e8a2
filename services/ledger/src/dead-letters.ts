import {
  ADVISORY_CONSUMER,
  ADVISORY_STREAM,
  COMMAND_STREAM,
  DEAD_LETTER_HEADERS,
  deadLetterSubject,
} from '@points/contracts/ledger-subjects';
import { type JetStream, JetStreamError, type StoredMessage } from '@points/runtime/jetstream';
import { type Consuming, consume } from '@points/runtime/jetstream-consume';
import type { Log } from '@points/runtime/log';
import type { Nats } from '@points/runtime/nats';
import { z } from 'zod';

const RETRY_MS = 5_000;
const REASON_MAX_CHARACTERS = 200;
/** Of the original headers as JSON; more is left out, so that a dead letter always fits into a message. */
const HEADERS_MAX_CHARACTERS = 8_192;

/** Copies a stored command among the dead letters, with all that is known of it. Throws JetStreamError. */
export async function bury(
  streams: JetStream,
  letter: StoredMessage,
  reason: string,
): Promise<void> {
  const { subject, sequence, storedMs, data } = letter;
  const headers = asciiJson(letter.headers);
  await streams.publish(deadLetterSubject(subject), data, {
    // The same message again, when it could not be taken out after it was copied.
    msgId: `${COMMAND_STREAM}:${sequence}:${storedMs}`,
    headers: {
      [DEAD_LETTER_HEADERS.reason]: headerText(reason).slice(0, REASON_MAX_CHARACTERS),
      [DEAD_LETTER_HEADERS.subject]: headerText(subject),
      [DEAD_LETTER_HEADERS.sequence]: String(sequence),
      [DEAD_LETTER_HEADERS.storedAt]: new Date(storedMs).toISOString(),
      [DEAD_LETTER_HEADERS.headers]: headers.length > HEADERS_MAX_CHARACTERS ? '{}' : headers,
    },
  });
}

/** What NATS says when a message was delivered too often. */
const advisory = z.object({ stream_seq: z.int().min(1), deliveries: z.int() });

/**
 * Moves commands that were delivered too often, because every ledger that took them ended, among the dead letters: where
 * they are they would hold back the watermark for ever.
 */
export function buryCrashLoops(deps: {
  readonly nats: Nats;
  readonly streams: JetStream;
  readonly log: Log;
}): Consuming {
  const { streams, log } = deps;
  return consume(deps.nats, {
    stream: ADVISORY_STREAM,
    consumer: ADVISORY_CONSUMER,
    maxInHand: 1,
    mayPull: () => true,
    log,
    handler: async (delivery) => {
      const parsed = advisory.safeParse(JSON.parse(Buffer.from(delivery.data).toString('utf8')));
      if (!parsed.success) throw new Error(`not an advisory: ${parsed.error.message}`);
      const { stream_seq: sequence, deliveries } = parsed.data;
      try {
        const letter = await streams.message(COMMAND_STREAM, sequence);
        if (letter !== null) {
          await bury(streams, letter, `delivered ${deliveries} times without an end`);
          await streams.deleteMessage(COMMAND_STREAM, sequence);
          log.error({ subject: letter.subject, sequence, deliveries }, 'dead letter');
        }
        delivery.ack();
      } catch (error) {
        if (!(error instanceof JetStreamError)) throw error;
        log.warn({ err: error, sequence }, 'a command delivered too often could not be moved yet');
        delivery.nak(RETRY_MS);
      }
    },
  });
}

/** Headers are lines of ASCII. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
