import type { RecordedAccountEvent } from '@points/domain/account/events';
import { formatTime } from '@points/domain/time';
import { withData } from './lives.ts';

/** For tests: one event left out, doubled, swapped with the next, or with one value of its data or context changed. */
export function changeOne(
  events: readonly RecordedAccountEvent[],
  where: number,
  what: number,
  how: number,
): RecordedAccountEvent[] {
  const changed = [...events];
  const place = where % events.length;
  const event = changed[place];
  const other = events[how % events.length];
  if (event === undefined || other === undefined) return changed;
  if (what % 16 === 0) changed.splice(place, 1);
  else if (what % 16 === 1) changed.splice(place, 0, event);
  else if (what % 16 === 2)
    changed.splice(place, 2, ...events.slice(place, place + 2).toReversed());
  else if (what % 16 === 3)
    changed[place] = { ...event, context: changeContext(event, other, how) };
  else {
    const data = structuredClone(event.event.data);
    changeLeaf(data, other.event.data, what, how);
    changed[place] = withData(event, data);
  }
  return changed;
}

function changeContext(
  { context }: RecordedAccountEvent,
  other: RecordedAccountEvent,
  how: number,
) {
  const changes = [
    { index: context.index + 1 },
    { index: 0 },
    { command_id: other.context.command_id },
    { occurred_at: other.context.occurred_at },
    { occurred_at: formatTime(Date.parse(context.occurred_at) - 1) },
    { request_hash: 'other' },
  ];
  return { ...context, ...changes[how % changes.length] };
}

/** Changes one value, wherever in the data it is, to another of its kind: of the same event, or of another one. */
function changeLeaf(data: object, other: object, what: number, how: number): void {
  const leaves = leavesOf(data);
  const leaf = leaves[what % leaves.length];
  if (leaf === undefined) return;
  const { holder, key } = leaf;
  const value: unknown = holder[key];
  const others = [...leavesOf(other), ...leaves]
    .map((each): unknown => each.holder[each.key])
    .filter((each) => typeof each === typeof value && each !== value && !Array.isArray(each));
  if (Array.isArray(value)) {
    if (how % 3 === 0) value.reverse();
    else if (how % 3 === 1) value.pop();
    else if (value.length > 0) value.push(structuredClone(value[0]));
  } else if (typeof value === 'number')
    holder[key] =
      how % 4 < 2
        ? value + 1
        : how % 4 === 2
          ? value - 1
          : (others[how % others.length] ?? 0 - value);
  else if (typeof value === 'boolean') holder[key] = !value;
  else if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value))
    holder[key] = formatTime(Math.max(0, Date.parse(value) + (how % 2 === 0 ? 1 : -1)));
  else holder[key] = others[how % Math.max(1, others.length)] ?? 'other';
}

function leavesOf(data: object): { holder: Record<string, unknown>; key: string }[] {
  const holder = data as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => {
    const value = holder[key];
    const inner = typeof value === 'object' && value !== null ? leavesOf(value) : [];
    return value === null || (typeof value === 'object' && !Array.isArray(value))
      ? inner
      : [...inner, { holder, key }];
  });
}
