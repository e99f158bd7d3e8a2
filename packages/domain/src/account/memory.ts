import { type PersistentMap, emptyMap, mapDelete, mapGet, mapSet } from '../persistent-map.ts';
import { DAY_MS, uuidV7Time } from '../time.ts';
import type { Account } from './account.ts';

/** How long an id is remembered, in the account's own time. Ids older than 7 days are refused, so this has no hole. */
export const MEMORY_MS = 8 * DAY_MS;

/** The ids an account remembers, oldest first, and what it has forgotten. */
export interface Memory {
  /** Most ids; the oldest make room. */
  readonly max: number;
  /** Numbers of the oldest entry and of the next new one. */
  readonly first: number;
  readonly next: number;
  readonly entries: PersistentMap<number, MemoryEntry>;
  /** Latest time of an id that made room although it was young; an unknown id that is no younger may be one of them. */
  readonly forgottenBeforeMs: number;
  /** Revision that the latest forgotten entry stood at; −1 = nothing was ever forgotten. */
  readonly forgottenThrough: number;
  /** The same for sources and orders, which only a snapshot leaves out. */
  readonly sourcesForgottenThrough: number;
}

export interface MemoryEntry {
  /** `refund`: of a charge that was not remembered any more. */
  readonly kind: 'command' | 'hold' | 'refund';
  readonly id: string;
  readonly revision: number;
  /** Time of the event. */
  readonly atMs: number;
}

export function emptyMemory(max: number): Memory {
  return {
    max,
    first: 0,
    next: 0,
    entries: emptyMap(),
    forgottenBeforeMs: 0,
    forgottenThrough: -1,
    sourcesForgottenThrough: -1,
  };
}

/** Notes an id; the caller puts what it stands for into its map. */
export function remember(memory: Memory, entry: MemoryEntry): Memory {
  return {
    ...memory,
    next: memory.next + 1,
    entries: mapSet(memory.entries, memory.next, entry),
  };
}

/** Drops what is too old or too much. Part of `evolve`: a replay forgets the same. */
export function forget(account: Account): Account {
  let result = account;
  const tooOld = account.lastEventMs - MEMORY_MS;
  for (;;) {
    const { memory } = result;
    const oldest = mapGet(memory.entries, memory.first);
    if (oldest === undefined) return result;
    const tooMany = memory.next - memory.first > memory.max;
    if (!tooMany && oldest.atMs >= tooOld) return result;
    result = drop(result, oldest, oldest.atMs >= tooOld);
  }
}

/** Forgets the oldest entry; `young` when only the bound makes it go. */
function drop(account: Account, oldest: MemoryEntry, young: boolean): Account {
  const { memory } = account;
  const idMs = uuidV7Time(oldest.id) ?? 0;
  const after: Memory = {
    ...memory,
    first: memory.first + 1,
    entries: mapDelete(memory.entries, memory.first),
    forgottenBeforeMs: young ? Math.max(memory.forgottenBeforeMs, idMs) : memory.forgottenBeforeMs,
    forgottenThrough: Math.max(memory.forgottenThrough, oldest.revision),
  };
  switch (oldest.kind) {
    case 'command':
      return { ...account, memory: after, commands: mapDelete(account.commands, oldest.id) };
    case 'hold': {
      const hold = mapGet(account.settledHolds, oldest.id);
      const recordId = hold?.recordId ?? null;
      return {
        ...account,
        memory: after,
        settledHolds: mapDelete(account.settledHolds, oldest.id),
        recordIds: recordId === null ? account.recordIds : mapDelete(account.recordIds, recordId),
      };
    }
    case 'refund':
      return mapGet(account.refunds, oldest.id) === oldest.revision
        ? { ...account, memory: after, refunds: mapDelete(account.refunds, oldest.id) }
        : { ...account, memory: after };
    default:
      return oldest.kind satisfies never;
  }
}

/**
 * What the memory says with its newest `count` entries alone, the others forgotten young. They are still in `entries`:
 * nothing is taken out of the maps, which are shared with the state that decisions work on.
 */
export function keepNewest(memory: Memory, count: number): Memory {
  let { first, forgottenBeforeMs, forgottenThrough } = memory;
  for (; memory.next - first > count; first += 1) {
    const entry = mapGet(memory.entries, first);
    if (entry === undefined) throw new Error(`the account's memory has no entry ${first}`);
    forgottenBeforeMs = Math.max(forgottenBeforeMs, uuidV7Time(entry.id) ?? 0);
    forgottenThrough = Math.max(forgottenThrough, entry.revision);
  }
  return { ...memory, first, forgottenBeforeMs, forgottenThrough };
}

/** Whether an id that is not remembered, made at `idMs`, may be one that was. */
export function mayBeForgotten(memory: Memory, idMs: number | null): boolean {
  return idMs !== null && idMs <= memory.forgottenBeforeMs;
}
