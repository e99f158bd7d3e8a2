import type { Request } from '@points/contracts/ledger-requests';
import { type Answer, toAnswer } from './answer.ts';
import { LedgerUnavailable } from './errors.ts';
import type { ClientLog } from './log.ts';
import type { Requests } from './requests.ts';
import { WAITING } from './retry-policy.ts';
import type { Settlements } from './settlements.ts';

/**
 * Asks for a hold. When nobody can say whether there is one, a cancel for it is sent on its way before this throws: it
 * releases a hold that was placed, and forbids one that is still to arrive. Throws LedgerRefused and LedgerUnavailable;
 * either way there must be no work.
 */
export async function placeHold(
  request: Request<'cmd.hold'>,
  deps: { requests: Requests; settlements: Settlements; log: ClientLog },
): Promise<Answer<'cmd.hold'>> {
  try {
    return toAnswer(await deps.requests.ask('cmd.hold', request, WAITING));
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
    const { account_id: accountId, hold_id: holdId } = request;
    const canceling = error.applied === 'unknown' && (await cancel(accountId, holdId, deps));
    throw new LedgerUnavailable(
      error.reason,
      `no hold, so no work may be done: ${error.message}${canceling ? `; hold ${holdId} is being canceled` : ''}`,
      {
        applied: error.applied,
        commandId: error.commandId,
        retryAfterMs: error.retryAfterMs,
        cause: error,
      },
    );
  }
}

async function cancel(
  accountId: string,
  holdId: string,
  { settlements, log }: { settlements: Settlements; log: ClientLog },
): Promise<boolean> {
  try {
    // Nobody answered a moment ago, and nobody waits for this.
    const how = { waitMs: 0, first: 'queue' } as const;
    await settlements.settle({ accountId, holdId }, 'cancel', { reason: 'failed' }, how);
    return true;
  } catch (error) {
    log.error(
      { accountId, holdId, err: error },
      'a hold that may exist could not be canceled; it will expire',
    );
    return false;
  }
}
