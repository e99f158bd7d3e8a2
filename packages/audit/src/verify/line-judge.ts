import { join } from 'node:path';
import {
  type LedgerEvent,
  UnreadableEventError,
  decodeStoredEvent,
  isKnownEvent,
} from '@points/contracts/stored-events';
import { type LedgerStream, parseStream } from '@points/contracts/streams';
import { type AccountBooks, openAccountBooks } from '../books/account-books.ts';
import { decodePresent } from '../books/decode.ts';
import type { UsedOnce as OnceKind } from '../books/ledger.ts';
import { type SettledHolds, createSettledHolds } from '../books/settled-holds.ts';
import { WrongBooksError } from '../books/wrong-books.ts';
import { type Finding, type FindingKind, findingAt, findingOutside } from '../finding.ts';
import { type StreamHead, inOrder } from '../heads.ts';
import { MOVEMENT_KINDS, type Movement, addMovement, noMovement } from '../movement.ts';
import { readable, rawValue } from '../raw-text.ts';
import { type LineEvent, readRawLine } from '../seal.ts';
import { createStreamChains, linkOf } from '../stream-chains.ts';
import { createSpilledHolds } from './spilled-holds.ts';
import { type Scope, createRepeats, createUsedOnce, scopeOf } from './used-once.ts';

export interface JudgeOptions {
  /** The lines are a part of a log: streams may begin late, and then their books are not judged. */
  readonly partial: boolean;
  /** For temporary files; the caller removes it. */
  readonly folder: string;
  /** What an earlier look at the same lines asked for. */
  readonly second: SecondLook | null;
  /** Settled holds that are remembered at a time. */
  readonly settledHolds?: number;
}

/** What one look at the lines could not decide, and another will. */
export interface SecondLook {
  /** `<stream> <hold_id>` of holds that had been forgotten when an event went back to them that is not right. */
  readonly holds: readonly string[];
  /** Fingerprints of keys that may have been used twice. */
  readonly repeated: readonly bigint[];
}

export interface Judgement {
  /** The first in order of their lines, at most `MAX_FINDINGS`. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  readonly heads: readonly StreamHead[];
  readonly events: number;
  readonly accounts: number;
  /** Accounts whose books were closed by a finding, or that begin late. */
  readonly notJudged: number;
  /** What all events that were judged say that they moved, added up one by one. */
  readonly moved: Movement;
  /** The same, from the books of the accounts. */
  readonly totals: Movement;
  /** From the batches and debts in the books. */
  readonly balance: number;
  readonly debt: number;
  readonly held: number;
  readonly second: SecondLook;
}

export interface LineJudge {
  /** `number` counts from 1 over the whole log. */
  add(line: Buffer, number: number): void;
  heads(): StreamHead[];
  finish(): Judgement;
  close(): void;
}

interface JudgedStream {
  /** Null = no stream of the ledger. */
  readonly name: LedgerStream | null;
  /** Of an account; null = not judged, or not any more. */
  books: AccountBooks | null;
}

export const MAX_FINDINGS = 1_000;

/**
 * Judges lines of whole streams, each in order: form, hash, id and place of every event, and for accounts the books.
 * After a finding an account's books are closed, since nothing that comes after can be judged by them; its chain goes on.
 */
export function createLineJudge(options: JudgeOptions): LineJudge {
  const { partial, folder, second } = options;
  const chains = createStreamChains({ mayBeginLate: partial });
  const streams = new Map<string, JudgedStream>();
  const usedOnce = second === null ? createUsedOnce(join(folder, 'once')) : null;
  const repeats = second === null ? null : createRepeats(second.repeated);
  const remembered = new Set(second?.holds);
  // What a first look does not name is right.
  const spilled = second === null ? createSpilledHolds(join(folder, 'holds')) : null;
  const settledHolds: SettledHolds = createSettledHolds(options.settledHolds);
  const findings: Finding[] = [];
  const moved = noMovement();
  let findingCount = 0;
  let events = 0;
  /** Of the line in hand. */
  let lineNumber = 0;
  /** Of the event in hand: what it uses although it was used before. */
  let again: { readonly kind: OnceKind; readonly key: string } | null = null;

  const find = (finding: Finding): void => {
    findingCount += 1;
    if (findings.length < MAX_FINDINGS) findings.push(finding);
  };

  const use = (scope: Scope, kind: OnceKind, key: string): void => {
    usedOnce?.add(scope, key);
    if (repeats?.isAgain(scope, key) === true) again ??= { kind, key };
  };

  function open(stream: string): AccountBooks {
    const commands = scopeOf(stream, 'command');
    const holds = scopeOf(stream, 'hold');
    return openAccountBooks({
      settledHolds,
      remember: (holdId) => remembered.has(`${stream} ${holdId}`),
      forgotten: {
        forget: (holdId, hold) => spilled?.forget(stream, holdId, lineNumber, hold),
        goBack: (holdId, back) => spilled?.goBack(stream, holdId, lineNumber, back),
      },
      onUse(kind, key) {
        // The books themselves keep the others for ever: account rules §2.5.
        if (kind === 'command') use(commands, kind, key);
        else if (kind === 'hold') use(holds, kind, key);
      },
    });
  }

  function keepBooks(judged: JudgedStream, event: LineEvent, line: number, bytes: Buffer): void {
    const { stream } = event;
    const { books } = judged;
    let decoded: LedgerEvent;
    try {
      decoded = decodePresent(judged.name, event) ?? decodeAtLength(bytes);
    } catch (error) {
      if (!(error instanceof UnreadableEventError)) throw error;
      judged.books = null;
      const kind: FindingKind = isKnownEvent(event) ? 'unreadable_event' : 'unknown_event_type';
      return find({ ...findingAt({ ...event, line }, kind, ''), message: error.message });
    }
    again = null;
    let wrong: WrongBooksError | null = null;
    if (decoded.category !== 'account') {
      const { index, command_id } = decoded.context;
      if (index === 0) use(scopeOf(stream, 'command'), 'command', command_id);
    } else if (books !== null) {
      try {
        books.apply(decoded);
        addMovement(moved, decoded.event);
      } catch (error) {
        if (!(error instanceof WrongBooksError)) throw error;
        wrong = error;
      }
    }
    if (again !== null) {
      // Also when the books remember it, which is by chance.
      judged.books = null;
      const { kind, key } = again as { kind: OnceKind; key: string };
      const what = `uses ${kind === 'command' ? 'command' : 'hold id'} ${readable(key)} a second time`;
      find(findingAt({ ...event, line }, 'used_twice', what));
    } else if (wrong !== null) {
      judged.books = null;
      const what = `(${event.type}) cannot be right: ${readable(wrong.message)}`;
      find(findingAt({ ...event, line }, 'wrong_books', what));
    }
  }

  function begin({ stream, revision, position }: LineEvent, line: number): JudgedStream {
    const name = parseStream(stream);
    const isJudged = name?.category === 'account' && !(partial && revision > 0);
    const judged = { name, books: isJudged ? open(stream) : null };
    streams.set(stream, judged);
    if (name === null)
      find(
        findingAt(
          { stream: readable(stream), revision, position, line },
          'not_a_ledger_stream',
          'is in a stream that is not the ledger’s',
        ),
      );
    return judged;
  }

  function heads(): StreamHead[] {
    return inOrder(chains.heads().map((head) => ({ ...head, stream: readable(head.stream) })));
  }

  return {
    add(bytes, line) {
      lineNumber = line;
      const { event, problem } = readRawLine(bytes);
      if (event === null) {
        const message = `line ${line} ${problem?.message ?? ''}`;
        return find(findingOutside(problem?.kind ?? 'not_an_event', message, { line }));
      }
      events += 1;
      const judged = streams.get(event.stream) ?? begin(event, line);
      const link = linkOf(event, line);
      const chained = chains.add(link);
      if (problem !== null) {
        // A changed event rarely fits its chain either: one tampering is told once.
        judged.books = null;
        const place = { ...link, stream: readable(link.stream) };
        return find(findingAt(place, problem.kind, problem.message));
      }
      if (chained !== null) {
        const { stream, message } = chained;
        find({ ...chained, stream: stream && readable(stream), message: readable(message) });
        if (chained.kind === 'repeated_event') return;
        judged.books = null;
      }
      if (judged.name !== null) keepBooks(judged, event, line, bytes);
    },
    heads,
    close() {
      usedOnce?.close();
      spilled?.close();
    },
    finish() {
      const totals = noMovement();
      let [accounts, balance, debt, held, notJudged] = [0, 0, 0, 0, 0];
      for (const { name, books } of streams.values()) {
        if (name?.category !== 'account') continue;
        accounts += 1;
        if (books === null) {
          notJudged += 1;
          continue;
        }
        for (const kind of MOVEMENT_KINDS) totals[kind] += books.totals[kind];
        balance += books.balance();
        debt += books.debt();
        held += books.held();
      }
      return {
        findings,
        findingCount,
        heads: heads(),
        events,
        accounts,
        notJudged,
        moved,
        totals,
        balance,
        debt,
        held,
        second: {
          holds: spilled?.wrong().map(({ stream, holdId }) => `${stream} ${holdId}`) ?? [],
          repeated: usedOnce?.repeated() ?? [],
        },
      };
    },
  };
}

/** Some lines of a block. */
export interface Lines {
  readonly bytes: Uint8Array;
  /** Three numbers for each line: where it begins in them, where it ends, and its number. */
  readonly places: ArrayLike<number>;
}

export function judgeLines(judge: LineJudge, { bytes, places }: Lines): void {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < places.length; at += 3)
    judge.add(block.subarray(places[at], places[at + 1]), places[at + 2] ?? 0);
}

/** An event of an older shape, another stream, or an odd one, as contracts reads it; in raw text like the others. */
function decodeAtLength(line: Buffer): LedgerEvent {
  const event: LineEvent = JSON.parse(line.toString('utf8'));
  return rawValue(decodeStoredEvent(event));
}
