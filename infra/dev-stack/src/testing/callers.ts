import { setTimeout as sleep } from 'node:timers/promises';
import { subjectOf } from '@points/contracts/ledger';
import type { Endpoint } from '@points/contracts/ledger-requests';
import type { Reply, Success } from '@points/contracts/ledger-replies';
import { type Nats, NatsRequestError } from '@points/runtime/nats';
import { v7 } from 'uuid';

const CALL_TIMEOUT_MS = 2_000;
const RETRY_PAUSE_MS = 100;
/** A caller that gets no answer for so long has found a system that does not recover. */
const GIVE_UP_MS = 90_000;

/** A command that was answered, with the answer. */
export interface Answered {
  readonly endpoint: Endpoint;
  readonly body: object;
  readonly reply: Success;
}

export interface Callers {
  readonly answered: readonly Answered[];
  /** Resolves when so many more commands have been answered than now. */
  more(count: number): Promise<void>;
  /** Every caller finishes what it does; rejects with the first that gave up or was refused wrongly. */
  stop(): Promise<void>;
}

/**
 * Callers as AI services are meant to be: hold, then confirm or cancel, and the identical command again until it is
 * answered. All on few accounts, so that lanes are busy.
 */
export function startCallers(options: {
  nats: Nats;
  client: string;
  accounts: readonly string[];
  count: number;
}): Callers {
  const { nats, client, accounts, count } = options;
  const answered: Answered[] = [];
  let stopping = false;
  let failure: Error | null = null;

  async function run(caller: number): Promise<void> {
    const account_id = accounts[caller % accounts.length] ?? '';
    for (let round = 0; !stopping && failure === null; round += 1) {
      const hold_id = v7();
      const amount = 1 + ((caller + round) % 9);
      await insist('cmd.hold', { account_id, hold_id, amount, biz_id: `${caller}-${round}` });
      if (round % 4 === 3) await insist('cmd.cancel', { account_id, hold_id });
      else
        await insist('cmd.confirm', { account_id, hold_id, actual_amount: amount - (round % 2) });
      if (round % 5 === 4) await insist('cmd.consume', { account_id, amount: 1 });
    }
  }

  async function insist(endpoint: Endpoint, fields: object): Promise<void> {
    const body = { command_id: v7(), ...fields };
    const reply = await ask(nats, client, endpoint, body);
    if (!reply.ok) throw new Error(`${endpoint} was refused: ${JSON.stringify(reply.error)}`);
    answered.push({ endpoint, body, reply });
  }

  const running = Array.from({ length: count }, (_, caller) =>
    run(caller).catch((error: unknown) => {
      failure ??= error instanceof Error ? error : new Error(String(error));
    }),
  );
  return {
    answered,
    async more(wanted) {
      const until = answered.length + wanted;
      while (answered.length < until) {
        if (failure !== null) throw failure;
        await sleep(RETRY_PAUSE_MS);
      }
    },
    async stop() {
      stopping = true;
      await Promise.all(running);
      if (failure !== null) throw failure;
    },
  };
}

/** The same command until it has a final answer: a result, or a refusal that trying again cannot change. */
export async function ask(
  nats: Nats,
  client: string,
  endpoint: Endpoint,
  body: object,
): Promise<Reply> {
  const giveUpMs = Date.now() + GIVE_UP_MS;
  let last: unknown = null;
  while (Date.now() < giveUpMs) {
    try {
      const reply = await nats.request(
        subjectOf(endpoint, client),
        Buffer.from(JSON.stringify(body)),
        { timeoutMs: CALL_TIMEOUT_MS },
      );
      const parsed = JSON.parse(Buffer.from(reply.data).toString()) as Reply;
      if (parsed.ok || !parsed.error.retryable) return parsed;
      last = parsed.error;
    } catch (error) {
      if (!(error instanceof NatsRequestError)) throw error;
      last = error;
    }
    await sleep(RETRY_PAUSE_MS);
  }
  throw new Error(`no answer to ${endpoint} for ${GIVE_UP_MS} ms`, { cause: last });
}
