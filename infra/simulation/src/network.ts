import { subjectOf } from '@points/contracts/ledger';
import type { Failure, Success } from '@points/contracts/ledger-replies';
import type { Endpoint } from '@points/contracts/ledger-requests';
import type { Faults } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { Scheduler } from './scheduler.ts';

/** A request as one client sends it. */
export interface Call {
  readonly client: string;
  readonly endpoint: Endpoint;
  readonly body: Readonly<Record<string, unknown>> & { readonly account_id: string };
}

export type Reply = Success | Failure;

/** Is told what happens at the ledger's door. */
export interface Witness {
  /** A request reaches a replica; the returned function is told what the replica answers. */
  arrived(call: Call, ledger: Ledger): (reply: Reply) => void;
  /** A handler threw. */
  broke(call: Call, error: unknown): void;
}

export interface Network {
  /** Null when no answer came in time. */
  request(call: Call): Promise<Reply | null>;
  /** Puts a settlement into the durable queue; it is delivered until it has been answered. */
  enqueue(call: Call): void;
  /** Settlements that were not answered yet, with the time they were stored. */
  queued(): Iterable<readonly [Call, number]>;
  /** Sending time of the oldest message that was not answered yet, or null when there is none. */
  oldestQueuedMs(): number | null;
}

const TRANSIT_MAX_MS = 3;
const DELAY_MAX_MS = 5_000;
const REQUEST_TIMEOUT_MS = 2_000;
const REDELIVERY_MS = 3_000;

/** NATS as a whole: requests to any replica, once, twice or never; a queue that delivers at least once. */
export function createNetwork(deps: {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly ledgers: () => readonly Ledger[];
  readonly witness: Witness;
}): Network {
  const { scheduler, faults, ledgers, witness } = deps;
  const { random } = scheduler;
  const queue = new Map<Call, number>();

  function send(what: string, run: () => void): void {
    const ms = faults.strikes('request delayed') ? DELAY_MAX_MS : TRANSIT_MAX_MS;
    scheduler.after(random.integer(0, ms), what, run);
  }

  /** Delivers to one of the replicas that are alive, if any. */
  function deliver(call: Call, answered: (reply: Reply) => void): void {
    const alive = ledgers();
    if (alive.length === 0) return;
    const ledger = random.pick(alive);
    const { client, endpoint, body } = call;
    const answer = witness.arrived(call, ledger);
    ledger
      .handle(endpoint, {
        subject: subjectOf(endpoint, client),
        data: Buffer.from(JSON.stringify(body)),
        header: () => null,
      })
      .then(
        ({ data }) => {
          if (!ledger.process.isAlive()) return;
          const reply: Reply = JSON.parse(Buffer.from(data).toString());
          answer(reply);
          answered(reply);
        },
        (error: unknown) => witness.broke(call, error),
      );
  }

  function work(call: Call): void {
    if (!queue.has(call)) return;
    send(`queue → ${nameOf(call)}`, () =>
      deliver(call, (reply) => {
        // A result is published before the message is acknowledged; what may be settled later stays queued.
        if (reply.ok || !reply.error.retryable) queue.delete(call);
      }),
    );
    if (faults.strikes('queued message delivered twice')) work(call);
    scheduler.after(REDELIVERY_MS, `queue looks at ${nameOf(call)}`, () => work(call));
  }

  return {
    request: (call) =>
      new Promise((resolve) => {
        const name = nameOf(call);
        const giveUp = scheduler.after(REQUEST_TIMEOUT_MS, `${name} times out`, () =>
          resolve(null),
        );
        const copies = faults.strikes('request lost')
          ? 0
          : faults.strikes('request delivered twice')
            ? 2
            : 1;
        for (let copy = 0; copy < copies; copy += 1) {
          send(name, () =>
            deliver(call, (reply) => {
              if (faults.strikes('reply lost')) return;
              send(`reply to ${name}`, () => {
                giveUp();
                resolve(reply);
              });
            }),
          );
        }
      }),
    enqueue(call) {
      queue.set(call, scheduler.now());
      work(call);
    },
    queued: () => queue.entries(),
    oldestQueuedMs: () => (queue.size === 0 ? null : Math.min(...queue.values())),
  };
}

export function nameOf({ client, endpoint, body }: Call): string {
  const { account_id, command_id, hold_id } = body;
  const ids = [command_id, hold_id].map((id) => (typeof id === 'string' ? id.slice(-4) : '-'));
  return `${client} ${endpoint} ${account_id} ${ids.join(' ')}`;
}
