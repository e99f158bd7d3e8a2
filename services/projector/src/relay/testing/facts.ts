import { randomUUID } from 'node:crypto';
import type { Fact } from '@points/contracts/facts';

/** Makes facts of several accounts, each time the next ones. */
export function createFacts() {
  let made = 0;
  const next = (count: number): Fact[] =>
    Array.from({ length: count }, () => {
      made += 1;
      const account = `a${made % 7}`;
      return {
        stream: `account-${account}`,
        account_id: account,
        revision: made,
        position: String(made * 100),
        id: randomUUID(),
        type: made % 2 === 0 ? 'PointsHeld' : 'BatchExpired',
        data: { points: made, description: 'Zeile eins\nzwei – 三', metadata: {} },
        metadata: {
          schema: 'PointsHeld.v1',
          actor_id: 'ai-demo',
          $correlationId: `c${made}`,
          $causationId: `k${made}`,
        },
      };
    });
  return { next };
}
