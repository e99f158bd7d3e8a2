import type { Result } from '@points/contracts/ledger-replies';
import { accountStream } from '@points/contracts/streams';
import type { Account } from '@points/domain/account/account';
import { summarize } from '@points/domain/account/batches';
import type { StatePlace } from '@points/event-store/lanes';
import type { LedgerDeps } from './ledger-deps.ts';
import type { Outcome } from './reply.ts';

/** An account as the log has it, and where that stands. */
export interface Durable {
  readonly account: Account;
  readonly at: StatePlace;
}

/** What queries answer from: never what is decided but not yet durable. Rejects with `LaneError`. */
export function durableState(accountId: string, deps: LedgerDeps): Promise<Durable> {
  return deps.lanes.submit(accountStream(accountId), '', (account) => ({
    kind: 'answer',
    needsTail: true,
    answer: (at) => ({ account, at }),
  }));
}

/** An account's time never runs backwards, whatever our clock says. */
export function timeOf(account: Account, deps: LedgerDeps): number {
  return Math.max(deps.clock.now(), account.lastEventMs);
}

export function answer({ account, at }: Durable, deps: LedgerDeps, result: Result): Outcome {
  const { balance, held, available } = summarize(account, timeOf(account, deps));
  const numbers = { balance, held, available, revision: at.revision };
  return { ok: true, result, atMs: deps.clock.now(), account: numbers, position: at.position };
}
