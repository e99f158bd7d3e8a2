import type { FirstAnswer } from './account/account.ts';
import type { EventContext } from './account/events.ts';
import { MEMORY_MS } from './account/memory.ts';
import { type PersistentMap, mapDelete, mapEntries, mapSet } from './persistent-map.ts';
import { parseTime, uuidV7Time } from './time.ts';

/**
 * Notes the command of an event of a stream that people write (models, price lists), and forgets those that are refused
 * as too old by now: what is remembered is bounded by what is done in 8 days.
 */
export function rememberCommand(
  commands: PersistentMap<string, FirstAnswer>,
  context: EventContext,
  answer: FirstAnswer,
): PersistentMap<string, FirstAnswer> {
  if (context.index !== 0) return commands;
  const oldestMs = parseTime(context.occurred_at) - MEMORY_MS;
  let kept = mapSet(commands, context.command_id, answer);
  for (const [id] of mapEntries(kept))
    if ((uuidV7Time(id) ?? oldestMs) < oldestMs) kept = mapDelete(kept, id);
  return kept;
}
