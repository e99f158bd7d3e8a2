import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TOMBSTONE_REVISION } from './events.ts';
import type { ExpectedRevision, ProposedEvent, RecordedEvent } from './events.ts';
import { createLogStore } from './log-store.ts';
import type { LogStore, WriteResult } from './log-store.ts';

const NOW_MS = 1_763_600_000_000;
const STREAM = 'account-1';

describe('append', () => {
  /** Ids are letters; `stored` is what the stream holds already. */
  it.each<[name: string, stored: string, ids: string, expected: ExpectedRevision, outcome: string]>(
    [
      ['new stream', '', 'a', 'no_stream', 'written at 0'],
      ['new stream', '', 'ab', 'any', 'written at 1'],
      ['new stream', '', 'a', 'stream_exists', 'wrong, at -1'],
      ['new stream', '', 'a', 0, 'wrong, at -1'],
      ['at the end', 'ab', 'c', 1, 'written at 2'],
      ['at the end', 'ab', 'cd', 'any', 'written at 3'],
      ['at the end', 'ab', 'c', 'stream_exists', 'written at 2'],
      ['beyond the end', 'ab', 'c', 2, 'wrong, at 1'],
      ['before the end, new id', 'ab', 'c', 0, 'wrong, at 1'],
      ['before the end, new id', 'ab', 'c', 'no_stream', 'wrong, at 1'],
      ['the same again', 'ab', 'ab', 'no_stream', 'already at 1'],
      ['the same again, later part', 'abc', 'bc', 0, 'already at 2'],
      ['the same again, strict prefix', 'abc', 'ab', 'no_stream', 'already at 1'],
      ['the same again, any', 'abc', 'ab', 'any', 'already at 1'],
      ['the same again, stream_exists', 'abc', 'c', 'stream_exists', 'already at 2'],
      ['same ids in another order', 'ab', 'ba', 'no_stream', 'wrong, at 1'],
      ['known, then new', 'ab', 'ac', 'no_stream', 'wrong, at 1'],
      ['known, then new, any', 'ab', 'ac', 'any', 'wrong, at 1'],
      ['known, and past the end', 'ab', 'abc', 'no_stream', 'wrong, at 1'],
      ['new, then known, any', 'ab', 'ca', 'any', 'written at 3'],
      ['stored apart', 'axb', 'ab', 'no_stream', 'wrong, at 2'],
      ['same id, next revision', 'a', 'a', 0, 'written at 1'],
      ['same id twice', '', 'aa', 'no_stream', 'written at 1'],
      ['no events at the end', 'ab', '', 1, 'written at 1'],
      ['no events, new stream', '', '', 'no_stream', 'written at -1'],
      ['no events, any', 'ab', '', 'any', 'written at 1'],
      ['no events before the end', 'ab', '', 0, 'wrong, at 1'],
    ],
  )('%s: %j + %j at %s: %s', (_name, stored, ids, expected, outcome) => {
    const log = newLog();
    if (stored !== '') for (const id of stored) put(log, id, 'any');
    const before = log.length;
    const result = put(log, ids, expected);
    expect(inWords(result)).toBe(outcome);
    if (result.outcome !== 'written') expect(log.length).toBe(before);
  });

  it('the same again while the first is not yet durable: not ready', () => {
    const log = newLog();
    const first = log.append(request('ab', 'no_stream'));
    expect(inWords(log.append(request('ab', 'no_stream')))).toBe('not_ready');
    expect(inWords(log.append(request('a', 'any')))).toBe('not_ready');
    publish(log, first);
    expect(inWords(log.append(request('ab', 'no_stream')))).toBe('already at 1');
  });

  it('same ids with other data: the first stay', () => {
    const log = newLog();
    put(log, 'a', 'no_stream');
    const other = { ...proposed('a'), payload: Buffer.from('{"n":2}') };
    log.append({ stream: STREAM, expected: 'no_stream', events: [other], nowMs: NOW_MS });
    expect(String(log.published.event(STREAM, 0)?.payload)).toBe('{"id":"a"}');
  });

  it('same id in another stream at any: written', () => {
    const log = newLog();
    put(log, 'a', 'any');
    expect(inWords(put(log, 'a', 'any', 'account-2'))).toBe('written at 0');
  });

  it('recent ids forgotten: any writes again, an exact revision does not', () => {
    const log = newLog();
    put(log, 'a', 'any');
    log.forgetRecentIds();
    expect(inWords(put(log, 'a', 'no_stream'))).toBe('already at 0');
    expect(inWords(put(log, 'a', 'any'))).toBe('written at 1');
  });

  it('positions rise with every event of every stream, with gaps', () => {
    const log = newLog();
    put(log, 'ab', 'any');
    put(log, 'c', 'any', 'account-2');
    put(log, 'd', 'any');
    const positions = Array.from(
      { length: log.length },
      (_, index) => log.eventAt(index)?.position ?? 0,
    );
    expect(positions).toHaveLength(4);
    for (const [index, position] of positions.entries()) {
      expect(position).toBeGreaterThan((positions[index - 1] ?? 0) + 1);
    }
  });

  it('readers see events only once they are published; later writes count them at once', () => {
    const log = newLog();
    const first = log.append(request('a', 'no_stream'));
    expect([log.length, log.published.lastRevision(STREAM)]).toEqual([0, -1]);
    const second = log.append(request('b', 0));
    publish(log, first);
    expect([log.length, log.published.lastRevision(STREAM)]).toEqual([1, 0]);
    publish(log, second);
    expect([log.length, log.published.lastRevision(STREAM)]).toEqual([2, 1]);
  });
});

describe('metadata', () => {
  it.each<[json: string, isJson: boolean, firstVisible: number]>([
    ['{"$maxCount":2}', true, 3],
    ['{"$tb":4}', true, 4],
    ['{"$tb":1,"$maxCount":3}', true, 2],
    ['{"$maxCount":0}', true, 0],
    ['{"$maxCount":"2"}', true, 0],
    ['{"$maxCount":2.5,"$tb":3}', true, 0],
    ['not json', true, 0],
    ['{"$maxCount":2}', false, 0],
  ])('%s, JSON %s: of five events the first visible is %i', (json, isJson, firstVisible) => {
    const log = newLog();
    put(log, 'abcde', 'any');
    putMetadata(log, json, isJson);
    expect(log.published.firstVisibleRevision(STREAM)).toBe(firstVisible);
  });

  it('the same again after it was hidden: known, without a position', () => {
    const log = newLog();
    put(log, 'ab', 'any');
    putMetadata(log, '{"$tb":1}');
    expect(log.append(request('a', 'no_stream'))).toEqual({
      outcome: 'already_written',
      revision: 0,
      position: null,
    });
  });

  it('the same again after it grew too old: known, without a position', () => {
    const log = newLog();
    put(log, 'a', 'any');
    putMetadata(log, '{"$maxAge":10}');
    const later = { ...request('a', 'no_stream'), nowMs: NOW_MS + 10_001 };
    expect(log.append(later)).toMatchObject({ outcome: 'already_written', position: null });
  });

  it('metadata streams show their last event only', () => {
    const log = newLog();
    putMetadata(log, '{"$maxCount":2}');
    putMetadata(log, '{"$maxCount":3}');
    expect(log.published.firstVisibleRevision(`$$${STREAM}`)).toBe(1);
  });

  it('stream_exists on a stream with metadata only: written', () => {
    const log = newLog();
    putMetadata(log, '{"$maxCount":2}');
    expect(inWords(put(log, 'a', 'stream_exists'))).toBe('written at 0');
  });
});

describe('soft delete', () => {
  it.each<[stored: string, expected: ExpectedRevision, outcome: string]>([
    ['', 'any', 'wrong, at -1'],
    ['ab', 'any', 'written at 0'],
    ['ab', 1, 'written at 0'],
    ['ab', 0, 'wrong, at 1'],
    ['ab', 'no_stream', 'wrong, at 1'],
  ])('of %j at %s: %s', (stored, expected, outcome) => {
    const log = newLog();
    if (stored !== '') put(log, stored, 'any');
    expect(inWords(publish(log, log.softDelete({ stream: STREAM, expected, nowMs: NOW_MS })))).toBe(
      outcome,
    );
  });

  it.each<[ids: string, expected: ExpectedRevision, outcome: string]>([
    ['c', 'no_stream', 'written at 2'],
    ['c', 'any', 'written at 2'],
    ['c', 1, 'written at 2'],
    ['c', 'stream_exists', 'wrong, at 1'],
    ['a', 'no_stream', 'already at 0'],
  ])('then %j at %s: %s', (ids, expected, outcome) => {
    const log = newLog();
    put(log, 'ab', 'any');
    publish(log, log.softDelete({ stream: STREAM, expected: 'any', nowMs: NOW_MS }));
    expect(log.published.metadata(STREAM).softDeleted).toBe(true);
    expect(inWords(put(log, ids, expected))).toBe(outcome);
  });

  it('written again: visible from there, other metadata fields of the deletion kept', () => {
    const log = newLog();
    put(log, 'ab', 'any');
    putMetadata(log, '{"$tb":9223372036854775807,"color":"red"}');
    put(log, 'c', 'no_stream');
    expect(log.published.metadata(STREAM).softDeleted).toBe(false);
    expect(log.published.firstVisibleRevision(STREAM)).toBe(2);
    const { payload } = log.published.metadataEvent(STREAM) ?? { payload: '' };
    expect(JSON.parse(String(payload))).toEqual({ $tb: 2, color: 'red' });
  });

  it('new metadata on a deleted stream: it is back, with its past hidden', () => {
    const log = newLog();
    put(log, 'ab', 'any');
    publish(log, log.softDelete({ stream: STREAM, expected: 'any', nowMs: NOW_MS }));
    putMetadata(log, '{"$maxCount":5}');
    expect(log.published.metadata(STREAM)).toMatchObject({
      softDeleted: false,
      truncateBefore: 2,
      maxCount: 5,
    });
  });
});

describe('tombstone', () => {
  it('the stream and its metadata are gone for good; the log shows how it ended', () => {
    const log = newLog();
    put(log, 'ab', 'any');
    publish(log, log.tombstone({ stream: STREAM, expected: 1, nowMs: NOW_MS }));
    for (const expected of ['any', 'no_stream', 'stream_exists', 1] as const) {
      expect(inWords(put(log, 'c', expected))).toBe('stream_deleted');
      expect(inWords(put(log, 'c', expected, `$$${STREAM}`))).toBe('stream_deleted');
    }
    expect(log.eventAt(2)).toMatchObject({
      stream: STREAM,
      type: '$streamDeleted',
      revision: TOMBSTONE_REVISION,
    });
    expect(log.published.isTombstoned(STREAM)).toBe(true);
  });

  it('of a stream that never was: takes its name away too', () => {
    const log = newLog();
    expect(
      publish(log, log.tombstone({ stream: STREAM, expected: 'any', nowMs: NOW_MS })).outcome,
    ).toBe('written');
    expect(inWords(put(log, 'a', 'no_stream'))).toBe('stream_deleted');
  });
});

it('restored from its own events, in order: answers as before', () => {
  const log = newLog();
  put(log, 'abc', 'any');
  put(log, 'x', 'any', 'account-2');
  putMetadata(log, '{"$maxCount":1}');
  publish(log, log.tombstone({ stream: 'account-2', expected: 'any', nowMs: NOW_MS }));
  const again = newLog();
  for (let index = 0; index < log.length; index += 1) again.restore(eventAt(log, index));
  expect(again.length).toBe(log.length);
  expect(again.endPosition).toBe(log.endPosition);
  expect(inWords(put(again, 'abc', 'no_stream'))).toBe('already at 2');
  expect(inWords(put(again, 'y', 'any', 'account-2'))).toBe('stream_deleted');
  expect(again.published.firstVisibleRevision(STREAM)).toBe(2);
});

function newLog(): LogStore {
  return createLogStore({ newId: randomUUID });
}

function proposed(id: string): ProposedEvent {
  const payload = Buffer.from(JSON.stringify({ id }));
  return { id, type: 'Happened', isJson: true, payload, dataBytes: payload.length };
}

function request(ids: string, expected: ExpectedRevision, stream = STREAM) {
  return { stream, expected, events: [...ids].map(proposed), nowMs: NOW_MS };
}

function publish(log: LogStore, result: WriteResult): WriteResult {
  if (result.outcome === 'written') log.publish(result.events);
  return result;
}

function put(log: LogStore, ids: string, expected: ExpectedRevision, stream = STREAM): WriteResult {
  return publish(log, log.append(request(ids, expected, stream)));
}

function putMetadata(log: LogStore, json: string, isJson = true): void {
  const payload = Buffer.from(json);
  const event = { id: randomUUID(), type: '$metadata', isJson, payload, dataBytes: payload.length };
  publish(
    log,
    log.append({ stream: `$$${STREAM}`, expected: 'any', events: [event], nowMs: NOW_MS }),
  );
}

function eventAt(log: LogStore, index: number): RecordedEvent {
  const event = log.eventAt(index);
  if (event === null) throw new Error(`no event at ${index}`);
  return event;
}

function inWords(result: WriteResult): string {
  switch (result.outcome) {
    case 'written':
      return `written at ${result.revision}`;
    case 'already_written':
      return `already at ${result.revision}`;
    case 'wrong_revision':
      return `wrong, at ${result.current}`;
    case 'not_ready':
    case 'stream_deleted':
      return result.outcome;
  }
}
