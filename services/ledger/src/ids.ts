import { RECORD_EPOCH_MS, RECORD_IDS_PER_MS } from '@points/domain/time';
import type { Timers } from '@points/event-store/timers';
import { v5, v7 } from 'uuid';

/** Where chance comes from; a simulation draws from its seed. */
type Chance = Pick<Timers, 'random'>;

const RECORD_MS_MAX = 2 ** 41;
const UUID_BYTES = 16;

/** A 53-bit record id: 41 bits of milliseconds since 2024-01-01, 12 random ones. The account makes it unique. */
export function mintRecordId(nowMs: number, chance: Chance): number {
  return (
    ((nowMs - RECORD_EPOCH_MS) % RECORD_MS_MAX) * RECORD_IDS_PER_MS +
    draw(chance, RECORD_IDS_PER_MS)
  );
}

/** A fresh command id, for what the ledger itself asks for. */
export function mintCommandId(nowMs: number, chance: Chance): string {
  return v7({
    msecs: nowMs,
    random: Uint8Array.from({ length: UUID_BYTES }, () => draw(chance, 256)),
  });
}

function draw(chance: Chance, below: number): number {
  return Math.floor(chance.random() * below);
}

/** Fixed for ever: another namespace would give a repeated consume another hold. */
const CONSUME_NAMESPACE = '3f0e7a52-90c1-5d7b-8a64-1c2b9f6d4e10';

/** The hold of a consume that named none: always the same for the same command. */
export function consumeHoldId(commandId: string): string {
  return v5(commandId, CONSUME_NAMESPACE);
}

/** The hold that a late confirm places instead of the expired one `holdId`: always the same for the same hold. */
export function lateHoldId(holdId: string): string {
  return v5('late', holdId);
}
