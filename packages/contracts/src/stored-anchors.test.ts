import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ANCHOR_EVENT_DATA, anchorAlone, decodeStoredAnchor } from './stored-anchors.ts';
import {
  decodeStoredEvent,
  type EncodedEvent,
  schemaName,
  UnreadableEventError,
} from './stored-events.ts';

const FIXTURES = new URL('../fixtures/', import.meta.url);

interface Fixture extends EncodedEvent {
  readonly data: Record<string, unknown>;
}

const golden = JSON.parse(
  readFileSync(new URL(`${schemaName('LedgerAnchored')}.json`, FIXTURES), 'utf8'),
) as Fixture;

describe('a stored anchor', () => {
  it('has one golden file for each version', () => {
    const names = readdirSync(FIXTURES).filter((name) => name.startsWith('LedgerAnchored.'));
    expect(names).toEqual(['LedgerAnchored.v1.json']);
  });

  it('shows every field, is read, and is written again as the same JSON', () => {
    const { shape } = ANCHOR_EVENT_DATA.LedgerAnchored;
    expect(Object.keys(golden.data).toSorted()).toEqual(Object.keys(shape).toSorted());
    expect(decodeStoredAnchor(golden)).toEqual(golden.data);
  });

  it('is no event of the ledger', () => {
    expect(() => decodeStoredEvent(golden)).toThrow(UnreadableEventError);
  });

  it.each(Object.keys(golden.data))('is unreadable without %s, which is named', (field) => {
    const { [field]: _, ...data } = golden.data;
    expect(() => decodeStoredAnchor({ ...golden, data })).toThrow(`(LedgerAnchored): ${field}: `);
    expect(anchorAlone.safeParse(data).success).toBe(false);
  });

  it.each<[string, Partial<Fixture>, string]>([
    ['another stream', { stream: 'account-a' }, 'not the stream of anchors'],
    ['another type', { type: 'LedgerSeen' }, 'no such event in auditAnchor streams'],
    ['a newer version', { metadata: { schema: 'LedgerAnchored.v2' } }, 'a newer version'],
    ['a number as position', { data: { ...golden.data, position: 1042 } }, 'position: '],
    ['no events', { data: { ...golden.data, events: 0 } }, 'events: '],
    ['a root in capitals', { data: { ...golden.data, root: 'AB'.repeat(32) } }, 'root: '],
    ['a short signature', { data: { ...golden.data, signature: 'ab' } }, 'signature: '],
  ])('refuses %s', (_, change, problem) => {
    expect(() => decodeStoredAnchor({ ...golden, ...change })).toThrow(UnreadableEventError);
    expect(() => decodeStoredAnchor({ ...golden, ...change })).toThrow(problem);
  });

  it('has in the log fields that came later, and alone not a field more', () => {
    const data = { ...golden.data, added_later: 1 };
    expect(decodeStoredAnchor({ ...golden, data })).toEqual(golden.data);
    expect(anchorAlone.safeParse(golden.data).success).toBe(true);
    expect(anchorAlone.safeParse(data).success).toBe(false);
  });
});
