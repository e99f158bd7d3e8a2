import type { RecordedEvent } from './events.ts';

export type EventFilter = (event: RecordedEvent) => boolean;

export const EVERY_EVENT: EventFilter = () => true;

/** A filter on names: a regular expression when given, else any of the prefixes. Throws on a malformed expression. */
export function createNameFilter(
  on: 'stream' | 'type',
  filter: { regex: string; prefixes: readonly string[] },
): EventFilter {
  const { regex, prefixes } = filter;
  if (regex === '') return (event) => prefixes.some((prefix) => event[on].startsWith(prefix));
  const expression = new RegExp(regex);
  return (event) => expression.test(event[on]);
}
