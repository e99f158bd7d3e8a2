import {
  type Book,
  adjust,
  cancel,
  charged,
  confirm,
  eventsOf,
  extend,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  sweep,
  uuidAt,
} from '@points/domain/testing/book';
import { histories } from '@points/domain/testing/history';
import { DAY_MS, HOUR_MS } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liveOut } from './books/testing/lives.ts';
import { type Explanation, explain } from './explain.ts';
import { findSubject } from './explain-subject.ts';
import { explanationText } from './explain-text.ts';
import type { ReadStream } from './explain-price.ts';
import { sealed } from './testing/sealed.ts';

async function told(
  book: Pick<Book, 'events'>,
  id: string,
  readStream: ReadStream = () => [],
): Promise<Explanation> {
  const log = sealed('ada', book.events);
  const found = await findSubject(log, id);
  if (found === null || 'accountIds' in found) throw new Error(`not one thing is ${id}`);
  const { accountId, subject } = found;
  return explain(accountId, log, { id, position: 999n, subject, readStream });
}

const rolesOf = ({ steps }: Explanation) => steps.map(({ role }) => role);

/** Golden examples 4 and 5. */
function overspent(): { book: Book; holdId: string } {
  const book = openBook();
  recharge(book, 99, { sourceRef: 'gone', expiry: { kind: 'at', atMs: book.nowMs + 1 } });
  book.nowMs += HOUR_MS;
  sweep(book);
  recharge(book, 10, { sourceRef: 'ten' });
  const holdId = uuidAt(book.nowMs);
  hold(book, 6, {
    holdId,
    terms: charged(6, { description: 'a picture' }),
    request: { recordId: 310_000_000_000_001 },
  });
  extend(book, holdId, HOUR_MS);
  confirm(book, holdId, 13);
  recharge(book, 5, { sourceRef: 'five' });
  refund(book, holdId, 8);
  return { book, holdId };
}

describe('a charge explained', () => {
  it('is told from the recharge that paid to the last refund, and nothing else', async () => {
    const { book, holdId } = overspent();
    const story = await told(book, holdId);
    expect(rolesOf(story)).toEqual([
      'source',
      'hold',
      'extension',
      'charge',
      'repayment',
      'refund',
    ]);
    expect(story.steps[0]?.line?.source_ref).toBe('ten');
    expect(story.outcome).toEqual({
      status: 'confirmed',
      reason: null,
      late: false,
      held: 6,
      requested: 13,
      charged: 13,
      refunded: 8,
      net: 5,
      waived: 0,
      debt_added: 3,
      debt_repaid: 3,
      debt_canceled: 0,
      debt_left: 0,
    });
    expect(story.asked_by).toMatchObject({
      actor_id: 'ai-demo',
      owner: 'ai-demo',
      command: 'hold',
    });
    const text = explanationText(story, 'en');
    expect(text).toMatch(/charged: held 6, requested 13, charged 13, refunded 8, net 5/);
    expect(text).toContain('held 6, cost 13, charged 13');
    expect(explanationText(story, 'zh')).toContain('偿还其欠费');
  });

  it('is found by every one of its ids', async () => {
    const { book, holdId } = overspent();
    const log = sealed('ada', book.events);
    const placed = eventsOf(book, 'PointsHeld')[0];
    const charge = log.find(({ type }) => type === 'HoldConfirmed');
    for (const id of [
      holdId,
      String(placed?.record_id),
      placed?.task_no,
      charge?.id,
      String(charge?.position),
    ]) {
      expect(await findSubject(log, id ?? '')).toEqual({
        accountId: 'ada',
        subject: { kind: 'hold', hold_id: holdId },
      });
    }
    expect(await findSubject(log, 'nothing')).toBeNull();
  });

  it.each(['310000000000001', 'ten'])('is not guessed when two accounts have %s', async (id) => {
    const { events } = overspent().book;
    const log = [...sealed('ada', events), ...sealed('bob', events), ...sealed('cyd', events)];
    expect(await findSubject(log, id)).toEqual({ accountIds: ['ada', 'bob'] });
  });

  it('of a failure is a charge that never stood', async () => {
    const book = openBook();
    recharge(book, 10);
    const holdId = uuidAt(book.nowMs);
    hold(book, 6, { holdId, terms: charged(6, { failurePolicy: 'charge_then_refund' }) });
    cancel(book, holdId, 'failed');
    const story = await told(book, holdId);
    expect(rolesOf(story)).toEqual(['source', 'hold', 'charge', 'refund']);
    expect(story.outcome).toMatchObject({ status: 'canceled', reason: 'failed', net: 0 });
    expect(explanationText(story, 'en')).toContain('the work failed');
  });

  it('that was confirmed late is one story with the hold that expired', async () => {
    const book = openBook();
    recharge(book, 10);
    const holdId = uuidAt(book.nowMs);
    hold(book, 6, { holdId });
    book.nowMs += 2 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    sweep(book);
    confirm(book, holdId, 4);
    const story = await told(book, holdId);
    expect(rolesOf(story)).toEqual(['source', 'hold', 'release', 'hold', 'charge']);
    expect(story.outcome).toMatchObject({ status: 'confirmed', late: true, charged: 4, net: 4 });
    refund(book, holdId, 1);
    const late = eventsOf(book, 'PointsRefunded')[0]?.hold_id ?? '';
    const lastPosition = String(sealed('ada', book.events).at(-1)?.position);
    for (const id of [late, lastPosition])
      expect(rolesOf(await told(book, id))).toEqual([...rolesOf(story), 'refund']);
  });

  it('counts what repaid its own debt, and not what the same recharge repaid of another', async () => {
    const book = openBook();
    recharge(book, 10);
    const [first, second] = [uuidAt(book.nowMs), uuidAt(book.nowMs)];
    hold(book, 5, { holdId: first });
    hold(book, 5, { holdId: second });
    confirm(book, first, 7);
    confirm(book, second, 9);
    recharge(book, 5, { sourceRef: 'five' });
    const debtOf = async (id: string) => (await told(book, id)).outcome;
    expect(await debtOf(first)).toMatchObject({ debt_added: 2, debt_repaid: 2, debt_left: 0 });
    expect(await debtOf(second)).toMatchObject({ debt_added: 4, debt_repaid: 3, debt_left: 1 });
  });

  it('leads from a grace batch back to the recharge that its points came with', async () => {
    const book = openBook();
    recharge(book, 5, {
      sourceRef: 'old',
      expiry: { kind: 'at', atMs: book.nowMs + DAY_MS },
    });
    const first = uuidAt(book.nowMs);
    hold(book, 5, { holdId: first });
    confirm(book, first);
    book.nowMs += 2 * DAY_MS;
    refund(book, first, 4);
    const second = uuidAt(book.nowMs);
    hold(book, 3, { holdId: second });
    confirm(book, second);
    const story = await told(book, second);
    expect(story.steps.map(({ role, event }) => [role, event])).toEqual([
      ['source', 'PointsRecharged'],
      ['source', 'PointsRefunded'],
      ['hold', 'PointsHeld'],
      ['charge', 'HoldConfirmed'],
    ]);
    expect(explanationText(story, 'en')).toContain('continues batch');
  });

  it('leaves the debt that the account still has for it, for every hold of any history', async () => {
    await fc.assert(
      fc.asyncProperty(histories(60), async (history) => {
        const { events, account } = liveOut(history);
        const debts = new Map(account.debts.map(({ debtRef, points }) => [debtRef, points]));
        for (const { event } of events) {
          if (event.type !== 'HoldConfirmed' || event.data.late_of !== undefined) continue;
          const story = await told({ events }, event.data.hold_id);
          const left = debts.get(event.data.hold_id) ?? 0;
          expect(story.outcome).toMatchObject({ debt_left: left });
          expect(explanationText(story, 'zh')).not.toContain('undefined');
        }
      }),
      { numRuns: 15 },
    );
  });

  it('that was canceled before it was ever placed is a release, and nothing else', async () => {
    const book = openBook();
    const holdId = uuidAt(book.nowMs);
    cancel(book, holdId);
    const story = await told(book, holdId);
    expect(rolesOf(story)).toEqual(['release']);
    expect(story.outcome).toMatchObject({ status: 'canceled', reason: 'tombstone', charged: 0 });
    expect(explanationText(story, 'en')).toContain('HoldCanceled');
  });

  it('says which events the price came from', async () => {
    const book = openBook();
    recharge(book, 100);
    const price = {
      mode: 'fixed',
      unit: 'quantity',
      unit_price: '10',
      min_points: 0,
      rounding: 'ceil',
      source: 'model:flux',
      config_version: '',
    } as const;
    const holdId = uuidAt(book.nowMs);
    hold(book, 30, { holdId, terms: charged(30, { price }), request: { quantity: 3 } });
    const story = await told(book, holdId, (stream) =>
      stream === 'aiModel-flux' ? [priced(0, 1n, 7), priced(1, 2n, 10), priced(2, 500n, 11)] : [],
    );
    expect(story.price_origins).toMatchObject([
      { what: 'ModelPriced', position: '2', points_cost: 10, revision: 1 },
    ]);
    expect(explanationText(story, 'en')).toContain(
      'the price comes from ModelPriced, revision 1 of aiModel-flux at position 2',
    );
  });
});

function priced(revision: number, position: bigint, points_cost: number) {
  const [template] = sealed('x', overspent().book.events);
  if (template === undefined) throw new Error('no event');
  return {
    ...template,
    stream: 'aiModel-flux',
    type: 'ModelPriced',
    revision,
    position,
    data: { model_id: 'flux', points_cost, previous_points_cost: 1 },
    metadata: { ...template.metadata, schema: 'ModelPriced.v1' },
  };
}

describe('a recharge explained', () => {
  it('is told with what its points paid for', async () => {
    const { book } = overspent();
    expect(await told(book, 'five')).toMatchObject({
      subject: { kind: 'recharge', source_ref: 'five' },
      outcome: { credited: 5, repaid_debt: 3, returned: 3, used: 0 },
    });
    const ten = await told(book, 'ten');
    expect(rolesOf(ten)).toEqual(['recharge', 'use', 'use']);
    expect(ten.outcome).toMatchObject({ credited: 10, used: 10, returned: 5 });
    expect((await told(book, 'gone')).outcome).toMatchObject({ credited: 99, expired: 99 });
    reverseRecharge(book, 'ten');
    expect(rolesOf(await told(book, 'ten'))).toContain('reversal');
    expect(explanationText(await told(book, 'ten'), 'zh')).toContain('撤销来源 ten');
  });
});

describe('an adjustment explained', () => {
  it('is told with who repaid its debt', async () => {
    const book = openBook();
    recharge(book, 3);
    adjust(book, -5, { forced: true });
    book.nowMs += DAY_MS;
    recharge(book, 4);
    const position = sealed('ada', book.events)[1]?.position;
    const story = await told(book, String(position));
    expect(rolesOf(story)).toEqual(['source', 'event', 'repayment']);
    expect(explanationText(story, 'en')).toContain('2 became debt');
  });
});
