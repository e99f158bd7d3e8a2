import type { Random } from './random.ts';

/** What can go wrong, and how often per chance that it gets (an append, a message, a step). */
const RATES = {
  'append refused': 0.02,
  'append lands, acknowledgement lost': 0.03,
  'append lands, acknowledged late': 0.02,
  'append lost': 0.02,
  'append lands late': 0.02,
  'same ids, other content': 0.01,
  'read fails': 0.01,
  'live events cut': 0.002,
  'store frozen': 0.0005,
  'store down': 0.0005,
  'request lost': 0.03,
  'request delivered twice': 0.05,
  'request delayed': 0.03,
  'reply lost': 0.04,
  'queued message delivered twice': 0.1,
  'ledger killed': 0.002,
  'projector killed': 0.002,
  'transaction rolled back': 0.02,
  'transaction committed, answer lost': 0.02,
  'relay killed': 0.002,
  'publish cut': 0.03,
  'old facts expire': 0.0005,
  'ids of facts forgotten': 0.0005,
  'last facts lost': 0.0005,
  'read tables away': 0.05,
  'clock apart': 0.002,
  'snapshot gone': 0.1,
  'snapshot old': 0.1,
  'snapshot damaged': 0.1,
  'snapshot of another account': 0.1,
  'prices changed': 0.003,
  'time leaps': 0.001,
} as const;

export type Fault = keyof typeof RATES;

export interface Faults {
  /** Whether it happens now; counts it. */
  strikes(fault: Fault): boolean;
  /** From here on nothing goes wrong. */
  end(): void;
  readonly counts: ReadonlyMap<Fault, number>;
}

export function createFaults(random: Random): Faults {
  const counts = new Map<Fault, number>();
  let over = false;
  return {
    counts,
    strikes(fault) {
      if (over || !random.chance(RATES[fault])) return false;
      counts.set(fault, (counts.get(fault) ?? 0) + 1);
      return true;
    },
    end() {
      over = true;
    },
  };
}
