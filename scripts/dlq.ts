import {
  DEAD_LETTER_HEADERS,
  DEAD_LETTER_STREAM,
  MESSAGE_ID_HEADER,
  parseDeadLetterSubject,
  parseQueuedSubject,
} from '@points/contracts/ledger-subjects';
import { judgeIdTime } from '@points/domain/account/id-time';
import {
  createJetStream,
  type JetStream,
  JetStreamError,
  type StoredMessage,
} from '@points/runtime/jetstream';
import { createLog } from '@points/runtime/log';
import { connectNats, NatsRequestError } from '@points/runtime/nats';
import { z } from 'zod';
import { accessOf, CommandLineError } from './nats-access.ts';

const EXIT = { ok: 0, notDone: 1, notAsked: 2 };
/** Letters shown by one `list`, the oldest ones. */
const LIST_MAX = 1_000;
const PARALLEL_READS = 32;

type Letter = {
  sequence: number;
  /** When it became a dead letter; `stored_at` is when it was sent. */
  time: string;
  stored_at: string | null;
  client: string;
  verb: string;
  command_id: string | null;
  reason: string;
  subject: string;
  headers: Record<string, string>;
  body: string;
};

type Done = { sequence: number; done: boolean; why: string };

/** `npm run dlq -- list|show|redrive|drop`: looks after messages that could not be commands. */
async function main(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const isJson = args.includes('--json');
  const [verb = '', ...wanted] = args.filter((arg) => arg !== '--json');
  if (verb === '' || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
    return verb === '' && !args.includes('--help') ? EXIT.notAsked : EXIT.ok;
  }
  if (!['list', 'show', 'redrive', 'drop'].includes(verb))
    throw new CommandLineError(`There is no "${verb}". npm run dlq -- --help shows all there is.`);
  if ((verb === 'list') !== (wanted.length === 0))
    throw new CommandLineError(
      verb === 'list' ? 'list takes no number.' : `Say which: ${verb} <number>… or ${verb} all.`,
    );
  const log = createLog('dlq', 'silent');
  const nats = await connectNats({
    ...accessOf('dlq', env),
    name: 'dlq',
    log,
    waitForServer: false,
  });
  try {
    const streams = createJetStream(nats);
    if (verb === 'list') return await list(streams, isJson);
    const sequences = await sequencesOf(wanted, streams);
    if (verb === 'show') return await show(streams, sequences, isJson);
    const work = verb === 'redrive' ? redrive : drop;
    const results: Done[] = [];
    // One after another: what is sent again arrives in the order in which it was lost.
    for (const sequence of sequences) results.push(await attempt(work, streams, sequence));
    return report(results, isJson);
  } finally {
    await nats.close();
  }
}

async function list(streams: JetStream, isJson: boolean): Promise<number> {
  const all = await allSequences(streams);
  const letters = await read(streams, all.slice(0, LIST_MAX));
  if (isJson) print(letters);
  else {
    for (const { sequence, time, client, verb, command_id, reason } of letters)
      process.stdout.write(
        `${String(sequence).padStart(6)}  ${time}  ${client} ${verb}  ${command_id ?? '-'}  ${reason}\n`,
      );
    const more = all.length - LIST_MAX;
    if (letters.length === 0) process.stdout.write('No dead letters.\n');
    if (more > 0) process.stdout.write(`… and up to ${more} more\n`);
  }
  return EXIT.ok;
}

async function show(streams: JetStream, sequences: number[], isJson: boolean): Promise<number> {
  const letters = await read(streams, sequences);
  if (isJson) print(letters);
  else for (const letter of letters) print(letter);
  const missing = sequences.filter(
    (wanted) => !letters.some(({ sequence }) => sequence === wanted),
  );
  for (const sequence of missing) process.stderr.write(`dlq: there is no ${sequence}\n`);
  return missing.length === 0 ? EXIT.ok : EXIT.notDone;
}

/** What NATS does not do for one letter is said of that letter, and the others have their turn. */
async function attempt(work: typeof drop, streams: JetStream, sequence: number): Promise<Done> {
  try {
    return await work(streams, sequence);
  } catch (error) {
    if (!(error instanceof JetStreamError)) throw error;
    return { sequence, done: false, why: error.message };
  }
}

/** Sends it again as it was, and only when it is stored takes it off the dead letters. */
async function redrive(streams: JetStream, sequence: number): Promise<Done> {
  const message = await streams.message(DEAD_LETTER_STREAM, sequence);
  if (message === null) return { sequence, done: false, why: 'there is none' };
  const { subject, headers, command_id } = toLetter(message);
  if (parseQueuedSubject(subject) === null)
    return { sequence, done: false, why: `nothing takes ${subject}; it can only be dropped` };
  if (command_id !== null && judgeIdTime(command_id, Date.now()) === 'too_old')
    return {
      sequence,
      done: false,
      why: 'its command_id is more than 7 days old and would be refused; settle by hand (adjust), then drop it',
    };
  const msgId = command_id ?? headers[MESSAGE_ID_HEADER];
  // Those of NATS are orders to the server, and were meant for the first time.
  const others = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^nats-/i.test(name)),
  );
  const { duplicate } = await streams.publish(subject, message.data, {
    headers: others,
    ...(msgId === undefined ? {} : { msgId }),
  });
  if (duplicate)
    return {
      sequence,
      done: false,
      why: 'the same command was sent within the last two minutes; try again then',
    };
  await streams.deleteMessage(DEAD_LETTER_STREAM, sequence);
  return { sequence, done: true, why: `sent again to ${subject}` };
}

async function drop(streams: JetStream, sequence: number): Promise<Done> {
  const done = await streams.deleteMessage(DEAD_LETTER_STREAM, sequence);
  return { sequence, done, why: done ? 'dropped' : 'there is none' };
}

function report(results: Done[], isJson: boolean): number {
  if (isJson) print(results);
  else
    for (const { sequence, done, why } of results)
      (done ? process.stdout : process.stderr).write(`${String(sequence).padStart(6)}  ${why}\n`);
  return results.every(({ done }) => done) ? EXIT.ok : EXIT.notDone;
}

async function sequencesOf(wanted: string[], streams: JetStream): Promise<number[]> {
  if (wanted.length === 1 && wanted[0] === 'all') {
    const there = await read(streams, await allSequences(streams));
    return there.map(({ sequence }) => sequence);
  }
  const wrong = wanted.find((text) => !/^[1-9]\d{0,14}$/.test(text));
  if (wrong !== undefined) throw new CommandLineError(`${wrong} is not the number of a letter.`);
  return wanted.map(Number);
}

/** Some of them may be gone. */
async function allSequences(streams: JetStream): Promise<number[]> {
  const { messages, firstSequence, lastSequence } = await streams.streamState(DEAD_LETTER_STREAM);
  if (messages === 0) return [];
  return Array.from(
    { length: lastSequence - firstSequence + 1 },
    (_, index) => firstSequence + index,
  );
}

async function read(streams: JetStream, sequences: number[]): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (let start = 0; start < sequences.length; start += PARALLEL_READS) {
    const found = await Promise.all(
      sequences
        .slice(start, start + PARALLEL_READS)
        .map((sequence) => streams.message(DEAD_LETTER_STREAM, sequence)),
    );
    letters.push(...found.filter((message) => message !== null).map(toLetter));
  }
  return letters;
}

const originalHeaders = z.record(z.string(), z.string());
const commandBody = z.object({ command_id: z.uuid() });

function toLetter(message: StoredMessage): Letter {
  const { client, verb } = parseDeadLetterSubject(message.subject) ?? { client: '?', verb: '?' };
  const body = Buffer.from(message.data).toString('utf8');
  const headers = originalHeaders.safeParse(
    json(message.header(DEAD_LETTER_HEADERS.headers) ?? ''),
  );
  const command = commandBody.safeParse(json(body));
  return {
    sequence: message.sequence,
    time: new Date(message.storedMs).toISOString(),
    stored_at: message.header(DEAD_LETTER_HEADERS.storedAt),
    client,
    verb,
    command_id: command.success ? command.data.command_id : null,
    reason: message.header(DEAD_LETTER_HEADERS.reason) ?? '',
    subject: message.header(DEAD_LETTER_HEADERS.subject) ?? '',
    headers: headers.success ? headers.data : {},
    body,
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

const HELP = `Looks after dead letters: messages that could not be settlements, or that no ledger survived.

  npm run dlq -- list                    number, time, client, verb, command_id and reason of each
  npm run dlq -- show <number>…|all      with headers and body
  npm run dlq -- redrive <number>…|all   send again, then take off the list; the reason should be gone first
  npm run dlq -- drop <number>…|all      take off the list for good

--json prints JSON. Exit code: 0 all done, 1 something was not done, 2 nobody could be asked.
The running stack is found by DATA_DIR (default .data); another server by NATS_URL, NATS_USER (default dlq), NATS_PASS.
`;

main(process.argv.slice(2), process.env)
  .then((code) => (process.exitCode = code))
  .catch((error: unknown) => {
    const isPlain =
      error instanceof CommandLineError ||
      error instanceof NatsRequestError ||
      error instanceof JetStreamError;
    const message =
      error instanceof Error ? (isPlain ? error.message : error.stack) : String(error);
    process.stderr.write(`dlq: ${message}\n`);
    process.exitCode = EXIT.notAsked;
  });
