import { decodeFact, encodeFact } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import { FactStreamError } from '../fact-stream.ts';
import type { FactStream } from '../fact-stream.ts';

/**
 * The stream of facts in memory, for unit tests and simulations. Several relays may use the same one at the same time:
 * they take turns fact by fact, as over a wire. It has no timers. `fact-stream.contract.ts` holds it to what the real
 * one does.
 */
export interface InMemoryFactStream extends FactStream {
  /** What it holds, the oldest fact first. */
  facts(): readonly Fact[];
  /** How many facts were ever added. */
  sequence(): number;
  readonly faults: FactStreamFaults;
}

/** What happens to a publish that fails with FactStreamError; `kept` of its facts are added before. */
export type PublishFailure =
  /** The others never arrive: the connection was cut, or the relay was killed. `kept` of all: only the ack was lost. */
  | { readonly kind: 'cut'; readonly kept: number }
  /** The others arrive with `deliverLate`: they were under way when the connection was given up. */
  | { readonly kind: 'late'; readonly kept: number };

export interface FactStreamFaults {
  /** Used up by one publish, in the order of the calls. */
  readonly failNextPublish: (failure: PublishFailure) => void;
  readonly deliverLate: () => void;
  /** While down, everything fails with FactStreamError and nothing is added. */
  readonly setDown: (down: boolean) => void;
  /** Drops the oldest facts for their age; default all. */
  readonly expire: (count?: number) => void;
  /** A power failure takes the last facts, as if they had never been added. */
  readonly losePower: (count: number) => void;
  /** The ids of the facts are forgotten, so that one sent again is no longer recognised. */
  readonly forgetIds: () => void;
}

export function createInMemoryFactStream(): InMemoryFactStream {
  let held: { readonly sequence: number; readonly fact: Fact }[] = [];
  let lastSequence = 0;
  const ids = new Map<string, number>();
  const failures: PublishFailure[] = [];
  const late: (() => void)[] = [];
  let down = false;

  function refuseWhenDown(): void {
    if (down) throw new FactStreamError('the stream of facts is down');
  }

  /** One message, as a server takes it: by its id first, then by the sequence that it expects. */
  function receive(fact: Fact, expectedSequence: number): boolean {
    const known = ids.get(fact.id);
    if (known !== undefined) return known === expectedSequence + 1;
    if (expectedSequence !== lastSequence) return false;
    lastSequence += 1;
    ids.set(fact.id, lastSequence);
    // As over a wire: what is kept is what the bytes say.
    held.push({ sequence: lastSequence, fact: decodeFact(encodeFact(fact).body) });
    return true;
  }

  return {
    async last() {
      await Promise.resolve();
      refuseWhenDown();
      const newest = held.at(-1);
      return { sequence: lastSequence, fact: newest?.fact ?? null };
    },
    async publish(facts, expectedSequence) {
      const failure = failures.shift();
      const arriving = facts.slice(0, failure?.kept);
      let inPlace = true;
      for (const [index, fact] of arriving.entries()) {
        await Promise.resolve();
        refuseWhenDown();
        if (!receive(fact, expectedSequence + index)) inPlace = false;
      }
      await Promise.resolve();
      refuseWhenDown();
      if (failure === undefined) return inPlace ? 'published' : 'moved';
      if (failure.kind === 'late') {
        const rest = facts.slice(failure.kept);
        late.push(() =>
          rest.forEach((fact, index) => receive(fact, expectedSequence + failure.kept + index)),
        );
      }
      throw new FactStreamError(`fault: ${failure.kind} after ${failure.kept}`);
    },
    facts: () => held.map(({ fact }) => fact),
    sequence: () => lastSequence,
    faults: {
      failNextPublish: (failure) => void failures.push(failure),
      deliverLate() {
        for (const deliver of late.splice(0)) deliver();
      },
      setDown(value) {
        down = value;
      },
      expire: (count = held.length) => void held.splice(0, count),
      losePower(count) {
        for (const { fact } of held.splice(Math.max(0, held.length - count))) {
          ids.delete(fact.id);
          lastSequence -= 1;
        }
      },
      forgetIds: () => ids.clear(),
    },
  };
}
