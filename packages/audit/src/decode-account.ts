import type { LedgerEvent } from '@points/contracts/stored-events';
import { UnreadableEventError } from '@points/contracts/stored-events';
import type { AuditEvent } from './audit-event.ts';
import { decodeEvent } from './books/decode.ts';
import type { Finding } from './finding.ts';

export type AccountLedgerEvent = Extract<LedgerEvent, { category: 'account' }>;

/** The log is not what the ledger wrote; no report is made of it. `finding` says where and why. */
export class BrokenHistoryError extends Error {
  override readonly name = 'BrokenHistoryError';
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

/** Reads an event of an account's stream. Throws BrokenHistoryError when it is none, or cannot be read. */
export function decodeAccountEvent(stored: AuditEvent): AccountLedgerEvent {
  try {
    const decoded = decodeEvent(stored);
    if (decoded.category === 'account') return decoded;
    throw new UnreadableEventError(stored, 'not an event of an account');
  } catch (error) {
    if (!(error instanceof UnreadableEventError)) throw error;
    const { stream, revision, position } = stored;
    throw new BrokenHistoryError({
      kind: 'unreadable_event',
      stream,
      revision,
      position: String(position),
      line: null,
      message: error.message,
    });
  }
}
