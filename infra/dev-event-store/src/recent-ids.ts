import type { RecordedEvent } from './events.ts';

/**
 * Which ids were written lately, and where. The real server keeps as many as fit into 8 MiB, and forgets them when it
 * stops; it is all that makes `any` and `stream_exists` idempotent.
 */
export function createRecentIds(): RecentIds {
  // Two generations instead of one map that drops its oldest entry each time: that takes a map ever longer to find.
  let younger = new Map<string, RecordedEvent>();
  let older = new Map<string, RecordedEvent>();
  return {
    add: (event) => {
      if (younger.size >= GENERATION_IDS) {
        older = younger;
        younger = new Map();
      }
      younger.set(event.id, event);
    },
    revisionOf: (id, stream) => {
      const event = younger.get(id) ?? older.get(id);
      return event?.stream === stream ? event.revision : null;
    },
    clear: () => {
      younger = new Map();
      older = new Map();
    },
  };
}

/** Two of these are about what 8 MiB hold, with stream names like ours. */
const GENERATION_IDS = 50_000;

export interface RecentIds {
  add(event: RecordedEvent): void;
  /** Revision under which this stream got that id; null when it is not remembered. */
  revisionOf(id: string, stream: string): number | null;
  clear(): void;
}
