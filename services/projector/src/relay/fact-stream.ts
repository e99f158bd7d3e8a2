import type { Fact } from '@points/contracts/facts';

/**
 * The stream of facts as the relay uses it. Nobody but relays writes it, each of them the events of all accounts in log
 * order and from the first one on. So **fact number n of the stream is event number n of all accounts in the log**,
 * also after the oldest facts, or all of them, have been dropped for their age.
 *
 * Implementations: `jetstream-fact-stream.ts` and, for tests and simulations, `testing/in-memory-fact-stream.ts`. Both
 * pass `testing/fact-stream.contract.ts`.
 */
export interface FactStream {
  /** How the stream ends. Throws FactStreamError; NotAFactError when the last message is not a fact. */
  last(): Promise<StreamEnd>;

  /**
   * Adds the facts in order, the first one as number `expectedSequence + 1`, and resolves when all are kept.
   *
   * `moved`: the stream had other facts there. Throws FactStreamError when it is not known what was kept. In both cases
   * it was a first part of the facts, perhaps none of them, perhaps some only after this has returned: each fact is kept
   * only as the very number that it would have had. Adding a fact again as the same number is no addition.
   */
  publish(facts: readonly Fact[], expectedSequence: number): Promise<'published' | 'moved'>;
}

export interface StreamEnd {
  /** How many facts were ever added. */
  readonly sequence: number;
  /** The last one; null when the stream holds none (any more). */
  readonly fact: Fact | null;
}

/** The stream could not be asked, or did not acknowledge; trying again later can help. */
export class FactStreamError extends Error {
  override readonly name = 'FactStreamError';
}
