import { describe, expect, it } from 'vitest';
import type { FirstAnswer } from './account/account.ts';
import { emptyMap, mapEntries } from './persistent-map.ts';
import { rememberCommand } from './remembered-commands.ts';
import { DAY_MS, formatTime } from './time.ts';

const START_MS = Date.parse('2026-01-01T00:00:00.000Z');

function idAt(timeMs: number): string {
  const hex = timeMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

function days(...commandsAt: readonly number[]): number[] {
  let commands = emptyMap<string, FirstAnswer>();
  for (const [revision, day] of commandsAt.entries()) {
    const atMs = START_MS + day * DAY_MS;
    const context = {
      command_id: idAt(atMs),
      request_hash: 'h',
      index: 0,
      occurred_at: formatTime(atMs),
    };
    commands = rememberCommand(commands, context, { requestHash: 'h', revision });
  }
  return mapEntries(commands).map(([, { revision }]) => revision);
}

describe('commands of streams that people write', () => {
  it('are remembered for 8 days of the stream, so longer than they may be repeated', () => {
    expect(days(0, 1, 7)).toEqual([0, 1, 2]);
    expect(days(0, 1, 8)).toEqual([0, 1, 2]);
    expect(days(0, 1, 8.5)).toEqual([1, 2]);
    expect(days(...Array.from({ length: 1_000 }, (_, day) => day))).toHaveLength(9);
  });

  it('are noted once, by their first event', () => {
    const context = { command_id: idAt(START_MS), request_hash: 'h', index: 1 };
    const commands = emptyMap<string, FirstAnswer>();
    const second = { ...context, occurred_at: formatTime(START_MS) };
    expect(rememberCommand(commands, second, { requestHash: 'h', revision: 1 })).toBe(commands);
  });
});
