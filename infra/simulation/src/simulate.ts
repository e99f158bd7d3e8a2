import { strict as assert } from 'node:assert';
import type { StoredEvent } from '@points/event-store/event-log';
import { type Answers, createAnswers } from './answers.ts';
import { checkFacts, checkTables } from './check-tables.ts';
import { type Clients, startClients } from './clients.ts';
import { type Fault, createFaults } from './faults.ts';
import { createJournal } from './journal.ts';
import { HOLD_GRACE_MS, type Ledger, startLedger } from './ledger.ts';
import { type Reply, createNetwork, nameOf } from './network.ts';
import { changePrices } from './prices.ts';
import { type Process, createProcess } from './process.ts';
import { startProjector } from './projector.ts';
import { connectRecall } from './recall.ts';
import { createFacts, startRelay, troubleFacts } from './relay.ts';
import { createScheduler, settled } from './scheduler.ts';
import { createStore } from './store.ts';
import { createTables } from './tables.ts';

export interface Story {
  readonly seed: number;
  readonly steps: number;
  readonly events: number;
  readonly answers: number;
  readonly faults: ReadonlyMap<Fault, number>;
  readonly eventTypes: ReadonlyMap<string, number>;
  readonly outcomes: ReadonlyMap<string, number>;
}

/** A check failed; the message ends with the last steps. */
export class ViolationError extends Error {
  override readonly name = 'ViolationError';
}

const START_MS = Date.UTC(2026, 0, 5);
const TRACE_LINES = 40;
const RESTART_MAX_MS = 3_000;
const SWEEP_EVERY_MS = 4_000;
const SKEW_MAX_MS = 5_000;
const LEAP_MAX_MS = 4 * 24 * 3_600_000;
const LEAP_MIN_MS = 60_000;
/** Steps in which everything must come to rest after the last fault. */
const QUIET_STEPS_MAX = 20_000;

/** Lives one seed: `steps` steps of work and trouble, then peace, in which everything must come out right. */
export async function simulate(options: {
  readonly seed: number;
  readonly steps: number;
  readonly onTrace?: (line: string) => void;
}): Promise<Story> {
  const trace: string[] = [];
  const note = (line: string): void => {
    const text = `${String(scheduler.steps()).padStart(6)} ${new Date(scheduler.now()).toISOString()} ${line}`;
    options.onTrace?.(text);
    trace.push(text);
    if (trace.length > TRACE_LINES) trace.shift();
  };
  const scheduler = createScheduler(options.seed, START_MS, note);
  const world = createWorld(scheduler, note);
  try {
    await world.run(options.steps);
    return { seed: options.seed, steps: scheduler.steps(), ...world.report() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ViolationError(
      `seed ${options.seed}, step ${scheduler.steps()}: ${reason}\n\n${trace.join('\n')}\n\n` +
        `npm run sim -- --seed ${options.seed} --steps ${options.steps} --verbose`,
      { cause: error },
    );
  }
}

function createWorld(scheduler: ReturnType<typeof createScheduler>, note: (line: string) => void) {
  const { random } = scheduler;
  const faults = createFaults(random);
  const store = createStore(scheduler, faults);
  const tables = createTables(faults);
  const facts = createFacts();
  const journal = createJournal();
  const answers: Answers = createAnswers(journal);
  const skews = new Map<string, number>();
  const ledgers = new Map<string, Ledger>();
  const outcomes = new Map<string, number>();
  const others = new Map<string, Process>();
  let watermarkKnown = true;
  let violation: { error: unknown } | null = null;

  const fail = (error: unknown): void => {
    violation ??= { error };
  };
  const guarded = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      fail(error);
    }
  };

  const network = createNetwork({
    scheduler,
    faults,
    ledgers: () => [...ledgers.values()],
    witness: {
      arrived(call, ledger) {
        const answered = answers.arrived(call, ledger);
        return (reply) => {
          note(`${ledger.process.name} answers ${nameOf(call)}: ${summary(reply)}`);
          count(outcomes, outcomeOf(reply));
          guarded(() => answered(reply));
        };
      },
      broke: (call, error) => fail(new Error(`${nameOf(call)} broke`, { cause: error })),
    },
  });
  const clients: Clients = startClients({ scheduler, network, onGivenUp: () => undefined });

  function startLedgerNamed(name: string): void {
    const process = createProcess(scheduler, name, () => skews.get(name) ?? 0);
    ledgers.set(
      name,
      startLedger({
        process,
        store,
        recallTables: connectRecall(process, tables, faults),
        watermarkMs: () => (watermarkKnown ? (network.oldestQueuedMs() ?? scheduler.now()) : null),
        // With room for one of the accounts, lanes are opened anew all the time.
        cachedAccounts: random.pick([1, 10]),
        onFatal: fail,
      }),
    );
  }

  function startOther(name: string): void {
    const process = createProcess(scheduler, name, () => 0);
    others.set(name, process);
    if (name === PROJECTOR) startProjector({ process, store, tables, onFatal: fail });
    else startRelay({ process, store, facts, faults, random, onFatal: fail });
  }

  function killOther(name: string): void {
    others.get(name)?.kill();
    others.delete(name);
    scheduler.after(random.integer(1, RESTART_MAX_MS), `${name} starts`, () => startOther(name));
  }

  function killLedger(name: string): void {
    ledgers.get(name)?.process.kill();
    ledgers.delete(name);
    scheduler.after(random.integer(1, RESTART_MAX_MS), `${name} starts`, () =>
      startLedgerNamed(name),
    );
  }

  function sweepOften(name: string): void {
    scheduler.after(random.integer(1, SWEEP_EVERY_MS), `${name} sweeps`, () => {
      for (const accountId of journal.accountIds())
        void ledgers.get(name)?.sweep(accountId).catch(fail);
      sweepOften(name);
    });
  }

  function trouble(): void {
    store.trouble();
    const name = random.pick(LEDGERS);
    if (ledgers.has(name) && faults.strikes('ledger killed')) killLedger(name);
    if (others.has(PROJECTOR) && faults.strikes('projector killed')) killOther(PROJECTOR);
    const relay = random.pick(RELAYS);
    if (others.has(relay) && faults.strikes('relay killed')) killOther(relay);
    troubleFacts(facts, faults, random);
    if (faults.strikes('clock apart')) skews.set(name, random.integer(-SKEW_MAX_MS, SKEW_MAX_MS));
    if (faults.strikes('prices changed'))
      void changePrices(store, random, scheduler.now()).catch(fail);
    if (faults.strikes('time leaps')) scheduler.leap(random.integer(LEAP_MIN_MS, LEAP_MAX_MS));
  }

  /** A settlement that was stored in time wins over the sweeper, however long it waits. */
  function checkExpiry({ type, data }: StoredEvent): void {
    if (type !== 'HoldCanceled' || data['reason'] !== 'expired') return;
    for (const [call, storedMs] of network.queued()) {
      if (call.body['hold_id'] !== data['hold_id']) continue;
      const outcome = journal
        .account(call.body.account_id)
        .auditor.books.done.get(String(data['hold_id']));
      const placed = outcome?.status === 'canceled' ? outcome.placed : null;
      const overdueMs = Date.parse(placed?.expires_at ?? '') + HOLD_GRACE_MS;
      assert(storedMs >= overdueMs, 'a hold expired although its settlement waits');
    }
  }

  async function step(): Promise<boolean> {
    const more = await scheduler.step();
    for (const stored of await store.news()) {
      guarded(() => {
        journal.record(stored);
        checkExpiry(stored);
      });
    }
    if (violation !== null) throw violation.error;
    return more;
  }

  const isQuiet = (): boolean =>
    !clients.busy() &&
    network.oldestQueuedMs() === null &&
    tablesAreCaughtUp() &&
    factsAreComplete();
  const factsAreComplete = (): boolean => facts.stream.sequence() >= journal.all.length;
  const tablesAreCaughtUp = (): boolean =>
    (tables.checkpoint()?.position ?? 0n) >= (journal.all.at(-1)?.stored.position ?? 0n);

  return {
    async run(steps: number): Promise<void> {
      await changePrices(store, random, scheduler.now());
      for (const name of LEDGERS) startLedgerNamed(name);
      for (const name of LEDGERS) sweepOften(name);
      for (const name of [PROJECTOR, ...RELAYS]) startOther(name);
      for (let n = 0; n < steps; n += 1) {
        trouble();
        await step();
      }
      faults.end();
      skews.clear();
      store.heal();
      clients.stop();
      for (let n = 0; !isQuiet(); n += 1) {
        assert(n < QUIET_STEPS_MAX, 'it does not come to rest');
        await step();
      }
      answers.checkRefused();
      checkTables(tables, journal);
      checkFacts(facts.stream.facts(), facts.stream.sequence(), journal);
      await this.askAgain();
    },
    /** Every answered command is asked for again, of either replica, and must be answered as before. */
    async askAgain(): Promise<void> {
      for (const { call } of answers.acknowledged.values()) {
        const asked = network.request(call);
        let reply: Reply | null | undefined;
        void asked.then((answer) => (reply = answer));
        while (reply === undefined) await step();
        assert(reply !== null, `no answer to ${nameOf(call)}`);
      }
      await settled();
    },
    report() {
      const eventTypes = new Map<string, number>();
      for (const { stored } of journal.all) count(eventTypes, stored.type);
      return {
        events: journal.all.length,
        answers: [...outcomes.values()].reduce((sum, number) => sum + number, 0),
        faults: faults.counts,
        eventTypes,
        outcomes,
      };
    },
  };
}

const LEDGERS = ['ledger-1', 'ledger-2'];
const PROJECTOR = 'projector';
const RELAYS = ['relay-1', 'relay-2'];

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function outcomeOf(reply: Reply): string {
  if (!reply.ok) return reply.error.code;
  return reply.duplicate === true ? 'duplicate' : 'ok';
}

function summary(reply: Reply): string {
  return reply.ok ? `${outcomeOf(reply)} @${reply.account_revision}` : reply.error.code;
}
