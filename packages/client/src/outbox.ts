import { failure } from '@points/contracts/ledger-replies';
import { z } from 'zod';

/**
 * What a client must not forget when its process ends: one row per hold that it placed for a piece of work, or that it
 * was told to settle. A row goes through these stages, never back:
 *
 *   requested ──the ledger granted it──► held ──the work ended──► settling ──answered──► (removed)
 *       │                                 │                          │
 *       ├─refused, or never sent──►(removed)                         └─refused──► refused ──dismissed──► (removed)
 *       └─outcome unknown, or found by the next process──► settling (cancel)
 *                                         └─found by the next process──► onOrphan ──► settling or (removed)
 *
 * A refused one may be settled again, in another way.
 */
export interface Outbox {
  /** Every row that is there. Called once, before anything else. */
  load(): Promise<OutboxRow[]>;
  /**
   * Writes the row over the one with its key. A file must have it in the system's hands before this returns and on disk
   * before it resolves. Rejects when that cannot be promised.
   */
  put(row: OutboxRow): Promise<void>;
  /** May be lost in a crash: what is settled again has been settled already. */
  remove(key: string): Promise<void>;
  /** Gives the outbox free for another process. */
  close(): Promise<void>;
}

/** A hold as the outbox knows it: enough for the service to recognise its work. Times are ISO-8601 UTC. */
export const knownHold = z.object({
  accountId: z.string(),
  holdId: z.string().exactOptional(),
  recordId: z.int().exactOptional(),
  taskNo: z.string().exactOptional(),
  amount: z.int().exactOptional().describe('Points reserved, or asked for'),
  expiresAt: z.string().exactOptional(),
  sourceType: z.string().exactOptional(),
  model: z.string().exactOptional(),
  platform: z.string().exactOptional(),
  modelType: z.string().exactOptional(),
  quantity: z.int().exactOptional(),
  estimatedDuration: z.number().exactOptional(),
  bizType: z.string().exactOptional(),
  bizId: z.string().exactOptional(),
  description: z.string().exactOptional(),
  metadata: z.record(z.string(), z.string()).exactOptional(),
});

const intent = z.object({
  verb: z.enum(['confirm', 'cancel']),
  command: z.looseObject({ command_id: z.string() }).describe('The request as it is sent'),
});

const row = {
  key: z.string().describe('One per hold'),
  since: z.string().describe('When the row came to this stage, ISO-8601 UTC'),
  hold: knownHold,
};

export const outboxRow = z.discriminatedUnion('stage', [
  z.object({ ...row, stage: z.literal('requested') }),
  z.object({ ...row, stage: z.literal('held') }),
  z.object({ ...row, stage: z.literal('settling'), intent }),
  z.object({ ...row, stage: z.literal('refused'), intent, refusal: failure.shape.error }),
]);

export type KnownHold = z.output<typeof knownHold>;
export type Intent = z.output<typeof intent>;
export type OutboxRow = z.output<typeof outboxRow>;
/** A confirm or cancel that the ledger refused for good. */
export type SettlementProblem = Extract<OutboxRow, { stage: 'refused' }>;
