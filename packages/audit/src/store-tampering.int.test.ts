import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import type { RecordedEvent } from '@points/dev-event-store/events';
import { JOURNAL_FILE } from '@points/dev-event-store/journal';
import { startDevEventStore } from '@points/dev-event-store/server';
import { runServer } from '@points/dev-event-store/testing/server-process';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import type { JsonObject } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signAnchor } from './anchor.ts';
import type { AuditEvent } from './audit-event.ts';
import { pinPosition } from './pinned-log.ts';
import { TEST_KEY } from './testing/anchor-key.ts';
import { dataOf, metadataOf, readJournal, withJson, writeJournal } from './testing/journal-file.ts';
import { makeLog } from './testing/make-log.ts';
import { logLines } from './verify/log-lines.ts';
import { type VerifyReport, verify } from './verify/verify.ts';

const TAMPERED = 'account-user_2';

let folder: string;
/** What an honest store has in its journal. */
let honest: RecordedEvent[];
let anchors: readonly LedgerAnchor[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'store-tampering-'));
  const store = await startDevEventStore({ dataDir: folder });
  const log = connectEventStoreDb({ url: store.url });
  try {
    for (const [first, ...rest] of commandsOf(makeLog({ accounts: 4, events: 240, seed: 12 }))) {
      const expected = first.revision === 0 ? 'no_stream' : first.revision - 1;
      const { outcome } = await log.append(first.stream, [first, ...rest], expected);
      expect(outcome).toBe('appended');
    }
  } finally {
    await log.close();
    await store.close();
  }
  honest = readJournal(folder);
  const { holds, last_position, events, streams, root, order } = await verified(honest, []);
  expect(holds).toBe(true);
  const unsigned = { position: last_position ?? '', events, streams, root, order };
  anchors = [signAnchor(unsigned, TEST_KEY, '2026-03-01T00:00:00.000Z')];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whoever holds the store's files writes what they like, and a checksum over it; every one of these starts. */
const TAMPERINGS: readonly {
  readonly what: string;
  readonly journal: (events: readonly RecordedEvent[]) => RecordedEvent[];
  /** As it is named without any anchor: kind, and how the message begins. None = only an anchor tells. */
  readonly found?: readonly [string, string];
}[] = [
  {
    what: 'a flipped bit in the data of an event',
    journal: (events) => changed(events, 9, (event) => flipped(event, '"balance_before":')),
    found: ['wrong_hash', `event 9 of ${TAMPERED} was changed: its content hashes to`],
  },
  {
    what: 'a flipped bit in its metadata',
    journal: (events) => changed(events, 9, (event) => flipped(event, '"occurred_at":"20')),
    found: ['wrong_hash', `event 9 of ${TAMPERED} was changed`],
  },
  {
    what: 'another event type',
    journal: (events) => changed(events, 9, (event) => ({ ...event, type: 'PointsFound' })),
    found: ['wrong_hash', `event 9 of ${TAMPERED} was changed`],
  },
  {
    what: 'another event id',
    journal: (events) => changed(events, 9, (event) => ({ ...event, id: at(events, 8).id })),
    found: ['wrong_event_id', `event 9 of ${TAMPERED} has id`],
  },
  {
    what: 'a removed event',
    journal: (events) => events.filter((event) => !isAt(event, 9)),
    found: ['missing_events', `event 10 of ${TAMPERED} follows a gap: revision 9 is missing`],
  },
  {
    what: 'a removed event, those after it moved up',
    journal: (events) => renumbered(events.filter((event) => !isAt(event, 9))),
    found: ['wrong_hash', `event 9 of ${TAMPERED} was changed`],
  },
  {
    what: 'a removed event, those after it moved up and sealed anew',
    journal: (events) => resealed(events.filter((event) => !isAt(event, 9))),
    found: ['wrong_books', `event 9 of ${TAMPERED}`],
  },
  {
    what: 'an added event, sealed, those after it moved down and sealed anew',
    journal: (events) => resealed(inserted(events, 9)),
    found: ['used_twice', `event 9 of ${TAMPERED}`],
  },
  {
    what: 'an event that was put in beside another of its revision, sealed',
    journal: (events) => {
      const forged = at(resealed(inserted(events, 9)), 9);
      return events.flatMap((event) =>
        isAt(event, 9) ? [event, { ...forged, position: event.position + 1 }] : [event],
      );
    },
    found: ['repeated_event', `event 9 of ${TAMPERED} comes after revision 9`],
  },
  {
    what: 'two events of an account that changed places',
    journal: (events) => swapped(events, 9, 10),
    found: ['wrong_hash', `event 9 of ${TAMPERED} was changed`],
  },
  {
    what: 'two events of an account in the other order',
    journal: (events) => {
      const [one, other] = [at(events, 9), at(events, 10)];
      const later = { ...one, position: other.position };
      const earlier = { ...other, position: one.position };
      return events.map((event) => (event === one ? earlier : event === other ? later : event));
    },
    found: ['missing_events', `event 10 of ${TAMPERED} follows a gap: revision 9 is missing`],
  },
  {
    what: 'a repeated event',
    journal: (events) =>
      events.flatMap((event) =>
        isAt(event, 9) ? [event, { ...event, position: event.position + 1 }] : [event],
      ),
    found: ['repeated_event', `event 9 of ${TAMPERED} comes a second time`],
  },
  {
    what: 'a position far before its place, where no reader comes by',
    journal: (events) => changed(events, 9, (event) => ({ ...event, position: 1_025 })),
    found: ['missing_events', `event 10 of ${TAMPERED} follows a gap: revision 9 is missing`],
  },
  {
    what: 'an amount in a whole account that was sealed anew',
    journal: (events) =>
      resealed(
        changed(events, 0, (event) =>
          withJson(
            event,
            dataOf(event).replace(/"points":\d+/, '"points":9000'),
            metadataOf(event),
          ),
        ),
      ),
    found: ['wrong_books', `event 0 of ${TAMPERED}`],
  },
  {
    what: 'a text in a whole account that was sealed anew',
    journal: (events) =>
      resealed(
        changed(events, 0, (event) =>
          withJson(
            event,
            dataOf(event).replace(/"description":"[^"]*"/, '"description":"a present"'),
            metadataOf(event),
          ),
        ),
      ),
  },
  {
    what: 'a changed position, in order',
    journal: (events) =>
      changed(events, 9, (event) => ({ ...event, position: event.position + 1 })),
  },
  {
    what: 'an account removed',
    journal: (events) => events.filter(({ stream }) => stream !== TAMPERED),
  },
  { what: 'a cut end', journal: (events) => events.slice(0, -20) },
];

describe('changed in the files of the store, with good checksums', () => {
  it.each(TAMPERINGS)('$what', async ({ journal, found }) => {
    const events = journal(honest);
    expect(events).not.toEqual(honest);
    const alone = await verified(events, []);
    if (found === undefined) {
      expect(alone).toMatchObject({ holds: true, finding_count: 0 });
      const { findings } = await verified(events, anchors);
      expect(findings).toMatchObject([{ kind: 'anchor_differs' }]);
      return;
    }
    const [kind, message] = found;
    expect(alone.holds).toBe(false);
    expect(alone.findings[0]).toMatchObject({
      kind,
      stream: TAMPERED,
      message: expect.stringContaining(message),
    });
  });
});

it('a store does not start on damage that its checksums tell', async () => {
  const dataDir = mkdtempSync(join(folder, 'damaged-'));
  writeJournal(dataDir, honest);
  const file = join(dataDir, JOURNAL_FILE);
  const bytes = readFileSync(file);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(file, bytes);
  const store = runServer({ EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: dataDir });
  expect(await store.exited).toBe(1);
  expect(store.output()).toContain(`${file} is damaged at byte`);
  expect(store.output()).toContain('a bad record lies before good ones');
});

// A process takes a second of a processor to begin: few of them, all at once.
it('npm run audit: verify --live names it; what-if does not run with a list that is wrong', async () => {
  const bad = join(folder, 'bad.yaml');
  writeFileSync(bad, 'version: 1\noperations: { script: { mode: fixed, points: -1 } }\n');
  const events = changed(honest, 9, (event) => flipped(event, '"balance_before":'));
  const [verdict, whatIf] = await withStore(events, (url) =>
    Promise.all([
      audit(url, 'verify', '--live', '--threads', '0'),
      audit(url, 'what-if', '--config', bad),
    ]),
  );
  expect(verdict).toMatchObject({ code: 1, stderr: '' });
  expect(verdict.stdout).toContain(`event 9 of ${TAMPERED} was changed`);
  expect(whatIf).toMatchObject({ code: 2, stdout: '' });
  expect(whatIf.stderr).toMatch(/^audit: \S+bad\.yaml:2: operations\.script\.points .*\n$/);
});

/** What `verify --live` says of a store with these events in its journal. */
async function verified(
  events: readonly RecordedEvent[],
  against: readonly LedgerAnchor[],
): Promise<VerifyReport> {
  return withStore(events, async (url) => {
    const log = connectEventStoreDb({ url });
    try {
      const pin = await pinPosition(log);
      return await verify({ lines: () => logLines(log, pin), isFile: false, anchors: against });
    } finally {
      await log.close();
    }
  });
}

/** Starts a store on these events; `work` gets its connection string. */
async function withStore<Result>(
  events: readonly RecordedEvent[],
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const dataDir = mkdtempSync(join(folder, 'store-'));
  writeJournal(dataDir, events);
  const store = await startDevEventStore({ dataDir });
  try {
    return await work(store.url);
  } finally {
    await store.close();
  }
}

/** The events of each command together. */
function commandsOf(events: Iterable<AuditEvent>): [AuditEvent, ...AuditEvent[]][] {
  const commands: [AuditEvent, ...AuditEvent[]][] = [];
  for (const event of events) {
    const last = commands.at(-1);
    if (last !== undefined && event.metadata['index'] !== '0') last.push(event);
    else commands.push([event]);
  }
  return commands;
}

function isAt(event: RecordedEvent, revision: number): boolean {
  return event.stream === TAMPERED && event.revision === revision;
}

function at(events: readonly RecordedEvent[], revision: number): RecordedEvent {
  const found = events.find((event) => isAt(event, revision));
  if (found === undefined) throw new Error(`${TAMPERED} has no event ${revision}`);
  return found;
}

function changed(
  events: readonly RecordedEvent[],
  revision: number,
  change: (event: RecordedEvent) => RecordedEvent,
): RecordedEvent[] {
  return events.map((event) => (isAt(event, revision) ? change(event) : event));
}

/** The lowest bit of the digit behind `mark`. */
function flipped(event: RecordedEvent, mark: string): RecordedEvent {
  const place = event.payload.indexOf(mark) + mark.length;
  const payload = Buffer.from(event.payload);
  expect(String.fromCharCode(payload.readUInt8(place))).toMatch(/\d/);
  payload.writeUInt8(payload.readUInt8(place) ^ 1, place);
  return { ...event, payload };
}

/** One more event at this revision, like the one before it. */
function inserted(events: readonly RecordedEvent[], revision: number): RecordedEvent[] {
  return events.flatMap((event) =>
    isAt(event, revision - 1) ? [event, { ...event, position: event.position + 1 }] : [event],
  );
}

/** Places stay, contents do not. */
function swapped(
  events: readonly RecordedEvent[],
  revision: number,
  other: number,
): RecordedEvent[] {
  const [first, second] = [at(events, revision), at(events, other)];
  const put = (event: RecordedEvent, into: RecordedEvent): RecordedEvent => {
    const { revision: place, position, createdMs } = into;
    return { ...event, revision: place, position, createdMs };
  };
  return events.map((event) =>
    event === first ? put(second, first) : event === second ? put(first, second) : event,
  );
}

/** Revisions of the account without gaps. */
function renumbered(events: readonly RecordedEvent[]): RecordedEvent[] {
  let next = 0;
  return events.map((event) =>
    event.stream === TAMPERED ? { ...event, revision: next++ } : event,
  );
}

/** The same with every hash and id of the account as they have to be: no secret is needed for that. */
function resealed(events: readonly RecordedEvent[]): RecordedEvent[] {
  let previous = GENESIS_HASH;
  return renumbered(events).map((event) => {
    if (event.stream !== TAMPERED) return event;
    const data = JSON.parse(dataOf(event)) as JsonObject;
    const {
      hash: _hash,
      prev_hash: _previous,
      ...metadata
    } = JSON.parse(metadataOf(event)) as Record<string, string>;
    const draft = { type: event.type, data, metadata };
    const [sealed] = chainEvents(event.stream, event.revision, previous, [draft]);
    if (sealed === undefined) throw new Error('nothing was sealed');
    previous = sealed.metadata['hash'] ?? '';
    const json = withJson(event, JSON.stringify(data), JSON.stringify(sealed.metadata));
    return { ...json, id: sealed.id };
  });
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function audit(url: string, ...words: readonly string[]): Promise<Ended> {
  const env = { ...process.env, EVENTSTORE_URL: url };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', MAIN, ...words],
      { env },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const MAIN = fileURLToPath(new URL('cli/main.ts', import.meta.url));
