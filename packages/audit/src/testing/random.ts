/** Numbers that look random and follow from a seed alone. */
export interface Random {
  /** 0 ≤ number < 1. */
  next(): number;
  /** An integer, both ends included. */
  between(min: number, max: number): number;
  chance(probability: number): boolean;
  /** Throws when `items` is empty. */
  pick<Item>(items: readonly Item[]): Item;
  /** Lower-case hex digits. */
  hex(digits: number): string;
  /** UUIDv7 (RFC 9562 §5.7) of that time. */
  uuidV7(timeMs: number): string;
}

/** sfc32, Chris Doty-Humphrey's small fast counting generator. */
export function seededRandom(seed: number): Random {
  let [a, b, c, count] = [0x9e3779b9, 0x243f6a88, seed | 0, 1];
  const word = (): number => {
    const result = (a + b + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let warmUp = 0; warmUp < 15; warmUp += 1) word();

  const random: Random = {
    next: () => word() / WORDS,
    between: (min, max) => min + Math.floor(random.next() * (max - min + 1)),
    chance: (probability) => random.next() < probability,
    pick(items) {
      const item = items[Math.floor(random.next() * items.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    hex(digits) {
      let text = '';
      while (text.length < digits) text += word().toString(16).padStart(8, '0');
      return text.slice(0, digits);
    },
    uuidV7(timeMs) {
      const time = timeMs.toString(16).padStart(12, '0');
      const rest = random.hex(18);
      const variant = random.pick(['8', '9', 'a', 'b']);
      return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(3, 6)}-${rest.slice(6)}`;
    },
  };
  return random;
}

const WORDS = 2 ** 32;
