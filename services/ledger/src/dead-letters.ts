import {
  ADVISORY_CONSUMER,
  ADVISORY_STREAM,
  COMMAND_CONSUMER,
  COMMAND_STREAM,
  DEAD_LETTER_HEADERS,
  deadLetterSubject,
} from '@points/contracts/ledger-subjects';
import { type Timers, sleepOn } from '@points/event-store/timers';
import { type JetStream, JetStreamError, type StoredMessage } from '@points/runtime/jetstream';
import { consume } from '@points/runtime/jetstream-consume';
import type { Log } from '@points/runtime/log';
import type { Nats } from '@points/runtime/nats';
import { z } from 'zod';

const RETRY_MS = 5_000;
/** How often it is looked for commands that NATS has given up without its having been heard. */
const LOOK_EVERY_MS = 60_000;
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

/** Null when the bytes are none. */
function readAdvisory(data: Uint8Array): z.infer<typeof advisory> | null {
  try {
    return advisory.parse(JSON.parse(Buffer.from(data).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

/**
 * Moves commands that were delivered too often, because every ledger that took them ended, among the dead letters: where
 * they are they would hold back the watermark for ever. NATS says so once; what was not heard then is found by looking.
 */
export function buryCrashLoops(deps: {
  readonly nats: Nats;
  readonly streams: JetStream;
  readonly timers: Timers;
  readonly log: Log;
  readonly lookEveryMs?: number;
}): { stop(): Promise<void> } {
  const { streams, log, lookEveryMs = LOOK_EVERY_MS } = deps;
  const stopping = new AbortController();

  async function move(sequence: number, reason: string): Promise<void> {
    const letter = await streams.message(COMMAND_STREAM, sequence);
    if (letter === null) return;
    await bury(streams, letter, reason);
    await streams.deleteMessage(COMMAND_STREAM, sequence);
    log.error({ subject: letter.subject, sequence, reason }, 'dead letter');
  }

  const advised = consume(deps.nats, {
    stream: ADVISORY_STREAM,
    consumer: ADVISORY_CONSUMER,
    maxInHand: 1,
    mayPull: () => true,
    log,
    handler: async (delivery) => {
      const read = readAdvisory(delivery.data);
      if (read === null) {
        // It would come for ever, and enough of them would keep the real ones from coming.
        log.error({ sequence: delivery.sequence }, 'not an advisory; it is thrown away');
        delivery.term();
        return;
      }
      const { stream_seq: sequence, deliveries } = read;
      try {
        await move(sequence, `delivered ${deliveries} times without an end`);
        delivery.ack();
      } catch (error) {
        if (!(error instanceof JetStreamError)) throw error;
        log.warn({ err: error, sequence }, 'a command delivered too often could not be moved yet');
        delivery.nak(RETRY_MS);
      }
    },
  });

  async function look(): Promise<void> {
    /** Seen given up the last time; one that was only just acknowledged is gone by now. */
    let suspect: number | null = null;
    while (!stopping.signal.aborted) {
      await sleepOn(deps.timers, lookEveryMs, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted || !deps.nats.isConnected()) continue;
      try {
        const sequence = await oldestGivenUp(streams);
        if (sequence !== null && sequence === suspect) {
          await move(sequence, 'delivered too often without an end');
          suspect = null;
        } else suspect = sequence;
      } catch (error) {
        if (!(error instanceof JetStreamError)) throw error;
        suspect = null; // no streams yet, or NATS is away
      }
    }
  }

  const looking = look();
  return {
    async stop() {
      stopping.abort();
      await Promise.all([advised.stop(), looking]);
    },
  };
}

/** The sequence of the oldest command if nobody works on it and NATS will not deliver it any more. */
async function oldestGivenUp(streams: JetStream): Promise<number | null> {
  const { messages, firstSequence } = await streams.streamState(COMMAND_STREAM);
  if (messages === 0) return null;
  const { deliveredSequence, doneSequence, pending } = await streams.consumerState(
    COMMAND_STREAM,
    COMMAND_CONSUMER,
  );
  const isGivenUp =
    firstSequence <= doneSequence || (pending === 0 && firstSequence <= deliveredSequence);
  return isGivenUp ? firstSequence : null;
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
