import { canonicalJson } from '@points/event-store/canonical-json';
import type { JsonObject, StoredEvent } from '@points/event-store/event-log';
import { chainEvents, GENESIS_HASH } from '@points/event-store/hash-chain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawValue } from './raw-text.ts';
import { problemOfEvent, readRawLine, readSealedLine } from './seal.ts';

function sealed(data: JsonObject, extra: Record<string, string> = {}, revision = 0): StoredEvent {
  const metadata = { $correlationId: 'c', command: 'hold', occurred_at: '2026-01-01', schema: 's' };
  const draft = { type: 'T', data, metadata };
  const [event] = chainEvents('account-u1', revision, GENESIS_HASH, [draft]);
  if (event === undefined) throw new Error('no event');
  const stored = { ...event, stream: 'account-u1', revision, position: 7n, createdMs: 0 };
  return { ...stored, metadata: { ...event.metadata, ...extra } };
}
function lineOf(event: StoredEvent): string {
  const { createdMs: _, position, ...rest } = event;
  return canonicalJson({ ...rest, position: String(position) });
}
const DATA: JsonObject = {
  10: 'ten',
  9: 'nine',
  text: 'ä "quoted" \\ud800 \u{1F600} ,"position":" ,"metadata":{ "hash":"',
  metadata: { hash: 'x', id: 'y' },
  list: [{ b: 1, a: -1.5e30 }, null, true],
};
function kindOf(line: string | Buffer) {
  return readSealedLine(Buffer.from(line as string)).problem?.kind ?? null;
}

describe('the seal of a line', () => {
  it('holds for canonical lines, whatever they contain, and with what servers add', () => {
    expect(kindOf(lineOf(sealed(DATA)))).toBeNull();
    expect(kindOf(lineOf(sealed({ '': 0 }, { '$schema.name': 'x' })))).toBeNull();
    const json = fc.dictionary(
      fc.string({ unit: 'grapheme' }),
      fc.jsonValue(),
    ) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(json, (data) => {
        const line = Buffer.from(lineOf(sealed(data)));
        const { event, problem } = readSealedLine(line);
        expect(problem).toBeNull();
        expect(event).toEqual(JSON.parse(line.toString()));
        expect(readRawLine(line)).toEqual({ event: rawValue(event), problem: null });
      }),
      { numRuns: 200 },
    );
  });

  it('breaks at every changed byte that is not the position', () => {
    const line = lineOf(sealed(DATA));
    const bytes = Buffer.from(line);
    const position = Buffer.from('"position":"7"');
    const free = bytes.lastIndexOf(position) + position.length - 2;
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      // 7 ^ 1 is 6: a position is covered by anchors, not by the event's hash.
      expect([at, kindOf(changed) === null]).toEqual([at, at === free]);
    }
  });

  const good = sealed({ a: 1 });
  const goodLine = lineOf(good);
  it.each<[string, string, string]>([
    ['cut', goodLine.slice(0, -9), 'not_json'],
    ['no event', '[]', 'not_an_event'],
    ['a member too many', goodLine.replace('"stream"', '"salt":1,"stream"'), 'not_an_event'],
    ['redacted', goodLine.replace('{"a":1}', 'null'), 'not_an_event'],
    ['white space', goodLine.replace('{"a":1}', '{"a": 1}'), 'not_canonical'],
    ['a name twice', goodLine.replace('{"a":1}', '{"a":2,"a":1}'), 'not_canonical'],
    ['another number text', goodLine.replace('{"a":1}', '{"a":1.0}'), 'not_canonical'],
    [
      'an exponent that is as much shorter as white space makes it longer',
      lineOf(sealed({ a: 1000 })).replace('{"a":1000}', '{"a":1e3 }'),
      'not_canonical',
    ],
    [
      'an escape that is not needed beside such an exponent',
      lineOf(sealed({ a: [1000000000, 'x'] })).replace('[1000000000,"x"]', '[ 1e9,"\\u0078"]'),
      'not_canonical',
    ],
    [
      'names out of order',
      lineOf(sealed({ a: 1, b: 2 })).replace('{"a":1,"b":2}', '{"b":2,"a":1}'),
      'not_canonical',
    ],
    [
      'a revision with an exponent',
      lineOf(sealed({ a: 1 }, {}, 100)).replace('"revision":100', '"revision":1e2'),
      'not_canonical',
    ],
    ...[
      ['9007199254740992', '9007199254740993'],
      ['0.30000000000000004', '0.30000000000000003'],
      ['1e+23', '1E+23'],
    ].map(([right = '', other = '']): [string, string, string] => [
      `${other}, which reads as ${right}`,
      lineOf(sealed({ a: Number(right) })).replace(`{"a":${right}}`, `{"a":${other}}`),
      'not_canonical',
    ]),
    ['a stream of no Unicode', goodLine.replace('account-u1', 'account-\\ud800'), 'not_an_event'],
    [
      'names beyond ASCII out of order',
      lineOf(sealed({ 价格: 1, 名称: 2 })).replace(/"data":\{(.*?),(.*?)\}/, '"data":{$2,$1}'),
      'not_canonical',
    ],
    [
      'names in the order of their bytes and not of their UTF-16',
      lineOf(sealed({ '\u{1F600}': 1, '\uff5e': 2 })).replace(
        /"data":\{(.*?),(.*?)\}/,
        '"data":{$2,$1}',
      ),
      'not_canonical',
    ],
    ['minus nought', lineOf(sealed({ a: [0, 10] })).replace('[0,10]', '[-0,1]'), 'not_canonical'],
    ['numeric names in JS order', goodLine.replace('{"a":1}', '{"9":1,"10":1}'), 'not_canonical'],
    ['a lone surrogate', goodLine.replace('{"a":1}', '{"a":"\\ud800"}'), 'not_canonical'],
    [
      'nesting that a small stack could not take',
      goodLine.replace('{"a":1}', `{"a":${'['.repeat(300)}${']'.repeat(300)}}`),
      'not_canonical',
    ],
    [
      'endless nesting',
      goodLine.replace('{"a":1}', `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`),
      'not_canonical',
    ],
    ['data changed', goodLine.replace('{"a":1}', '{"a":2}'), 'wrong_hash'],
    [
      'data changed beside what servers add',
      lineOf({ ...sealed({ a: 1 }, { '$schema.x': '' }), data: { a: 2 } }),
      'wrong_hash',
    ],
    ['another id', lineOf({ ...good, id: sealed({ a: 2 }).id }), 'wrong_event_id'],
    ['no hash', lineOf({ ...good, metadata: { schema: 's' } }), 'not_an_event'],
  ])('%s', (_, line, kind) => {
    expect(kindOf(line)).toBe(kind);
  });

  it('reads an escape as what it stands for, though it should not be one', () => {
    const escaped = Buffer.from(goodLine.replace('account-u1', 'account-\\u00e4'));
    expect(readSealedLine(escaped).event?.stream).toBe('account-ä');
    expect(readRawLine(escaped).event?.stream).toBe(rawValue('account-ä'));
  });

  it('says what is wrong', () => {
    const spaced = Buffer.from(goodLine.replace('{"a":1}', '{"a": 1}'));
    expect(readSealedLine(spaced).problem?.message).toContain('at character 14 it has " 1}');
    const named = Buffer.from(goodLine.replace('"stream"', '"盐":1,"stream"'));
    for (const read of [readSealedLine, readRawLine])
      expect(read(named).problem?.message).toContain('has a member "盐"');
  });
});

describe('the seal of an event from a store', () => {
  it('holds, and names what does not', () => {
    const event = sealed(DATA, { '$schema.name': 'x' });
    expect(problemOfEvent(event)).toBeNull();
    expect(problemOfEvent({ ...event, data: {} })?.kind).toBe('wrong_hash');
    expect(problemOfEvent({ ...event, id: '' })?.kind).toBe('wrong_event_id');
    expect(problemOfEvent({ ...event, metadata: {} })?.kind).toBe('not_an_event');
    expect(problemOfEvent({ ...event, data: { a: Number.NaN } })?.kind).toBe('not_canonical');
  });
});
