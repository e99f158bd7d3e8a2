import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from './audit-event.ts';
import { replay } from './replay.ts';
import { makeLog } from './testing/make-log.ts';
import { trialBalance } from './trial-balance.ts';

const LOG = [...makeLog({ accounts: 12, events: 2_500, seed: 5 })];
const END = LOG.at(-1)?.position ?? null;

async function replayed(
  events: readonly AuditEvent[] = LOG,
  options: { readonly asOf?: string; readonly settledHoldsMax?: number } = {},
) {
  const lines: string[] = [];
  let second = 0;
  const report = await replay({
    events,
    account: (accountId) => {
      second += 1;
      return events.filter(({ stream }) => stream === `account-${accountId}`);
    },
    position: END,
    asOf: null,
    onState: (line) => lines.push(line),
    ...options,
  });
  return { report, lines, second };
}

describe('a log that holds', () => {
  it('gives the sums of the trial balance, and the state of every account in order of id', async () => {
    const { report, lines } = await replayed();
    const request = { from: null, asOf: null, position: END, by: 'none' as const };
    const { totals, balance, debt, held, accounts, events } = await trialBalance(
      () => LOG,
      request,
    );
    expect(report).toMatchObject({ totals, balance, debt, held, accounts, events, holds: true });
    expect(report.state_hash).toBe(hash('sha256', lines.map((line) => `${line}\n`).join('')));
    const states = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const ids = states.map(({ account_id }) => String(account_id));
    expect(ids).toEqual(ids.toSorted());
    expect(states.reduce((sum, state) => sum + Number(state['balance']), 0)).toBe(balance);
  });

  it('is folded to the same bytes however few settled holds are remembered', async () => {
    const all = await replayed();
    const few = await replayed(LOG, { settledHoldsMax: 1 });
    expect(few.second).toBeGreaterThan(0);
    expect({ ...few, second: 0 }).toEqual({ ...all, second: 0 });
  });

  it('as of a time is the log that ended then', async () => {
    const middle = LOG[1_200]?.metadata['occurred_at'] ?? '';
    const until = LOG.filter(({ metadata }) => (metadata['occurred_at'] ?? '') <= middle);
    const { report } = await replayed(LOG, { asOf: middle });
    const { report: shorter } = await replayed(until, { asOf: middle });
    expect(report).toEqual(shorter);
    expect(report.events).toBeLessThan(LOG.length);
  });
});

describe('a log that does not', () => {
  const place = LOG.findLastIndex(({ type }) => type === 'HoldConfirmed');
  const victim = LOG[place];
  const accountId = victim?.stream.replace('account-', '') ?? '';

  it.each<[string, (event: AuditEvent) => AuditEvent[], object]>([
    [
      'another number',
      (event) => [{ ...event, data: { ...event.data, actual_amount: 1_000_000 } }],
      { kind: 'wrong_books', revision: victim?.revision },
    ],
    ['an event gone', () => [], { kind: 'missing_events' }],
    ['an event twice', (event) => [event, event], { kind: 'missing_events' }],
    [
      'an unknown type',
      (event) => [{ ...event, type: 'PointsMinted' }],
      { kind: 'unreadable_event', revision: victim?.revision },
    ],
    [
      'a stream of nobody',
      (event) => [event, { ...event, stream: 'other-1' }],
      { kind: 'not_a_ledger_stream', stream: 'other-1' },
    ],
  ])('%s', async (_, change, finding) => {
    const first = LOG.findIndex(({ stream }) => stream === victim?.stream);
    // In the middle of the account's life, so that something follows.
    const middle = LOG.findIndex(
      ({ stream, type }, at) => at > first && stream === victim?.stream && type === victim?.type,
    );
    const at = 'revision' in finding ? place : middle;
    const { report, lines } = await replayed(
      LOG.flatMap((event, index) => (index === at ? change(event) : event)),
    );
    expect(report.findings).toMatchObject([finding]);
    expect(report.holds).toBe(false);
    const isBroken = report.findings[0]?.stream === victim?.stream;
    expect(report.broken_accounts).toBe(isBroken ? 1 : 0);
    expect(lines.some((line) => line.includes(`"${accountId}"`))).toBe(!isBroken);
  });
});
