import { isUtf8 } from 'node:buffer';
import {
  type LedgerEvent,
  UnreadableEventError,
  isKnownEvent,
} from '@points/contracts/stored-events';
import { parseStream } from '@points/contracts/streams';
import { type AccountBooks, openAccountBooks } from '../books/account-books.ts';
import { decodeEvent } from '../books/decode.ts';
import type { UsedOnce as OnceKind } from '../books/ledger.ts';
import { type SettledHolds, createSettledHolds } from '../books/settled-holds.ts';
import { WrongBooksError } from '../books/wrong-books.ts';
import { type Finding, type FindingKind, findingAt, findingOutside } from '../finding.ts';
import type { StreamHead } from '../heads.ts';
import { MOVEMENT_KINDS, type Movement, addMovement, noMovement } from '../movement.ts';
import { type LineEvent, readSealedLine } from '../seal.ts';
import { createStreamChains, linkOf } from '../stream-chains.ts';
import { createRepeats, createUsedOnce } from './used-once.ts';

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
  /** `<stream> <hold_id>` of holds that had been forgotten when an event went back to them. */
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
  /** More had been forgotten than a second look can take. */
  readonly isTooMuch: boolean;
}

export interface LineJudge {
  /** `number` counts from 1 over the whole log. */
  add(line: Buffer, number: number): void;
  heads(): StreamHead[];
  finish(): Judgement;
}

export const MAX_FINDINGS = 1_000;
const MAX_FORGOTTEN_HOLDS = 1_000_000;

/**
 * Judges lines of whole streams, each in order: form, hash, id and place of every event, and for accounts the books.
 * After a finding an account's books are closed, since nothing that comes after can be judged by them; its chain goes on.
 */
export function createLineJudge(options: JudgeOptions): LineJudge {
  const { partial, folder, second } = options;
  const chains = createStreamChains({ mayBeginLate: partial });
  /** Null = not judged, or not any more. */
  const accounts = new Map<string, AccountBooks | null>();
  const usedOnce = second === null ? createUsedOnce(folder) : null;
  const repeats = second === null ? null : createRepeats(second.repeated);
  const remembered = new Set(second?.holds);
  const forgotten = new Set<string>();
  const settledHolds: SettledHolds = createSettledHolds(options.settledHolds);
  const strangers = new Set<string>();
  const findings: Finding[] = [];
  const moved = noMovement();
  let findingCount = 0;
  let events = 0;
  let isTooMuch = false;
  /** Of the event in hand: what it uses although it was used before. */
  let again: { readonly kind: OnceKind; readonly key: string } | null = null;

  const find = (finding: Finding): void => {
    findingCount += 1;
    if (findings.length < MAX_FINDINGS) findings.push(finding);
  };

  const use = (stream: string, kind: OnceKind, key: string): void => {
    if (!SPILLED.has(kind)) return;
    usedOnce?.add(stream, kind, key);
    if (repeats?.isAgain(stream, kind, key) === true) again ??= { kind, key };
  };

  const open = (stream: string): AccountBooks =>
    openAccountBooks({
      settledHolds,
      remember: (holdId) => remembered.has(`${stream} ${holdId}`),
      onForgotten(holdId) {
        if (forgotten.size < MAX_FORGOTTEN_HOLDS) forgotten.add(`${stream} ${holdId}`);
        else isTooMuch = true;
      },
      onUse: (kind, key) => use(stream, kind, key),
    });

  const close = (stream: string): void => {
    if (accounts.has(stream)) accounts.set(stream, null);
  };

  function keepBooks(event: LineEvent, line: number): void {
    const { stream } = event;
    const books = accounts.get(stream);
    if (books === null) return;
    let decoded: LedgerEvent;
    try {
      decoded = decodeEvent(event);
    } catch (error) {
      if (!(error instanceof UnreadableEventError)) throw error;
      close(stream);
      const kind: FindingKind = isKnownEvent(event) ? 'unreadable_event' : 'unknown_event_type';
      return find({ ...findingAt({ ...event, line }, kind, ''), message: error.message });
    }
    again = null;
    if (decoded.category !== 'account') {
      const { index, command_id } = decoded.context;
      if (index === 0) use(stream, 'command', command_id);
    } else if (books !== undefined) {
      try {
        books.apply(decoded);
        addMovement(moved, decoded.event);
      } catch (error) {
        if (!(error instanceof WrongBooksError)) throw error;
        close(stream);
        const what = `(${event.type}) cannot be right: ${error.message}`;
        return find(findingAt({ ...event, line }, 'wrong_books', what));
      }
    }
    if (again !== null) {
      const { kind, key } = again as { kind: OnceKind; key: string };
      const what = `uses ${kind === 'command' ? 'command' : 'hold id'} ${key} a second time`;
      find(findingAt({ ...event, line }, 'used_twice', what));
    }
  }

  function judgeStream(event: LineEvent, line: number): boolean {
    const { stream } = event;
    if (chains.has(stream)) return !strangers.has(stream);
    const name = parseStream(stream);
    if (name === null) {
      strangers.add(stream);
      find(
        findingAt(
          { ...event, line },
          'not_a_ledger_stream',
          'is in a stream that is not the ledger’s',
        ),
      );
      return false;
    }
    if (name.category === 'account')
      accounts.set(stream, partial && event.revision > 0 ? null : open(stream));
    return true;
  }

  return {
    add(bytes, line) {
      // A decoder would put U+FFFD for bad bytes, and the change would be gone.
      const { event, problem } = isUtf8(bytes)
        ? readSealedLine(bytes.toString('utf8'), bytes)
        : NOT_UTF8;
      if (event === null) {
        const message = `line ${line} ${problem?.message ?? ''}`;
        return find(findingOutside(problem?.kind ?? 'not_an_event', message, { line }));
      }
      events += 1;
      const isOurs = judgeStream(event, line);
      const { stream } = event;
      const link = linkOf(event, line);
      const chained = chains.add(link);
      if (problem !== null) {
        // A changed event rarely fits its chain either: one tampering is told once.
        close(stream);
        return find(findingAt(link, problem.kind, problem.message));
      }
      if (chained !== null) {
        find(chained);
        if (chained.kind === 'repeated_event') return;
        close(stream);
      }
      if (isOurs) keepBooks(event, line);
    },
    heads: () => chains.heads(),
    finish() {
      const totals = noMovement();
      let [balance, debt, held, notJudged] = [0, 0, 0, 0];
      for (const books of accounts.values()) {
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
        heads: chains.heads(),
        events,
        accounts: accounts.size,
        notJudged,
        moved,
        totals,
        balance,
        debt,
        held,
        second: { holds: [...forgotten], repeated: usedOnce?.repeated() ?? [] },
        isTooMuch,
      };
    },
  };
}

/** The books themselves keep the others for ever: account rules §2.5. */
const SPILLED: ReadonlySet<OnceKind> = new Set(['command', 'hold']);

const NOT_UTF8 = {
  event: null,
  problem: { kind: 'not_json', message: 'is not UTF-8' },
} as const;
