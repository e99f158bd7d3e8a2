import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { createAnchorWatch } from '../anchor-watch.ts';
import { DamagedFileError, type LineBlock } from '../export-file.ts';
import { type LinePlace, placeOf } from '../export-line.ts';
import { type Finding, findingAt, findingOutside } from '../finding.ts';
import { inOrder, rootOf } from '../heads.ts';
import { MOVEMENT_KINDS, type Movement, balanceOf, debtOf, noMovement } from '../movement.ts';
import { createOrderDigest } from '../order-digest.ts';
import { readSealedLine } from '../seal.ts';
import { type Judges, createJudges } from './judges.ts';
import { type Judgement, MAX_FINDINGS, type SecondLook } from './line-judge.ts';

export interface VerifyRequest {
  /** The lines of the log; called again when a second look is needed, and then the same. */
  readonly lines: () => AsyncIterable<LineBlock>;
  /** Whether the lines are of a file, so that their numbers help to find one. */
  readonly isFile: boolean;
  /** Where the log was pinned; a file ends where it ends. */
  readonly pin?: bigint | null;
  /** An export of a part of the ledger: some accounts, or some time. */
  readonly isPartial?: boolean;
  /** With good signatures, in rising order of their positions; none with a part. */
  readonly anchors?: readonly LedgerAnchor[];
  /** That judge besides this one; 0 = none. */
  readonly threads?: number;
  /** Settled holds that each thread remembers. */
  readonly settledHolds?: number;
  readonly onProgress?: (share: number, events: number) => void;
}

/** Reproducible: the same lines and anchors give the same report, however many threads there were. */
export interface VerifyReport {
  readonly report: 'verify';
  readonly holds: boolean;
  readonly partial: boolean;
  /** Where the log was pinned, decimal; null = the lines of a file. */
  readonly position: string | null;
  readonly events: number;
  readonly streams: number;
  readonly accounts: number;
  /** Accounts whose books were not judged to their end: after a finding, or in a part that begins late. */
  readonly accounts_not_judged: number;
  /** Positions of the first and the last event, decimal; null = there were none. */
  readonly first_position: string | null;
  readonly last_position: string | null;
  /** RFC 9162 Merkle root over the heads of all streams. */
  readonly root: string;
  /** Digest of the positions of all events. */
  readonly order: string;
  readonly totals: Movement;
  readonly balance: number;
  readonly debt: number;
  readonly held: number;
  /** How many anchors were compared, and up to which position the newest speaks. */
  readonly anchors: number;
  readonly anchored_to: string | null;
  /** The first of them by line, at most 1,000. */
  readonly findings: readonly Finding[];
  readonly finding_count: number;
}

/** Nothing can be said about it; `message` says why and what to do. */
export class CannotVerifyError extends Error {
  override readonly name = 'CannotVerifyError';
}

/**
 * Judges a whole log by nothing but its lines: form, hash and id of every event, the chain and the revisions of every
 * stream, rising positions, the books of every account after every event (account rules §3 to §5), that commands and
 * holds happen once, and the sums over the ledger. With anchors: that the log up to each of them is what was signed.
 *
 * Memory: the books of all accounts, not their events. A second look at the lines follows only when something may have
 * been used twice, or when an event that goes back to a hold settled long before is not right.
 *
 * Throws `CannotVerifyError` when there are no events, and whatever `lines` throws except `DamagedFileError`.
 */
export async function verify(request: VerifyRequest): Promise<VerifyReport> {
  const folder = await mkdtemp(join(tmpdir(), 'points-audit-'));
  try {
    const first = await look(request, join(folder, 'first'), []);
    const seconds = first.judgements.map(({ second }) => second);
    const isDone = seconds.every(({ holds, repeated }) => holds.length + repeated.length === 0);
    if (isDone) return reportOf(request, first);
    return reportOf(request, await look(request, join(folder, 'second'), seconds));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Threads that make sense on this machine besides this one. */
export function usualThreads(): number {
  return Math.min(availableParallelism() - 1, MAX_THREADS);
}

const MAX_THREADS = 8;
/** What it costs to read an event and hand it out, in parts of what it costs to judge it: measured, about. */
const FILE_COST = 0.1;
const LOG_COST = 1;

interface Look {
  readonly judgements: readonly Judgement[];
  /** What this thread found by itself. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  readonly firstPosition: bigint | null;
  readonly lastPosition: bigint | null;
  readonly order: string;
}

async function look(
  request: VerifyRequest,
  folder: string,
  seconds: readonly SecondLook[],
): Promise<Look> {
  const { lines, threads = 0, isPartial = false, settledHolds, onProgress } = request;
  const options = {
    partial: isPartial,
    folder,
    seconds,
    ...(settledHolds === undefined ? {} : { settledHolds }),
  };
  const judges = createJudges(threads, request.isFile ? FILE_COST : LOG_COST, options);
  const reader = createReader(judges, request.anchors ?? []);
  try {
    try {
      for await (const block of lines()) {
        await reader.take(block);
        onProgress?.(block.share, block.firstLine + block.ends.length - 1);
      }
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
      reader.damaged(error);
    }
    return await reader.finish();
  } finally {
    await judges.close();
  }
}

/** What is seen of the lines in their order: positions, and what anchors say of them. The rest is for the judges. */
function createReader(judges: Judges, anchors: readonly LedgerAnchor[]) {
  const watch = createAnchorWatch(anchors);
  const digest = createOrderDigest();
  const findings: Finding[] = [];
  let findingCount = 0;
  let events = 0;
  let firstPosition: bigint | null = null;
  let lastPosition: bigint | null = null;
  let nextAnchor = watch.nextPosition();

  const find = (finding: Finding | null): void => {
    if (finding === null) return;
    findingCount += 1;
    if (findings.length < MAX_FINDINGS) findings.push(finding);
  };

  /** Compares the anchors that speak of events before `position`; null = of all that there are. */
  async function anchorsBefore(position: bigint | null): Promise<void> {
    while (nextAnchor !== null && (position === null || nextAnchor < position)) {
      find(watch.check({ events, heads: await judges.heads(), order: digest.digest() }));
      nextAnchor = watch.nextPosition();
    }
  }

  /** Waits only for an anchor, which is rare. */
  function takeLine(line: Buffer, number: number): LinePlace | null | Promise<LinePlace | null> {
    const place = placeOf(line) ?? placeByReading(line);
    if (place === null) return null;
    const position = BigInt(place.position);
    if (nextAnchor !== null && position > nextAnchor)
      return anchorsBefore(position).then(() => takePlace(place, position, number));
    return takePlace(place, position, number);
  }

  function takePlace(place: LinePlace, position: bigint, number: number): LinePlace {
    if (lastPosition !== null && position <= lastPosition)
      find(
        findingAt(
          { ...place, line: number },
          'positions_out_of_order',
          `has position ${position}, and the event before it ${lastPosition}`,
        ),
      );
    firstPosition ??= position;
    lastPosition = position;
    events += 1;
    digest.addText(place.text);
    return place;
  }

  return {
    async take(block: LineBlock): Promise<void> {
      const { bytes, ends, firstLine } = block;
      judges.begin(block);
      let start = 0;
      for (const [index, end] of ends.entries()) {
        const number = firstLine + index;
        const taken = takeLine(bytes.subarray(start, end), number);
        const place = taken instanceof Promise ? await taken : taken;
        judges.add(place?.stream ?? null, start, end, number);
        start = end + 1;
      }
      await judges.end();
    },
    damaged({ line, message }: DamagedFileError): void {
      find(findingOutside('unreadable_file', message, { line }));
    },
    async finish(): Promise<Look> {
      if (nextAnchor !== null && lastPosition !== null && nextAnchor <= lastPosition)
        await anchorsBefore(lastPosition + 1n);
      for (const finding of watch.rest()) find(finding);
      const judgements = await judges.finish();
      const order = digest.digest();
      return { judgements, findings, findingCount, firstPosition, lastPosition, order };
    },
  };
}

/** The place in a line that is an event, but not written as events are. */
function placeByReading(line: Buffer): LinePlace | null {
  const { event } = readSealedLine(line);
  if (event === null) return null;
  const { position, revision, stream, type } = event;
  return {
    position,
    revision,
    stream,
    type,
    text: JSON.stringify({ position, revision, stream, type }),
  };
}

function reportOf(
  { isFile, pin = null, isPartial = false, anchors = [] }: VerifyRequest,
  seen: Look,
): VerifyReport {
  const { judgements, firstPosition, lastPosition, order } = seen;
  const sum = (of: (judgement: Judgement) => number): number =>
    judgements.reduce((total, judgement) => total + of(judgement), 0);
  const events = sum((each) => each.events);
  const byJudges = sum((each) => each.findingCount);
  const found = [...seen.findings, ...judgements.flatMap((each) => each.findings)].sort(byPlace);
  if (events === 0)
    throw new CannotVerifyError(
      found[0] === undefined
        ? 'there are no events to verify'
        : `this is no export: ${found[0].message}`,
    );
  const heads = inOrder(judgements.flatMap((each) => each.heads));
  const totals = addedUp(judgements.map((each) => each.totals));
  const moved = addedUp(judgements.map((each) => each.moved));
  const balance = sum((each) => each.balance);
  const debt = sum((each) => each.debt);
  const held = sum((each) => each.held);
  const notJudged = sum((each) => each.notJudged);
  // What closed books had moved is in `moved` alone.
  const wrongTotals =
    notJudged === 0 ? whyTotalsDiffer(totals, moved, { balance, debt, held }) : [];
  const findings = [...found.slice(0, MAX_FINDINGS), ...wrongTotals].slice(0, MAX_FINDINGS);
  const findingCount = seen.findingCount + byJudges + wrongTotals.length;
  return {
    report: 'verify',
    holds: findingCount === 0,
    partial: isPartial,
    position: pin === null ? null : String(pin),
    events,
    streams: heads.length,
    accounts: sum((each) => each.accounts),
    accounts_not_judged: notJudged,
    first_position: firstPosition === null ? null : String(firstPosition),
    last_position: lastPosition === null ? null : String(lastPosition),
    root: rootOf(heads),
    order,
    totals,
    balance,
    debt,
    held,
    anchors: anchors.length,
    anchored_to: anchors.at(-1)?.position ?? null,
    findings: isFile ? findings : findings.map((finding) => ({ ...finding, line: null })),
    finding_count: findingCount,
  };
}

function addedUp(parts: readonly Movement[]): Movement {
  const sum = noMovement();
  for (const part of parts) for (const kind of MOVEMENT_KINDS) sum[kind] += part[kind];
  return sum;
}

/** Conservation over the whole ledger: what all events moved is what all accounts have. */
function whyTotalsDiffer(
  totals: Movement,
  moved: Movement,
  has: { balance: number; debt: number; held: number },
): Finding[] {
  const pairs: readonly [string, number, number][] = [
    ...MOVEMENT_KINDS.map((kind): [string, number, number] => [kind, totals[kind], moved[kind]]),
    ['balance', has.balance, balanceOf(moved)],
    ['debt', has.debt, debtOf(moved)],
    ['held', has.held, moved.held],
  ];
  return pairs
    .filter(([, one, other]) => one !== other || !Number.isSafeInteger(one))
    .map(([name, one, other]) =>
      findingOutside(
        'wrong_totals',
        `the accounts have ${one} ${name} together, their events come to ${other}`,
      ),
    );
}

/** By line, then kind; what concerns no line comes last. */
function byPlace(one: Finding, other: Finding): number {
  const [first, second] = [one, other].map(({ line }) => line ?? Number.MAX_SAFE_INTEGER);
  if (first !== second) return (first ?? 0) - (second ?? 0);
  return one.kind < other.kind ? -1 : Number(one.kind > other.kind);
}
