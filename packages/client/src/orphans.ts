import type { ClientLog } from './log.ts';
import type { HoldBook } from './hold-book.ts';
import type { KnownHold } from './outbox.ts';
import type { Settlements } from './settlements.ts';
import { actualFields, type Use } from './use.ts';

/**
 * What becomes of a hold whose work was cut off: `leave` it to expire, `cancel` it now, or `confirm` what was used, for
 * a service that can see that the work was done.
 */
export type OrphanDecision = 'leave' | 'cancel' | 'confirm' | { readonly confirm: Use };

/** Asks about one after another. One about which no answer is to be had stays for the next process. */
export async function decideOrphans(
  orphans: readonly KnownHold[],
  deps: {
    book: HoldBook;
    settlements: Settlements;
    log: ClientLog;
    onOrphan: (hold: KnownHold) => OrphanDecision | Promise<OrphanDecision>;
  },
): Promise<void> {
  for (const hold of orphans) {
    try {
      await carryOut(await deps.onOrphan(hold), hold, deps);
    } catch (error) {
      deps.log.error({ hold, err: error }, 'no decision on the hold of an earlier process');
    }
  }
}

async function carryOut(
  decision: OrphanDecision,
  hold: KnownHold,
  { book, settlements, log }: { book: HoldBook; settlements: Settlements; log: ClientLog },
): Promise<void> {
  const how = { waitMs: 0, first: 'ask' } as const;
  if (decision === 'leave') {
    log.warn({ hold }, 'the hold of an earlier process is left to expire');
    book.forget(hold);
  } else if (decision === 'cancel') {
    log.info({ hold }, 'canceling the hold of an earlier process');
    await settlements.settle(hold, 'cancel', { reason: 'failed' }, how);
  } else {
    log.info({ hold }, 'confirming the hold of an earlier process');
    const actual = decision === 'confirm' ? {} : actualFields(decision.confirm);
    await settlements.settle(hold, 'confirm', actual, how);
  }
}
