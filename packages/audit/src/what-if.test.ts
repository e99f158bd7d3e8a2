import { parsePricingConfig, type PricingConfig } from '@points/contracts/pricing-config';
import type { HoldConfirmed, PointsHeld } from '@points/domain/account/events';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from './audit-event.ts';
import { BrokenHistoryError } from './decode-account.ts';
import { LOG_PRICES, LOG_PRICES_FILE } from './testing/log-prices.ts';
import { makeLog } from './testing/make-log.ts';
import { type UseSums, type WhatIfReport, type WhatIfRequest, whatIf } from './what-if.ts';
import { whatIfCsv, whatIfTable } from './what-if-text.ts';

const LOG = [...makeLog({ accounts: 12, events: 5_000, seed: 3 })];

function priced(
  over: Partial<WhatIfRequest> = {},
  log: readonly AuditEvent[] = LOG,
): Promise<WhatIfReport> {
  const position = log.at(-1)?.position ?? null;
  return whatIf(log, {
    config: LOG_PRICES,
    from: null,
    to: null,
    accountId: null,
    position,
    ...over,
  });
}

/** The list of the log with some operations changed; undefined = taken out. */
function listWith(operations: Readonly<Record<string, unknown>>): PricingConfig {
  const parsed = parsePricingConfig({
    ...LOG_PRICES_FILE,
    // As a file has it, where nothing is undefined.
    operations: JSON.parse(
      JSON.stringify({ ...LOG_PRICES_FILE.operations, ...operations }),
    ) as unknown,
  });
  if (!parsed.ok) throw new Error(`${parsed.field} ${parsed.message}`);
  return parsed.value;
}

function sums(rows: readonly UseSums[]): number[] {
  const names = ['uses', 'charged', 'waived', 'would_be_charged', 'difference'] as const;
  return names.map((name) => rows.reduce((sum, row) => sum + row[name], 0));
}

/** Every hold that was confirmed and did not fail, found in the log by the plainest means. */
function confirmedUses(log: readonly AuditEvent[] = LOG) {
  const held = new Map<string, PointsHeld>();
  const uses: { held: PointsHeld; confirmed: HoldConfirmed; stream: string }[] = [];
  for (const { type, data, stream } of log) {
    if (type === 'PointsHeld') {
      const hold = data as unknown as PointsHeld;
      held.set(hold.hold_id, hold);
    } else if (type === 'HoldConfirmed') {
      const confirmed = data as unknown as HoldConfirmed;
      const hold = held.get(confirmed.hold_id);
      if (hold === undefined) throw new Error('never held');
      uses.push({ held: hold, confirmed, stream });
    } else if (type === 'PointsRefunded' && data['as_failure'] === true) uses.pop();
  }
  return uses;
}

const USES = confirmedUses();

describe('the same use under another price list', () => {
  it.each([1, 2])('costs the same under the list that was in force (seed %d)', async (seed) => {
    const log = [...makeLog({ accounts: 5 * seed, events: 2_500, seed })];
    const { operations, totals, failed } = await priced({}, log);
    for (const row of operations) expect([row, row.difference]).toEqual([row, 0]);
    for (const outcome of ['price_not_found', 'not_measured', 'too_large'] as const)
      expect(totals[outcome].uses).toBe(0);
    const charged = log.reduce(
      (sum, { type, data }) => sum + (type === 'HoldConfirmed' ? Number(data['actual_amount']) : 0),
      0,
    );
    expect(totals.all.charged + failed.charged).toBe(charged);
    expect(totals.all.uses).toBe(confirmedUses(log).length);
    expect(totals.all.waived).toBeGreaterThan(0);
    expect(totals.all.would_be_charged).toBe(totals.all.charged + totals.all.waived);
  });

  it('counts a dearer call once for each use, and nothing else', async () => {
    const config = listWith({ script: { mode: 'fixed', points: 8 } });
    const { operations, totals } = await priced({ config });
    const uses = USES.filter(({ held }) => held.price.source === 'operation:script');
    const byCaller = uses.filter(
      ({ held, confirmed }) => confirmed.requested_amount !== held.amount,
    );
    expect(uses.length).toBeGreaterThan(50);
    expect(totals.all.difference).toBe(3 * (uses.length - byCaller.length));
    const changed = operations.filter(({ difference }) => difference !== 0);
    expect(changed).toMatchObject([{ source_type: 'script', model: '', outcome: 'priced' }]);
  });

  it('prices quantities and durations as measured, with the rounding and minimum of the other list', async () => {
    const config = listWith({
      tts: { mode: 'duration', points_per_second: 0.9, rounding: 'floor', min_points: 4 },
      image: { mode: 'fixed', points: 7, per: 'quantity', member_free: true },
    });
    const { operations } = await priced({ config });
    const rowOf = (name: string) =>
      operations.find(
        (row) => row.source_type === name && row.model === '' && row.outcome === 'priced',
      );
    const ofTts = USES.filter(({ held }) => held.price.source === 'operation:tts')
      .map(({ held, confirmed }) => ({ held, confirmed, usedMs: confirmed.duration_ms }))
      .filter(
        ({ held, confirmed, usedMs }) =>
          usedMs !== undefined || confirmed.requested_amount === held.amount,
      );
    const expected = ofTts.map(({ held, usedMs }) => {
      const duration = usedMs ?? held.estimated_duration_ms ?? 0;
      return duration === 0 ? 0 : Math.max(4, Math.floor((duration * 9) / 10_000));
    });
    expect(rowOf('tts')).toMatchObject({
      uses: ofTts.length,
      would_be_charged: expected.reduce((sum, points) => sum + points, 0),
    });
    const images = USES.filter(
      ({ held, confirmed }) =>
        held.price.source === 'operation:image' &&
        (confirmed.quantity !== undefined ||
          held.charge_mode !== 'charged' ||
          confirmed.requested_amount === held.amount),
    );
    const paid = images.filter(({ held }) => held.charge_mode === 'charged');
    expect(rowOf('image')).toMatchObject({
      uses: images.length,
      would_be_charged: paid.reduce(
        (sum, { held, confirmed }) => sum + 7 * (confirmed.quantity ?? held.quantity ?? 1),
        0,
      ),
    });
  });

  it('lets members pay where the other list does not let them go free, and the other way round', async () => {
    const config = listWith({ ai_writing: { mode: 'fixed', points: 10 } });
    const free = USES.filter(
      ({ held }) =>
        held.charge_mode === 'member_free' && held.price.source === 'operation:ai_writing',
    );
    expect(free.length).toBeGreaterThan(5);
    expect((await priced({ config })).totals.all.difference).toBe(10 * free.length);

    const generous = listWith({ polish: { mode: 'fixed', points: 1, member_free: true } });
    const { difference } = (await priced({ config: generous })).totals.all;
    expect(difference).toBeLessThan(0);
    const polish = USES.filter(({ held }) => held.price.source === 'operation:polish');
    expect(difference).toBeGreaterThan(
      -polish.reduce((sum, use) => sum + use.confirmed.actual_amount, 0),
    );
  });

  it('tells what it cannot price, and keeps it out of the sums of the other list', async () => {
    const config = listWith({
      video: undefined,
      script: { mode: 'duration', points_per_second: 1 },
      image: { mode: 'fixed', points: 1e12, per: 'quantity' },
    });
    const report = await priced({ config });
    const gone = USES.filter(
      ({ held, confirmed }) =>
        held.price.source === 'operation:video' &&
        (confirmed.duration_ms !== undefined || confirmed.requested_amount === held.amount),
    );
    const {
      price_not_found,
      not_measured,
      too_large,
      named_by_caller,
      priced: known,
    } = report.totals;
    expect([price_not_found.uses, price_not_found.would_be_charged]).toEqual([gone.length, 0]);
    expect(price_not_found.charged).toBe(
      gone.reduce((sum, { confirmed }) => sum + confirmed.actual_amount, 0),
    );
    expect(not_measured.uses).toBeGreaterThan(50);
    expect(too_large.uses).toBeGreaterThan(5);
    expect(sums([price_not_found, not_measured, too_large, named_by_caller, known])).toEqual(
      sums([report.totals.all]),
    );
    const unpriced = price_not_found.uses + not_measured.uses + too_large.uses;
    expect(report.accounts.reduce((sum, row) => sum + row.uses_without_price, 0)).toBe(unpriced);
    expect(whatIfTable(report)).toContain(`Of them ${gone.length} (charged`);
  });

  it('leaves alone what callers priced, and what models cost', async () => {
    const all = Object.fromEntries(
      Object.keys(LOG_PRICES.operations).map((name) => [name, { mode: 'fixed', points: 1_000 }]),
    );
    const { operations } = await priced({ config: listWith(all) });
    const kept = operations.filter(
      ({ outcome, model }) => outcome === 'named_by_caller' || model !== '',
    );
    expect(kept.map(({ model }) => model)).toEqual(
      expect.arrayContaining(['', 'qwen-max', 'sora_image']),
    );
    for (const row of kept.filter(({ source_type }) => source_type !== 'image'))
      expect([row, row.difference]).toEqual([row, 0]);
  });

  it('adds up over accounts, operations and times', async () => {
    const config = listWith({ script: { mode: 'fixed', points: 3 }, polish: { mode: 'free' } });
    const whole = await priced({ config });
    expect(sums(whole.accounts)).toEqual(sums([whole.totals.all]));
    expect(sums(whole.operations)).toEqual(sums([whole.totals.all]));
    expect(whole.refunded).toBeGreaterThan(0);

    // Confirmed just then: it belongs to what ends there.
    const middle = LOG.find(({ type }, place) => place > 2_500 && type === 'HoldConfirmed');
    const to = middle?.metadata['occurred_at'] ?? '';
    const from = new Date(Date.parse(to) + 1).toISOString();
    const halves = [await priced({ config, to }), await priced({ config, from })];
    expect(halves.every(({ totals }) => totals.all.uses > 100)).toBe(true);
    expect(sums(halves.map(({ totals }) => totals.all))).toEqual(sums([whole.totals.all]));
    expect(halves.reduce((sum, { refunded }) => sum + refunded, 0)).toBe(whole.refunded);

    const log = LOG.filter(({ stream }) => stream === 'account-user_3');
    const one = await priced({ config, accountId: 'user_3' }, log);
    expect(one.accounts).toEqual(whole.accounts.filter((row) => row.account_id === 'user_3'));
  });

  it('says which list and position it is of, as a table and as CSV', async () => {
    const report = await priced();
    const loaded = LOG.find(({ type }) => type === 'ConfigLoaded');
    expect(report.config_version).toBe(loaded?.data['version']);
    const table = whatIfTable(report);
    expect(table).toContain(`read up to position ${String(LOG.at(-1)?.position)}`);
    expect(table).toContain('a difference of 0.');
    const lines = whatIfCsv(report).split('\r\n');
    expect(lines[0]).toBe(
      '\u{FEFF}source_type,model,outcome,account_id,uses,charged,waived,would_be_charged,difference,uses_without_price,refunded',
    );
    expect(lines).toHaveLength(2 + report.operations.length + report.accounts.length);
    expect(whatIfTable(await priced({}, []))).toContain('none (the log is empty)');
  });

  it('is not made of a log that lacks a hold', async () => {
    const confirmed = LOG.find(({ type }) => type === 'HoldConfirmed');
    const log = LOG.filter(
      ({ type, data }) => type !== 'PointsHeld' || data['hold_id'] !== confirmed?.data['hold_id'],
    );
    await expect(priced({}, log)).rejects.toThrow(BrokenHistoryError);
    await expect(priced({}, log)).rejects.toThrow(
      `event ${confirmed?.revision} of ${confirmed?.stream} confirms hold`,
    );
  });
});
