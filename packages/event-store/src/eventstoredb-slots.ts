import { StoreUnavailableError } from './event-log.ts';

/**
 * Lets a bounded number of reads run at once; the others wait their turn, in order, and a bounded number of them.
 *
 * A server allows about a hundred calls on one connection; a call beyond that hangs without an error until another
 * ends, which a read's own timer would take for a dead server.
 */
export function createSlots(slotsMax: number, waitingMax: number): Slots {
  let taken = 0;
  const waiting: (() => void)[] = [];
  return {
    async take() {
      if (taken < slotsMax) {
        taken += 1;
        return;
      }
      if (waiting.length >= waitingMax) {
        throw new StoreUnavailableError(`${waiting.length} reads are waiting already`);
      }
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    },
    give() {
      const next = waiting.shift();
      if (next === undefined) taken -= 1;
      else next();
    },
  };
}

export interface Slots {
  /** Resolves when a slot is free, and takes it. Throws `StoreUnavailableError` when too many wait. */
  readonly take: () => Promise<void>;
  /** Gives a taken slot back. */
  readonly give: () => void;
}
