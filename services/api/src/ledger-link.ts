import { setTimeout as sleep } from 'node:timers/promises';
import { subjectOf } from '@points/contracts/ledger';
import { replySchema } from '@points/contracts/ledger-replies';
import type { Log } from '@points/runtime/log';
import { connectNats, type Nats } from '@points/runtime/nats';

const HEALTH_TIMEOUT_MS = 900;
const RETRY_MS = 1_000;

/** What the ledger says of itself. */
export interface LedgerHealth {
  readonly eventStore: 'up' | 'down';
  /** Whether it has read the log to its end, and so answers commands. */
  readonly caughtUp: boolean;
  readonly reason?: string | undefined;
}

export interface LedgerLinkDeps {
  readonly natsUrl: string;
  /** Also this process' name in subjects. */
  readonly natsUser: string;
  readonly natsPass: string;
  readonly log: Log;
}

export interface LedgerLink {
  /** Rejects with the reason when the ledger does not answer. */
  readonly health: () => Promise<LedgerHealth>;
  readonly stop: () => Promise<void>;
}

const healthReply = replySchema('qry.health');

/**
 * The way to the ledger over NATS. Reads do not need it, so this process starts and serves without: until NATS is
 * there, or while it refuses us, `health` says so and connecting goes on for ever.
 */
export function openLedgerLink(deps: LedgerLinkDeps): LedgerLink {
  const { natsUrl: url, natsUser: user, natsPass: pass, log } = deps;
  const stopped = new AbortController();
  let nats: Nats | null = null;
  let reason = 'not connected to NATS yet';

  const stayConnected = async () => {
    while (!stopped.signal.aborted) {
      try {
        nats = await connectNats({
          url,
          user,
          pass,
          name: 'points-api',
          log,
          waitForServer: false,
        });
        await Promise.race([nats.closed, aborted(stopped.signal)]);
        reason = 'the connection to NATS has ended';
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== reason) log.warn({ err: error }, 'cannot connect to NATS; trying again');
        reason = message;
      }
      await nats?.close().catch(() => undefined);
      nats = null;
      await sleep(RETRY_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const running = stayConnected();

  return {
    health: async () => {
      if (nats === null) throw new Error(reason);
      const data = new TextEncoder().encode('{}');
      const reply = await nats.request(subjectOf('qry.health', user), data, {
        timeoutMs: HEALTH_TIMEOUT_MS,
      });
      const answer = healthReply.parse(JSON.parse(new TextDecoder().decode(reply.data)));
      if (!answer.ok) throw new Error(answer.error.message);
      const { event_store: eventStore, caught_up: caughtUp, reason: why } = answer.result;
      return { eventStore, caughtUp, reason: why };
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
