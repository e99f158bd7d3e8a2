/** Numbers that follow from a seed. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  chance(probability: number): boolean;
  /** From `min` to `max`, both possible. */
  integer(min: number, max: number): number;
  pick<Value>(values: readonly Value[]): Value;
  /** One of the keys, as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key;
  /** UUIDv7 of that time. */
  uuid(timeMs: number): string;
}

/** mulberry32: small, fast, and good enough to shuffle with. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function integer(min: number, max: number): number {
    return min + Math.floor(next() * (max - min + 1));
  }

  function hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += integer(0, 15).toString(16);
    return text;
  }

  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick(values) {
      const value = values[integer(0, values.length - 1)];
      if (value === undefined) throw new RangeError('nothing to pick from');
      return value;
    },
    weighted(weights) {
      const entries = Object.entries<number>(weights);
      let rest = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      const chosen = entries.find(([, weight]) => (rest -= weight) < 0) ?? entries.at(-1);
      // The keys of `weights` are all there is to choose from.
      return chosen?.[0] as keyof typeof weights;
    },
    uuid(timeMs) {
      const time = timeMs.toString(16).padStart(12, '0');
      return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-8${hex(3)}-${hex(12)}`;
    },
  };
}
