import { setMaxListeners } from 'node:events';
import { parseRequest } from '@points/contracts/ledger';
import {
  COMMAND_CONSUMER,
  COMMAND_STREAM,
  MESSAGE_ID_HEADER,
  parseQueuedSubject,
  resultSubject,
} from '@points/contracts/ledger-subjects';
import { sleepOn } from '@points/event-store/timers';
import { type JetStream, JetStreamError } from '@points/runtime/jetstream';
import { type Consuming, consume, type Delivery } from '@points/runtime/jetstream-consume';
import type { Metrics } from '@points/runtime/metrics';
import type { Nats } from '@points/runtime/nats';
import type { NatsAnswer } from '@points/runtime/nats-service';
import { cancel, confirm } from './account-endpoints.ts';
import { bury } from './dead-letters.ts';
import { decideRequest, type Handler } from './endpoints.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { type Outcome, toAnswer } from './reply.ts';

/** Stored settlements in work at once in this process. */
const IN_HAND_MAX = 64;
/** What could not be decided or answered is tried again in hand, which costs no delivery … */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** … for so long; then another replica may have it. */
const IN_HAND_MAX_MS = 60_000;
const GIVE_BACK_FIRST_MS = 1_000;
const GIVE_BACK_MAX_MS = 300_000;
/** A settlement may come so much earlier than its hold. */
const HOLD_WAIT_MS = 30_000;
/** Enough to fill that time; more would mean that the clocks of NATS and of this process differ. */
const HOLD_WAIT_DELIVERIES_MAX = 8;

export interface Durable extends Consuming {
  /** Null while stored settlements are taken and their results can be published, else why not. */
  trouble(): string | null;
}

/** How a delivery ends. */
type Ending = 'ack' | 'term' | { readonly giveBackMs: number };

/**
 * Decides the settlements that callers stored (`ledger.v1.q.<client>.confirm` and `cancel`) with the handlers, and so
 * the idempotency, of the same requests over request-reply. The reply is published on
 * `ledger.v1.res.<client>.<command_id>` and only then is the stored message acknowledged, so that whatever dies in
 * between, the command is delivered again and its result is not lost. Refusals are results as well; what may succeed
 * later is none, and waits. What cannot be a settlement goes among the dead letters.
 */
export function serveDurable(deps: {
  readonly ledger: LedgerDeps;
  readonly nats: Nats;
  readonly streams: JetStream;
  /** While it is not null nothing is taken: a long outage must not use up deliveries. */
  readonly storeTrouble: () => string | null;
  readonly metrics: Metrics;
}): Durable {
  const { ledger, streams } = deps;
  const { clock, logger } = ledger;
  const stopping = new AbortController();
  setMaxListeners(IN_HAND_MAX, stopping.signal);
  const outcomes = deps.metrics.counter(
    'ledger_stored_commands_total',
    'Stored settlements by outcome; dead_letter = could not be one',
    ['outcome'],
  );
  let publishTrouble: string | null = null;

  /** Runs `attempt` until it ends the delivery, or gives the message back. */
  async function insist(
    delivery: Delivery,
    attempt: () => Promise<Ending | 'again'>,
  ): Promise<Ending> {
    const giveUpMs = clock.now() + IN_HAND_MAX_MS;
    for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(RETRY_MAX_MS, pauseMs * 2)) {
      const ending = await attempt();
      if (ending !== 'again') return ending;
      if (stopping.signal.aborted) return { giveBackMs: 0 };
      if (clock.now() >= giveUpMs) return { giveBackMs: giveBackMs(delivery.deliveries) };
      delivery.working();
      await sleepOn(ledger.timers, pauseMs, stopping.signal).catch(() => undefined);
    }
  }

  /** true when the server has stored what `publish` sent. */
  async function isStored(publish: () => Promise<unknown>): Promise<boolean> {
    try {
      await publish();
      publishTrouble = null;
      return true;
    } catch (error) {
      if (!(error instanceof JetStreamError)) throw error;
      publishTrouble = error.message;
      logger.warn({ err: error }, 'what became of a stored command could not be published');
      return false;
    }
  }

  async function settle(delivery: Delivery): Promise<Ending> {
    const settlement = readSettlement(delivery, ledger);
    if ('poison' in settlement) {
      const ending = await insist(delivery, async () =>
        (await isStored(() => bury(streams, delivery, settlement.poison))) ? 'term' : 'again',
      );
      if (ending === 'term') {
        outcomes.inc({ outcome: 'dead_letter' });
        const { subject, sequence } = delivery;
        logger.error({ subject, sequence, reason: settlement.poison }, 'dead letter');
      }
      return ending;
    }
    const { client, commandId, decide } = settlement;
    let answer: NatsAnswer | null = null;
    return insist(delivery, async () => {
      if (answer === null) {
        const outcome = await decide();
        if (!outcome.ok && mayWaitForHold(outcome.refusal.code, delivery, clock.now()))
          return { giveBackMs: holdWaitMs(delivery, clock.now()) };
        if (!outcome.ok && MAY_SUCCEED_LATER.has(outcome.refusal.code)) return 'again';
        outcomes.inc({ outcome: nameOf(outcome) });
        answer = toAnswer(outcome, commandId);
      }
      const { data, headers } = answer;
      // Of this stored message: the same id from another client, or stored again, has a result of its own.
      const msgId = `${client}:${commandId}:${delivery.sequence}`;
      const options = { msgId, ...(headers === undefined ? {} : { headers }) };
      const published = await isStored(() =>
        streams.publish(resultSubject(client, commandId), data, options),
      );
      return published ? 'ack' : 'again';
    });
  }

  const consuming = consume(deps.nats, {
    stream: COMMAND_STREAM,
    consumer: COMMAND_CONSUMER,
    maxInHand: IN_HAND_MAX,
    mayPull: () => deps.storeTrouble() === null,
    handler: async (delivery) => {
      const ending = await settle(delivery);
      if (ending === 'ack') delivery.ack();
      else if (ending === 'term') delivery.term();
      else delivery.nak(ending.giveBackMs);
    },
    log: logger,
  });

  return {
    inHand: consuming.inHand,
    // Another replica may have published what failed here.
    trouble: () => consuming.trouble() ?? (consuming.inHand() > 0 ? publishTrouble : null),
    stop: () => {
      stopping.abort();
      return consuming.stop();
    },
  };
}

/** Refusals that say something about this moment and nothing about the command. */
const MAY_SUCCEED_LATER: ReadonlySet<string> = new Set([
  'store_unavailable',
  'overloaded',
  'contention',
  'outcome_unknown',
]);

interface Settlement {
  readonly client: string;
  readonly commandId: string;
  readonly decide: () => Promise<Outcome>;
}

/** Or why the message cannot be one. */
function readSettlement(
  delivery: Delivery,
  ledger: LedgerDeps,
): Settlement | { readonly poison: string } {
  const subject = parseQueuedSubject(delivery.subject);
  if (subject === null) return { poison: 'its subject is not one of ours' };
  return subject.verb === 'confirm'
    ? readBody('cmd.confirm', confirm, subject.client, delivery, ledger)
    : readBody('cmd.cancel', cancel, subject.client, delivery, ledger);
}

function readBody<Name extends 'cmd.confirm' | 'cmd.cancel'>(
  endpoint: Name,
  handler: Handler<Name>,
  client: string,
  delivery: Delivery,
  ledger: LedgerDeps,
): Settlement | { readonly poison: string } {
  const parsed = parseRequest(endpoint, delivery.data);
  if (!parsed.ok) return { poison: `${parsed.field} ${parsed.message}` };
  const { value: body } = parsed;
  const { command_id: commandId } = body;
  // By this header the server drops what is sent twice, so it must not name another command.
  if (delivery.header(MESSAGE_ID_HEADER)?.toLowerCase() !== commandId)
    return { poison: `${MESSAGE_ID_HEADER} is not the command_id` };
  const origin = { client, header: delivery.header, receivedMs: delivery.storedMs };
  return {
    client,
    commandId,
    decide: () => decideRequest(endpoint, handler, body, origin, ledger),
  };
}

function mayWaitForHold(code: string, delivery: Delivery, nowMs: number): boolean {
  return (
    code === 'hold_not_found' &&
    nowMs - delivery.storedMs < HOLD_WAIT_MS &&
    delivery.deliveries <= HOLD_WAIT_DELIVERIES_MAX
  );
}

/** Twice as long each time, and the last time when the wait is over. */
function holdWaitMs(delivery: Delivery, nowMs: number): number {
  const leftMs = delivery.storedMs + HOLD_WAIT_MS - nowMs;
  return Math.min(leftMs, GIVE_BACK_FIRST_MS * 2 ** (delivery.deliveries - 1));
}

function giveBackMs(deliveries: number): number {
  return Math.min(GIVE_BACK_MAX_MS, GIVE_BACK_FIRST_MS * 2 ** (deliveries - 1));
}

function nameOf(outcome: Outcome): string {
  if (!outcome.ok) return outcome.refusal.code;
  return outcome.duplicate === true ? 'duplicate' : 'ok';
}
