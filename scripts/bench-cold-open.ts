import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { accountSnapshotStream, accountStream } from '@points/contracts/streams';
import { type Account, freshAccount } from '@points/domain/account/account';
import { emptyCatalog } from '@points/domain/catalog/catalog';
import type { EventLog, EventToAppend } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import type { SnapshotNotice } from '@points/event-store/lane-snapshots';
import { type Lanes, createLanes } from '@points/event-store/lanes';
import { ACCOUNT_FOLD } from '@points/ledger/account-fold';
import { readPricingConfig } from '@points/runtime/pricing-config-file';
import { openStore } from './bench-store.ts';
import { type Workload, createWorkload } from './bench-workload.ts';

const APPEND_EVENTS = 256;
const OPENS = 5;
const PAIRS = 300;
/** So much of the log lies behind the last snapshot when things go well; twice as much at worst. */
const TAIL_EVENTS = 500;

/**
 * `npm run bench:cold-open -- --events 1000000`: what the length of an account costs. Runs against `EVENTSTORE_URL`, or
 * starts a dev event store of its own with its journal in a temporary folder.
 */
async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { events: { type: 'string', default: '10000' } } });
  const events = Number(values.events);
  if (!Number.isSafeInteger(events) || events < 2 * TAIL_EVENTS)
    throw new Error(`--events must be a whole number from ${2 * TAIL_EVENTS}`);
  const store = await openStore(process.env['EVENTSTORE_URL']);
  const log = connectEventStoreDb({ url: store.url, bounds: PATIENT });
  try {
    await bench(log, events, store.name);
  } finally {
    await log.close();
    await store.stop();
  }
}

/** A machine that is busy with the benchmark itself may be slow to answer; nothing here is about that. */
const PATIENT = { readTimeoutMs: 60_000, appendTimeoutMs: 60_000 };

async function bench(log: EventLog, events: number, storeName: string): Promise<void> {
  const config = await readPricingConfig(
    fileURLToPath(new URL('../config/points-config.yaml', import.meta.url)),
  );
  const workload = createWorkload({ catalog: emptyCatalog(), config, configVersion: 'bench' });
  const accountId = `bench-${Date.now()}`;
  const stream = accountStream(accountId);
  const built = await timed(() => build(log, stream, events - TAIL_EVENTS, workload));
  print('event store', storeName);
  print('events of the account', String(events));
  print('written at', `${Math.round((events - TAIL_EVENTS) / (built.ms / 1_000))} events/s`);

  const cold = await open(log, stream);
  print(
    'cold open, no snapshot',
    `${ms(cold.ms)}, ${ms(cold.cpuMs)} CPU, ${cold.read} events read`,
  );
  await cold.noticed('written');
  await cold.lanes.close(0);
  print('snapshot', `${((await snapshotBytes(log, stream)) / 1_024).toFixed(0)} KiB`);
  print('cold open, fresh snapshot', await openRepeatedly(log, stream));

  const { revision } = await build(log, stream, TAIL_EVENTS, workload, built.result);
  const tail = revision - built.result.revision;
  print(`cold open, ${tail} events behind`, await openRepeatedly(log, stream));

  print('hold + confirm, this account', await pairs(log, stream, workload));
  const newStream = accountStream(`${accountId}-new`);
  print('hold + confirm, new account', await pairs(log, newStream, workload));
}

function print(name: string, value: string): void {
  process.stdout.write(`${name.padEnd(NAME_WIDTH)}${value}\n`);
}

const NAME_WIDTH = 32;

interface Built {
  readonly account: Account;
  readonly revision: number;
  readonly hash: string;
}

/** Appends at least so many events, decided by the domain, in appends as large as a lane's. */
async function build(
  log: EventLog,
  stream: string,
  count: number,
  workload: Workload,
  from: Built = { account: freshAccount(), revision: -1, hash: GENESIS_HASH },
): Promise<Built> {
  let built = from;
  let sending: Promise<unknown> = Promise.resolve();
  const end = from.revision + count;
  while (built.revision < end) {
    const { account, revision, hash } = built;
    // The next append is decided while the last one is on its way.
    const decided = workload.decideMany(account, Math.min(APPEND_EVENTS - 1, end - revision));
    const events = chainEvents(stream, revision + 1, hash, decided.drafts);
    await sending;
    sending = append(log, stream, events, revision);
    sending.catch(() => undefined);
    built = {
      account: decided.account,
      revision: revision + events.length,
      hash: events.at(-1)?.metadata['hash'] ?? hash,
    };
  }
  await sending;
  return built;
}

async function append(
  log: EventLog,
  stream: string,
  events: readonly EventToAppend[],
  revision: number,
): Promise<void> {
  const result = await log.append(stream, events, revision < 0 ? 'no_stream' : revision);
  if (result.outcome !== 'appended') throw new Error('somebody else writes this account');
}

interface Opened {
  readonly lanes: Lanes<Account>;
  readonly ms: number;
  /** Of this process alone. */
  readonly cpuMs: number;
  /** Events handed over by the store. */
  readonly read: number;
  noticed(outcome: SnapshotNotice['outcome']): Promise<void>;
}

/** From nothing to the first answer, by lanes of a process that has never seen the account. */
async function open(log: EventLog, stream: string): Promise<Opened> {
  let read = 0;
  const counted: EventLog = {
    ...log,
    async *readStream(name, options) {
      for await (const event of log.readStream(name, options)) {
        read += 1;
        yield event;
      }
    },
    async readLast(name) {
      read += 1;
      return log.readLast(name);
    },
  };
  const seen = new Set<string>();
  let wake = (): void => undefined;
  const lanes = createLanes<Account>({
    log: counted,
    fold: ACCOUNT_FOLD,
    singleWriter: false,
    onFatal: (error) => {
      throw error;
    },
    onSnapshot({ outcome, reason }) {
      if (outcome === 'not_written' || outcome === 'ignored' || outcome === 'too_large')
        process.stdout.write(`snapshot ${outcome}: ${String(reason)}\n`);
      seen.add(outcome);
      wake();
    },
  });
  const asked = await timed(() =>
    lanes.submit(stream, '', (account) => ({
      kind: 'answer',
      needsTail: true,
      answer: () => account.balance,
    })),
  );
  return {
    lanes,
    ms: asked.ms,
    cpuMs: asked.cpuMs,
    read,
    async noticed(outcome) {
      while (!seen.has(outcome))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
  };
}

async function openRepeatedly(log: EventLog, stream: string): Promise<string> {
  const opened: Opened[] = [];
  for (let i = 0; i < OPENS; i += 1) {
    const one = await open(log, stream);
    await one.lanes.close(0);
    opened.push(one);
  }
  const times = opened.map((one) => one.ms).toSorted((a, b) => a - b);
  const cpu = opened.map((one) => one.cpuMs).toSorted((a, b) => a - b);
  return `${ms(quantile(times, 0.5))} (best ${ms(quantile(times, 0))}, worst ${ms(quantile(times, 1))} of ${OPENS}), ${ms(quantile(cpu, 0.5))} CPU, ${opened[0]?.read} events read`;
}

/** One pair after the other; the account has points enough and is in memory. */
async function pairs(log: EventLog, stream: string, workload: Workload): Promise<string> {
  const { lanes } = await open(log, stream);
  const times: number[] = [];
  await workload.recharge(lanes, stream, PAIRS * 100);
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const { ms: each } = await timed(() => workload.holdAndConfirm(lanes, stream));
    times.push(each);
  }
  await lanes.close(5_000);
  times.sort((a, b) => a - b);
  return `p50 ${ms(quantile(times, 0.5))}, p99 ${ms(quantile(times, 0.99))}`;
}

async function snapshotBytes(log: EventLog, stream: string): Promise<number> {
  const event = await log.readLast(accountSnapshotStream(stream));
  return event === null ? 0 : Buffer.byteLength(JSON.stringify(event.data));
}

async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly ms: number; readonly cpuMs: number; readonly result: Result }> {
  const from = performance.now();
  const cpuFrom = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(cpuFrom);
  return { ms: performance.now() - from, cpuMs: (user + system) / 1_000, result };
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function ms(time: number): string {
  return `${time < 100 ? time.toFixed(1) : Math.round(time)} ms`;
}

await main(process.argv.slice(2));
