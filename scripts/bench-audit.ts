import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { AuditEvent } from '@points/audit/audit-event';
import { readLines } from '@points/audit/export-file';
import { formatLine } from '@points/audit/export-line';
import { accountEventsUpTo, eventsUpTo, pinPosition } from '@points/audit/pinned-log';
import { replay } from '@points/audit/replay';
import { makeLog } from '@points/audit/testing/make-log';
import { logLines } from '@points/audit/verify/log-lines';
import { usualThreads, verify } from '@points/audit/verify/verify';
import type { EventLog, EventToAppend } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { openStore } from './bench-store.ts';

/**
 * `npm run bench:audit -- --events 1000000 --accounts 10000`: how fast an export is verified, and with how much memory at
 * a tenth and at all of the events; then (`--store-events`) how fast a store is read, replayed and verified. Each measure
 * is a process of its own, so that its memory is its own.
 */
async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      events: { type: 'string', default: '1000000' },
      accounts: { type: 'string', default: '10000' },
      'store-events': { type: 'string', default: '200000' },
      measure: { type: 'string' },
      file: { type: 'string', default: '' },
      url: { type: 'string', default: '' },
      threads: { type: 'string', default: String(usualThreads()) },
    },
  });
  const options = {
    events: whole('events', values.events),
    accounts: whole('accounts', values.accounts),
    storeEvents: whole('store-events', values['store-events']),
  };
  switch (values.measure) {
    case undefined:
      return bench(options);
    case 'make':
      return make(values.file, options.accounts, options.events);
    case 'verify':
      return measureVerify(values.file, Number(values.threads));
    case 'read':
    case 'replay':
    case 'verify-live':
      return measureLog(values.measure, values.url);
    default:
      throw new Error(`nothing is measured by ${values.measure}`);
  }
}

interface Options {
  readonly events: number;
  readonly accounts: number;
  readonly storeEvents: number;
}

async function bench({ events, accounts, storeEvents }: Options): Promise<void> {
  print('machine', `${availableParallelism()} cores, Node ${process.version}`);
  const folder = await mkdtemp(join(tmpdir(), 'bench-audit-'));
  try {
    for (const count of [Math.ceil(events / 10), events]) {
      const file = join(folder, `${count}.ndjson`);
      await measured('make', '--file', file, '--events', `${count}`, '--accounts', `${accounts}`);
      const { size } = statSync(file);
      print(
        'export',
        `${number(count)} events of ${number(accounts)} accounts, ${number(size / 1e6)} MB, ${number(size / count)} bytes an event`,
      );
      for (const threads of new Set([0, usualThreads()]))
        print(
          `verify, ${threads + 1} threads`,
          await measured('verify', '--file', file, '--threads', `${threads}`),
        );
      await rm(file);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (storeEvents > 0) await benchStore(storeEvents, accounts);
}

async function benchStore(events: number, accounts: number): Promise<void> {
  const store = await openStore(process.env['EVENTSTORE_URL']);
  try {
    const log = connectEventStoreDb({ url: store.url });
    await fill(log, makeLog({ events, accounts: Math.min(accounts, events / 20), seed: 1 }));
    await log.close();
    print('event store', store.name);
    for (const name of ['read', 'replay', 'verify-live'])
      print(`${name} from the store`, await measured(name, '--url', store.url));
  } finally {
    await store.stop();
  }
}

const APPEND_EVENTS = 100;

/** Events of a stream in their order; streams wait for one another only as far as appends are large. */
async function fill(log: EventLog, events: Iterable<AuditEvent>): Promise<void> {
  const waiting = new Map<string, AuditEvent[]>();
  const flush = async (stream: string, ready: readonly AuditEvent[]): Promise<void> => {
    const first = ready[0]?.revision ?? 0;
    const batch: EventToAppend[] = ready.map(({ id, type, data, metadata }) => ({
      id,
      type,
      data,
      metadata,
    }));
    const result = await log.append(stream, batch, first === 0 ? 'no_stream' : first - 1);
    if (result.outcome !== 'appended') throw new Error('the store has such accounts already');
  };
  for (const event of events) {
    const own = waiting.get(event.stream) ?? [];
    if (own.length === 0) waiting.set(event.stream, own);
    own.push(event);
    if (own.length < APPEND_EVENTS) continue;
    waiting.delete(event.stream);
    await flush(event.stream, own);
  }
  for (const [stream, own] of waiting) await flush(stream, own);
}

async function make(file: string, accounts: number, events: number): Promise<void> {
  const out = createWriteStream(file);
  let waiting = '';
  for (const event of makeLog({ accounts, events, seed: 1 })) {
    waiting += `${formatLine(event)}\n`;
    if (waiting.length < 1_000_000) continue;
    if (!out.write(waiting)) await once(out, 'drain');
    waiting = '';
  }
  out.end(waiting);
  await once(out, 'finish');
}

async function measureVerify(file: string, threads: number): Promise<void> {
  const { ms, result } = await timed(() =>
    verify({ lines: () => readLines(file), isFile: true, threads }),
  );
  if (!result.holds) throw new Error(result.findings[0]?.message);
  tell(result.events, ms);
}

async function measureLog(what: 'read' | 'replay' | 'verify-live', url: string): Promise<void> {
  const log = connectEventStoreDb({ url });
  const pin = await pinPosition(log);
  let events = 0;
  async function* counted(): AsyncGenerator<AuditEvent, void> {
    for await (const event of eventsUpTo(log, { pin })) {
      events += 1;
      yield event;
    }
  }
  const work = async (): Promise<boolean> => {
    if (what === 'verify-live') {
      const report = await verify({ lines: () => logLines(log, pin), isFile: false, threads: 1 });
      events = report.events;
      return report.holds;
    }
    if (what === 'replay') {
      const account = (accountId: string) => accountEventsUpTo(log, accountId, { pin });
      return (await replay({ events: counted(), account, position: pin, asOf: null })).holds;
    }
    for await (const _ of counted());
    return true;
  };
  const { ms, result } = await timed(work);
  if (!result) throw new Error('the log does not hold');
  tell(events, ms);
  await log.close();
}

function tell(events: number, ms: number): void {
  const peakMb = process.resourceUsage().maxRSS / 1_024;
  process.stdout.write(
    `${number(events / (ms / 1_000))} events/s (${(ms / 1_000).toFixed(1)} s), peak ${number(peakMb)} MB\n`,
  );
}

/** Runs one measure in a process of its own and gives what it prints. */
async function measured(name: string, ...args: string[]): Promise<string> {
  const self = fileURLToPath(import.meta.url);
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', self, '--measure', name, ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${name} ended with ${String(code)}`);
  return output.trim();
}

async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly ms: number; readonly result: Result }> {
  const from = performance.now();
  const result = await work();
  return { ms: performance.now() - from, result };
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name} must be a whole number from 0`);
  return value;
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en');
}

const NAME_WIDTH = 28;

function print(name: string, value: string): void {
  process.stdout.write(`${name.padEnd(NAME_WIDTH)}${value}\n`);
}

await main(process.argv.slice(2));
