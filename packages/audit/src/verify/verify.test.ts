import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { anchorOf, signAnchor } from '../anchor.ts';
import type { AuditEvent } from '../audit-event.ts';
import { DamagedFileError } from '../export-file.ts';
import { createOrderDigest } from '../order-digest.ts';
import { createStreamChains } from '../stream-chains.ts';
import { TEST_KEY } from '../testing/anchor-key.ts';
import { makeLog } from '../testing/make-log.ts';
import { edited, inBlocks, inLines, resealed, withFields } from '../testing/tampered.ts';
import { createJudges } from './judges.ts';
import { CannotVerifyError, type VerifyRequest, verify } from './verify.ts';

const log = [...makeLog({ accounts: 6, events: 600, seed: 3 })];
const lines = inLines(log);
const anchors = [anchorAt(200), anchorAt(log.length)];

function anchorAt(events: number): LedgerAnchor {
  const chains = createStreamChains();
  const digest = createOrderDigest();
  let position = 0n;
  for (const event of log.slice(0, events)) {
    const { prev_hash = '', hash = '' } = event.metadata;
    chains.add({ ...event, prev_hash, hash });
    digest.add(String(event.position), event.revision, event.stream, event.type);
    position = event.position;
  }
  const extent = { position, events, heads: chains.heads(), order: digest.digest() };
  return signAnchor(anchorOf(extent), TEST_KEY, '2026-11-26T00:00:00.000Z');
}

function verdict(of: readonly (string | Buffer)[], more: Partial<VerifyRequest> = {}) {
  return verify({ lines: () => inBlocks(of), isFile: true, ...more });
}

/** Kinds and places of what is found. */
async function found(of: readonly (string | Buffer)[], more: Partial<VerifyRequest> = {}) {
  const { findings, holds, finding_count } = await verdict(of, more);
  expect(holds).toBe(finding_count === 0);
  return findings.map(({ kind, stream, revision }) =>
    stream === null ? kind : `${kind} ${stream} ${revision}`,
  );
}

/** Place in the log of an event in the middle of an account's stream. */
const middle = log.findIndex(
  ({ stream, revision, type }) =>
    stream === 'account-user_2' && revision > 10 && type === 'HoldConfirmed',
);
const victim = log[middle] as AuditEvent;
const at = (revision: number) => `${victim.stream} ${revision}`;
const placeOfRevision = (revision: number) =>
  log.findIndex((event) => event.stream === victim.stream && event.revision === revision);
const next = placeOfRevision(victim.revision + 1);
const lastOfVictim = log.findLastIndex(({ stream }) => stream === victim.stream);

function without<Item>(items: readonly Item[], ...places: readonly number[]): Item[] {
  return items.filter((_, place) => !places.includes(place));
}

function inserted<Item>(items: readonly Item[], place: number, item: Item): Item[] {
  return [...items.slice(0, place), item, ...items.slice(place)];
}

describe('an honest log', () => {
  it('holds, with its anchors, and says what it comes to', async () => {
    const report = await verdict(lines, { anchors });
    expect(report).toMatchObject({
      holds: true,
      events: log.length,
      accounts: 6,
      accounts_not_judged: 0,
      first_position: String(log[0]?.position),
      last_position: String(log.at(-1)?.position),
      root: anchors[1]?.root,
      order: anchors[1]?.order,
      anchors: 2,
      findings: [],
    });
    expect(report.totals.consumed).toBeGreaterThan(0);
  });

  it('gives the same report from threads, also of a tampered one', async () => {
    const wrong = edited(log, middle, (event) => withFields(event, { actual_amount: 1 }));
    for (const of of [lines, without(inLines(wrong), 17, 300)])
      expect(await verdict(of, { anchors, threads: 2 })).toEqual(await verdict(of, { anchors }));
  });

  it('is judged the same when few settled holds are remembered: what was forgotten is judged later', async () => {
    expect(await verdict(lines, { settledHolds: 1 })).toEqual(await verdict(lines));
    const refund = log.findLastIndex(({ type }) => type === 'PointsRefunded');
    const late = log[refund] as AuditEvent;
    const wrong = resealed(
      edited(log, refund, (event) =>
        withFields(event, { refunded_total: Number(event.data['refunded_total']) + 1 }),
      ),
      late.stream,
    );
    const named = `wrong_books ${late.stream} ${late.revision}`;
    expect(await found(inLines(wrong), { settledHolds: 1 })).toEqual([named]);
  });

  it('of nothing is nothing', async () => {
    await expect(verdict([])).rejects.toThrow(CannotVerifyError);
    for (const threads of [0, 1])
      await expect(verdict(['hello', 'world'], { threads })).rejects.toThrow(
        'this is no export: line 1 is not JSON',
      );
  });

  it('a thread that dies is told as what it died of, and ends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'judges-'));
    // Where the thread wants to have a folder.
    writeFileSync(join(folder, 'thread-0'), '');
    const judges = createJudges(1, 0.1, { partial: false, folder, seconds: [] });
    await expect(judges.finish()).rejects.toThrow(/ENOTDIR|EEXIST/);
    await judges.close();
    await judges.close();
    rmSync(folder, { recursive: true });
  });

  it('may be a part: one account, or a later time', async () => {
    const one = log.filter(({ stream }) => stream === victim.stream);
    expect(await found(inLines(one))).toEqual([]);
    const late = inLines(log.slice(250));
    expect(await found(late, { isPartial: true })).toEqual([]);
    expect((await found(late)).every((each) => each.startsWith('missing_events'))).toBe(true);
    const { accounts_not_judged } = await verdict(late, { isPartial: true });
    expect(accounts_not_judged).toBeGreaterThan(0);
    const changed = edited(log, 400, (event) => withFields(event, { description: 'x' }));
    expect(await found(inLines(changed.slice(250)), { isPartial: true })).toEqual([
      `wrong_hash ${log[400]?.stream} ${log[400]?.revision}`,
    ]);
  });
});

describe('every tampering is found and named, without an anchor', () => {
  it('any flipped bit, by its line or that after it', async () => {
    const bytes = Buffer.from(`${lines.slice(0, 20).join('\n')}\n`);
    // A position that stays between its neighbours is in no hash: anchors watch over positions.
    const positions = [...bytes.toString('latin1').matchAll(/(?<=,"position":")\d+/g)];
    const isPosition = (place: number) =>
      positions.some(({ index, 0: digits }) => place >= index && place < index + digits.length);
    const flips = fc.tuple(
      fc.nat(bytes.length - 1).filter((place) => !isPosition(place)),
      fc.nat(7),
    );
    await fc.assert(
      fc.asyncProperty(flips, async ([place, bit]) => {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(bytes.readUInt8(place) ^ (1 << bit), place);
        const line = bytes.subarray(0, place).toString('latin1').split('\n').length;
        const { findings } = await verdict([flipped.subarray(0, -1)], { isPartial: false });
        // The very last byte is a line feed that `inBlocks` puts back.
        if (place === bytes.length - 1) return;
        expect(findings.some((finding) => Math.abs((finding.line ?? 0) - line) <= 1)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  const reorder = (one: number, other: number) =>
    lines.map(
      (line, place) => lines[place === one ? other : place === other ? one : place] ?? line,
    );
  const moved = (amount: number) =>
    edited(log, middle, (event) => withFields(event, { actual_amount: amount }));

  const matrix: Record<string, [readonly (string | Buffer)[], readonly string[]]> = {
    'a changed amount': [inLines(moved(1)), [`wrong_hash ${at(victim.revision)}`]],
    'a redacted event': [
      inLines(edited(log, middle, (event) => ({ ...event, data: {} }))),
      [`wrong_hash ${at(victim.revision)}`],
    ],
    'an id that is another': [
      inLines(edited(log, middle, (event) => ({ ...event, id: log[0]?.id ?? '' }))),
      [`wrong_event_id ${at(victim.revision)}`],
    ],
    'a changed event with its own hash computed anew': [
      inLines(edited(log, middle, () => resealed(moved(1), victim.stream)[middle] as AuditEvent)),
      [`wrong_books ${at(victim.revision)}`, `broken_chain ${at(victim.revision + 1)}`],
    ],
    'a changed event with every hash after it computed anew': [
      inLines(resealed(moved(1), victim.stream)),
      [`wrong_books ${at(victim.revision)}`],
    ],
    'a removed event': [without(lines, middle), [`missing_events ${at(victim.revision + 1)}`]],
    'a removed event, and every hash after it computed anew': [
      inLines(resealed(without(log, middle), victim.stream)),
      [expect.stringMatching(/^wrong_books account-user_2 /) as unknown as string],
    ],
    'an event that comes twice': [
      inserted(lines, middle, lines[middle] ?? ''),
      [`positions_out_of_order ${at(victim.revision)}`, `repeated_event ${at(victim.revision)}`],
    ],
    'an event that is put in again later': [
      inserted(lines, next + 1, lines[middle] ?? ''),
      [`positions_out_of_order ${at(victim.revision)}`, `repeated_event ${at(victim.revision)}`],
    ],
    'an event put in by somebody who chains it': [
      inLines(
        resealed(
          inserted(log, middle + 1, { ...victim, position: victim.position + 1n }),
          victim.stream,
        ),
      ),
      [`used_twice ${at(victim.revision + 1)}`],
    ],
    'two events of one account exchanged': [
      reorder(middle, next),
      [
        `missing_events ${at(victim.revision + 1)}`,
        `positions_out_of_order ${at(victim.revision)}`,
        `repeated_event ${at(victim.revision)}`,
      ],
    ],
    'a stream that is not the ledger’s': [
      inLines(edited(log, 0, (event) => ({ ...event, stream: 'auditAnchor-ledger' }))),
      ['not_a_ledger_stream auditAnchor-ledger 0', 'wrong_hash auditAnchor-ledger 0'],
    ],
    'a stream whose name only people read': [
      inLines(edited(log, 0, (event) => ({ ...event, stream: '账本-一' }))),
      ['not_a_ledger_stream 账本-一 0', 'wrong_hash 账本-一 0'],
    ],
    'an event of a kind that nobody knows': [
      inLines(
        resealed(
          edited(log, middle, (event) => ({ ...event, type: 'PointsPrinted' })),
          victim.stream,
        ),
      ),
      [`unknown_event_type ${at(victim.revision)}`],
    ],
    'an event that lacks a field': [
      inLines(
        resealed(
          edited(log, middle, (event) => withFields(event, { released: 'none' })),
          victim.stream,
        ),
      ),
      [`unreadable_event ${at(victim.revision)}`],
    ],
    'a space': [
      lines.map((line, place) => (place === middle ? line.replace(':', ': ') : line)),
      [`not_canonical ${at(victim.revision)}`],
    ],
    'a line that is no JSON, and its event with it': [
      lines.map((line, place) => (place === middle ? line.slice(1) : line)),
      ['not_json', `missing_events ${at(victim.revision + 1)}`],
    ],
    'a line that is no UTF-8': [
      lines.map((line, place) =>
        place === middle ? Buffer.from(line.replace('"data"', '"d\u00fcta"'), 'latin1') : line,
      ),
      ['not_json', `missing_events ${at(victim.revision + 1)}`],
    ],
    'a line that is something else': [
      inserted<string>(lines, 5, '{"hello":"world"}'),
      ['not_an_event'],
    ],
    'an empty line': [inserted<string>(lines, 5, ''), ['not_json']],
    'two exports one after the other': [
      [...lines.slice(0, 3), ...lines.slice(0, 3)],
      [
        'positions_out_of_order pricingConfig-ledger 0',
        ...log.slice(0, 3).map(({ stream, revision }) => `repeated_event ${stream} ${revision}`),
      ],
    ],
  };

  it.for(Object.keys(matrix))('%s', async (name) => {
    const [of, expected] = matrix[name] ?? [[], []];
    const seen = await found(of);
    expect(seen.toSorted()).toEqual([...expected].toSorted());
  });

  it('a command that is carried out twice, also when its account has forgotten it', async () => {
    const first = log.find(({ stream }) => stream === victim.stream) as AuditEvent;
    const place = lastOfVictim;
    const last = log[place] as AuditEvent;
    const { balance_after, available_after, debt_after } = last.data;
    const again: AuditEvent = {
      ...first,
      type: 'AccountFrozen',
      data: {
        reason: 'again',
        operator: 'ops',
        balance_before: balance_after,
        balance_after,
        available_after,
        debt_after,
      },
      position: last.position + 1n,
      metadata: {
        ...first.metadata,
        schema: 'AccountFrozen.v1',
        occurred_at: last.metadata['occurred_at'] ?? '',
      },
    };
    const twice = resealed(inserted(log, place + 1, again), victim.stream);
    const named = `used_twice ${at(last.revision + 1)}`;
    expect(await found(inLines(twice))).toEqual([named]);
  });

  it('a file that ends in the middle of an event', async () => {
    const damaged = async function* () {
      yield* inBlocks(lines.slice(0, 10));
      throw new DamagedFileError(11, 'is cut');
    };
    const { findings, events } = await verify({ lines: damaged, isFile: true });
    expect(events).toBe(10);
    expect(findings).toMatchObject([{ kind: 'unreadable_file', line: 11 }]);
  });
});

describe('what only an anchor finds', () => {
  const exchanged = (one: number, other: number): AuditEvent[] => {
    const copy = [...log];
    const [first, second] = [log[one] as AuditEvent, log[other] as AuditEvent];
    copy[one] = { ...second, position: first.position };
    copy[other] = { ...first, position: second.position };
    return copy;
  };
  const neighbours = log.findIndex(
    ({ stream }, place) => place > 50 && stream !== log[place + 1]?.stream,
  );
  const cases: Record<string, readonly AuditEvent[]> = {
    'a cut end': log.slice(0, -1),
    'the last event of an account removed': without(log, lastOfVictim),
    'a whole account removed': log.filter(({ stream }) => stream !== victim.stream),
    'events of two accounts that trade places': exchanged(neighbours, neighbours + 1),
    'a changed position': edited(log, middle, (event) => ({
      ...event,
      position: event.position + 1n,
    })),
    'an account written anew so that all adds up': resealed(
      edited(log, middle, (event) => withFields(event, { description: 'something else' })),
      victim.stream,
    ),
  };

  it.for(Object.keys(cases))('%s', async (name) => {
    const of = inLines(cases[name] ?? []);
    expect(await found(of)).toEqual([]);
    const seen = await found(of, { anchors });
    expect(new Set(seen)).toEqual(new Set(['anchor_differs']));
  });
});
