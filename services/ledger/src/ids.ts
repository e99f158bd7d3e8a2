import { randomInt } from 'node:crypto';
import { v5, v7 } from 'uuid';

const RECORD_EPOCH_MS = Date.UTC(2024, 0, 1);
const RECORD_MS_MAX = 2 ** 41;
const RECORD_RANDOM_MAX = 2 ** 12;

/** A 53-bit record id: 41 bits of milliseconds since 2024-01-01, 12 random ones. The account makes it unique. */
export function mintRecordId(nowMs: number): number {
  return (
    ((nowMs - RECORD_EPOCH_MS) % RECORD_MS_MAX) * RECORD_RANDOM_MAX + randomInt(RECORD_RANDOM_MAX)
  );
}

/** A fresh command id, for what the ledger itself asks for. */
export function mintCommandId(nowMs: number): string {
  return v7({ msecs: nowMs });
}

/** Fixed for ever: another namespace would give a repeated consume another hold. */
const CONSUME_NAMESPACE = '3f0e7a52-90c1-5d7b-8a64-1c2b9f6d4e10';

/** The hold of a consume that named none: always the same for the same command. */
export function consumeHoldId(commandId: string): string {
  return v5(commandId, CONSUME_NAMESPACE);
}
