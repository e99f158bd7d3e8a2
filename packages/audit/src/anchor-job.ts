import { type KeyObject, createPublicKey } from 'node:crypto';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import type { EventLog } from '@points/event-store/event-log';
import type { Clock } from '@points/runtime/clock';
import { appendAnchor } from './anchor-file.ts';
import { keyIdOf } from './anchor-keys.ts';
import { createAnchorStream } from './anchor-stream.ts';
import { createAnchorWatch } from './anchor-watch.ts';
import { type LedgerExtent, anchorOf, checkAnchorSignature, signAnchor } from './anchor.ts';
import { type Finding, findingOutside } from './finding.ts';
import { type LedgerFold, createLedgerFold } from './ledger-fold.ts';
import { eventsUpTo, pinPosition } from './pinned-log.ts';

export interface AnchorJobOptions {
  readonly log: EventLog;
  readonly privateKey: KeyObject;
  /** Gets a line for each anchor; `anchors` is what it holds when the job begins. */
  readonly file: string;
  readonly anchors: readonly LedgerAnchor[];
  /** Whether the anchors go into the log too. */
  readonly stream: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** See `AnchorStreamOptions`. */
  readonly retryPausesMs?: readonly number[];
  /** Share of the log that a round has read, from 0 to 1, and how many events that were. */
  readonly onProgress?: (share: number, events: number) => void;
}

export type AnchorOutcome =
  | { readonly outcome: 'anchored'; readonly anchor: LedgerAnchor; readonly pin: bigint | null }
  /** The ledger has no events behind its last anchor. */
  | { readonly outcome: 'nothing_new'; readonly position: bigint; readonly pin: bigint | null }
  | { readonly outcome: 'empty'; readonly pin: bigint | null }
  /** Nothing was signed, and nothing will be by this job. */
  | {
      readonly outcome: 'does_not_hold';
      readonly findings: readonly Finding[];
      readonly pin: bigint | null;
    };

export interface AnchorRound {
  readonly result: AnchorOutcome;
  /** Anchors of this key that the stream had and the file had not: a job ended between the two. They hold. */
  readonly recovered: readonly LedgerAnchor[];
  /**
   * Anchors that the file has and the stream has not, as the job began; null = none, or the stream is not used. They
   * were made for the file alone, or the stream's end was cut off: nothing that is left tells which, so it is no finding.
   * (Of what is left of the stream, `AnchorStream.read` judges the chain.)
   */
  readonly notInStream: NotInStream | null;
}

export interface NotInStream {
  readonly anchors: number;
  /** Decimal log positions. */
  readonly first_position: string;
  readonly last_position: string;
}

/**
 * Signs what the ledger is, time after time. The first round reads the log from its start and compares it with every
 * anchor of this key, in the file and in the stream; each later one goes on from there.
 *
 * A round writes to the stream first and then to the file, and when it fails in between, the next one, of this job or
 * of another, makes up for it. Rounds must not overlap. They throw what the store's reads and appends throw once it
 * stays away (then try again), `LogEndsEarlyError`, and `AnchorFileError`.
 */
export function createAnchorJob(options: AnchorJobOptions): { next(): Promise<AnchorRound> } {
  const { log, privateKey, file, signal, clock, onProgress } = options;
  const publicKey = createPublicKey(privateKey);
  const keyId = keyIdOf(publicKey);
  const stream = options.stream ? createAnchorStream(log, options) : null;
  const inFile = [...options.anchors];
  let fold: LedgerFold | null = null;
  let inStream: readonly LedgerAnchor[] = [];
  let notInStream: NotInStream | null = null;
  /** Signed, and not yet known to be where it belongs. */
  let unwritten: { readonly anchor: LedgerAnchor; streamed: boolean } | null = null;

  /** Outlives a round that the store has ended early: what was found once is never signed over. */
  const findings: Finding[] = [];

  /** Judges the earlier anchors by themselves. */
  async function begin(): Promise<LedgerFold> {
    const forgeries = inFile.flatMap((anchor) => forgery(anchor, publicKey, `of ${file}`));
    if (stream !== null) {
      const read = await stream.read();
      inStream = read.anchors.filter((anchor) => anchor.key_id === keyId);
      notInStream = missingIn(inStream, inFile);
      forgeries.push(
        ...read.findings,
        ...inStream.flatMap((anchor) => forgery(anchor, publicKey, 'in the stream')),
      );
    }
    findings.push(...forgeries);
    return createLedgerFold(createAnchorWatch(inOrderOfPosition([...inFile, ...inStream])));
  }

  async function readOn(ledger: LedgerFold, pin: bigint | null): Promise<void> {
    const afterPosition = ledger.position();
    if (afterPosition !== null && (pin === null || pin < afterPosition)) {
      findings.push(cutOff(pin, afterPosition));
    }
    if (findings.length > 0) return;
    let count = 0;
    for await (const event of eventsUpTo(log, { pin, afterPosition, signal })) {
      count += 1;
      if (count % PROGRESS_EVERY_EVENTS === 0) {
        onProgress?.(Number(event.position) / Number(pin ?? 1n), count);
      }
      findings.push(...ledger.take(event));
      if (findings.length >= FINDINGS_MAX) return;
    }
    findings.push(...ledger.end());
  }

  /** Adds to the file what only the stream has. */
  async function recover(): Promise<LedgerAnchor[]> {
    const recovered: LedgerAnchor[] = [];
    for (const anchor of inOrderOfPosition(inStream)) {
      if (!isBehind(anchor, inFile.at(-1))) continue;
      await appendAnchor(file, anchor);
      inFile.push(anchor);
      recovered.push(anchor);
    }
    inStream = [];
    return recovered;
  }

  /** Signs what was read, unless that was done before. */
  async function anchorNow(extent: LedgerExtent): Promise<LedgerAnchor | null> {
    if (unwritten === null) {
      const signedAt = new Date(clock.now()).toISOString();
      const anchor = signAnchor(anchorOf(extent), privateKey, signedAt);
      if (!isBehind(anchor, inFile.at(-1))) return null;
      unwritten = { anchor, streamed: stream === null };
    }
    const { anchor } = unwritten;
    if (!unwritten.streamed) await stream?.append(anchor);
    unwritten.streamed = true;
    await appendAnchor(file, anchor);
    inFile.push(anchor);
    unwritten = null;
    return anchor;
  }

  return {
    async next() {
      fold ??= await begin();
      const pin = await pinPosition(log, signal);
      if (unwritten === null) await readOn(fold, pin);
      if (findings.length > 0) {
        return { result: { outcome: 'does_not_hold', findings, pin }, recovered: [], notInStream };
      }
      const recovered = await recover();
      const extent = fold.extent();
      if (extent === null) return { result: { outcome: 'empty', pin }, recovered, notInStream };
      const anchor = await anchorNow(extent);
      const result: AnchorOutcome =
        anchor !== null
          ? { outcome: 'anchored', anchor, pin }
          : { outcome: 'nothing_new', position: extent.position, pin };
      return { result, recovered, notInStream };
    },
  };
}

/** One tampering may show in every event after it; so many say enough. */
const FINDINGS_MAX = 100;
const PROGRESS_EVERY_EVENTS = 1_000;

function inOrderOfPosition(anchors: readonly LedgerAnchor[]): LedgerAnchor[] {
  return anchors.toSorted((one, other) =>
    BigInt(one.position) < BigInt(other.position) ? -1 : Number(one.position !== other.position),
  );
}

function missingIn(
  inStream: readonly LedgerAnchor[],
  inFile: readonly LedgerAnchor[],
): NotInStream | null {
  const signatures = new Set(inStream.map(({ signature }) => signature));
  const missing = inFile.filter(({ signature }) => !signatures.has(signature));
  const [first, last] = [missing[0], missing.at(-1)];
  if (first === undefined || last === undefined) return null;
  return {
    anchors: missing.length,
    first_position: first.position,
    last_position: last.position,
  };
}

function isBehind(anchor: LedgerAnchor, last: LedgerAnchor | undefined): boolean {
  return last === undefined || BigInt(anchor.position) > BigInt(last.position);
}

function forgery(anchor: LedgerAnchor, publicKey: KeyObject, where: string): Finding[] {
  const problem = checkAnchorSignature(anchor, publicKey);
  if (problem === null) return [];
  const { position } = anchor;
  const message = `the anchor ${where} at position ${position} ${problem.message}`;
  return [findingOutside(problem.kind, message, { position })];
}

function cutOff(pin: bigint | null, position: bigint): Finding {
  const end = pin === null ? 'is empty' : `ends at position ${pin}`;
  return findingOutside(
    'missing_events',
    `the log ${end}, and was read up to ${position} before: its end was cut off, or an older copy restored`,
    { position: String(position) },
  );
}
