import { decodeStoredEvent, encodeMetadata } from '@points/contracts/stored-events';
import { accountSnapshotStream } from '@points/contracts/streams';
import { type Account, freshAccount } from '@points/domain/account/account';
import {
  ACCOUNT_FOLD_VERSION,
  type AccountSnapshot,
  decodeAccount,
  encodeAccount,
} from '@points/domain/account/account-snapshot';
import { evolve } from '@points/domain/account/evolve';
import type { RecordedAccountEvent } from '@points/domain/account/events';
import { mapSize } from '@points/domain/persistent-map';
import type { JsonObject } from '@points/event-store/event-log';
import type { EventDraft } from '@points/event-store/hash-chain';
import type { LaneFold } from '@points/event-store/lane-head';

/** How a lane makes an account's state from its stream. */
export const ACCOUNT_FOLD: LaneFold<Account> = {
  initial: freshAccount,
  fold(account, stored) {
    const decoded = decodeStoredEvent(stored);
    if (decoded.category !== 'account') throw new Error(`${stored.stream} is not an account`);
    return evolve(account, decoded);
  },
  weight: ({ memory, openHolds, sources, batches }) =>
    memory.next - memory.first + mapSize(openHolds) + mapSize(sources) + batches.length,
  snapshots: {
    stream: accountSnapshotStream,
    version: ACCOUNT_FOLD_VERSION,
    encode(account) {
      for (const rememberedIds of SNAPSHOT_REMEMBERED_IDS) {
        const json = toJson(encodeAccount(account, rememberedIds));
        if (Buffer.byteLength(JSON.stringify(json)) <= SNAPSHOT_MAX_BYTES) return json;
      }
      return null;
    },
    // Its version says that `encodeAccount` has made it.
    decode: (json) => decodeAccount(json as unknown as AccountSnapshot),
  },
};

/**
 * Newest ids that a snapshot holds: the most that fit. The others are looked up in the log when they are asked for. More
 * would make every snapshot of a busy account larger (360 bytes an id), and it has one every 500 events.
 */
const SNAPSHOT_REMEMBERED_IDS = [500, 100, 0];
/** Leaves room for what goes around it: 512 KiB in all. */
const SNAPSHOT_MAX_BYTES = 500 * 1_024;

/** Who caused an event and why, for its metadata. */
export interface Cause {
  /** The verb, such as `hold`. */
  readonly commandName: string;
  readonly actorType: 'client' | 'system';
  readonly actorId: string;
  readonly correlationId: string;
}

/** A decided event as it goes into the log. */
export function toDraft({ event, context }: RecordedAccountEvent, cause: Cause): EventDraft {
  const metadata = encodeMetadata({
    eventType: event.type,
    context,
    ...cause,
    causationId: context.command_id,
  });
  return { type: event.type, data: toJson(event.data), metadata };
}

/** Event data are plain JSON by their types; TypeScript only lacks the index signature. */
export function toJson(data: object): JsonObject {
  return data as JsonObject;
}
