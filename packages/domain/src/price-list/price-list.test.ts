import { describe, expect, it } from 'vitest';
import { mapGet } from '../persistent-map.ts';
import { type PriceListCommand, decidePriceList } from './decide.ts';
import type { CreditsPrice, MembershipPrice, PriceKind } from './events.ts';
import { decodePriceList, encodePriceList } from './price-list-snapshot.ts';
import { type PriceList, emptyPriceList, evolvePriceList } from './price-list.ts';

const credits: CreditsPrice = {
  kind: 'credits',
  price_id: 'c-1',
  name: '100',
  price_fen: 1_000,
  sort_order: 1,
  is_active: true,
  points: 100,
  bonus: 10,
  validity_days: 365,
};
const monthly: MembershipPrice = {
  kind: 'membership',
  price_id: 'm-1',
  name: '月会员',
  price_fen: 990,
  sort_order: 1,
  is_active: true,
  membership_type: 'monthly',
  duration_days: 30,
  original_price_fen: null,
  features: ['一'],
};

let ids = 0;
type WithoutContext<Command> = Command extends PriceListCommand ? Omit<Command, 'context'> : never;

function asked(command: WithoutContext<PriceListCommand>, commandId = `c-${(ids += 1)}`) {
  return { ...command, context: { commandId, requestHash: JSON.stringify(command) } };
}

/** The list after commands that were all accepted. */
function given(kind: PriceKind, ...commands: readonly PriceListCommand[]): PriceList {
  return commands.reduce((list, command) => {
    const decision = decidePriceList(command, list);
    if (decision.outcome !== 'accepted') throw new Error(JSON.stringify(decision));
    return evolvePriceList(list, decision.event, {
      command_id: command.context.commandId,
      request_hash: command.context.requestHash,
      index: 0,
      occurred_at: '2026-01-01T00:00:00.000Z',
    });
  }, emptyPriceList(kind));
}

describe('a price list', () => {
  it('keeps a price with its changes, and retires it for good', () => {
    const list = given(
      'credits',
      asked({ kind: 'ListPrice', price: credits }),
      asked({ kind: 'ChangePrice', changes: { kind: 'credits', price_id: 'c-1', bonus: 20 } }),
    );
    expect(mapGet(list.prices, 'c-1')).toEqual({
      price: { ...credits, bonus: 20 },
      isRetired: false,
    });
    const retire = asked({ kind: 'RetirePrice', price: { kind: 'credits', price_id: 'c-1' } });
    const decision = decidePriceList(retire, list);
    if (decision.outcome !== 'accepted') throw new Error('refused');
    const retired = evolvePriceList(list, decision.event, {
      command_id: 'r',
      request_hash: 'r',
      index: 0,
      occurred_at: '2026-01-01T00:00:00.000Z',
    });
    expect(mapGet(retired.prices, 'c-1')).toMatchObject({
      price: { is_active: false },
      isRetired: true,
    });
    const again = asked({ kind: 'ListPrice', price: credits });
    expect(decidePriceList(again, retired)).toMatchObject({
      refusal: { code: 'invalid_argument', details: { field: 'price_id' } },
    });
    expect(decidePriceList({ ...retire, context: again.context }, retired)).toMatchObject({
      refusal: { code: 'price_not_found' },
    });
  });

  it('repeats the first answer and refuses another request under its id', () => {
    const command = asked({ kind: 'ListPrice', price: credits }, 'same');
    const list = given('credits', command);
    expect(decidePriceList(command, list)).toMatchObject({
      outcome: 'duplicate',
      answer: { revision: 0 },
    });
    const other = asked({ kind: 'ListPrice', price: { ...credits, points: 1 } }, 'same');
    expect(decidePriceList(other, list)).toMatchObject({ refusal: { code: 'command_id_reused' } });
  });

  it('has one price for a membership type, also after changes, until that is retired', () => {
    const yearly = { ...monthly, price_id: 'm-2', membership_type: 'yearly' };
    const list = given(
      'membership',
      asked({ kind: 'ListPrice', price: monthly }),
      asked({ kind: 'ListPrice', price: yearly }),
      asked({
        kind: 'ChangePrice',
        changes: { kind: 'membership', price_id: 'm-2', membership_type: 'yearly', price_fen: 1 },
      }),
    );
    const taken = { refusal: { code: 'invalid_argument', details: { field: 'membership_type' } } };
    const third = asked({ kind: 'ListPrice', price: { ...monthly, price_id: 'm-3' } });
    expect(decidePriceList(third, list)).toMatchObject(taken);
    const rename = asked({
      kind: 'ChangePrice',
      changes: { kind: 'membership', price_id: 'm-2', membership_type: 'monthly' },
    });
    expect(decidePriceList(rename, list)).toMatchObject(taken);
    const without = given(
      'membership',
      asked({ kind: 'ListPrice', price: monthly }),
      asked({ kind: 'RetirePrice', price: { kind: 'membership', price_id: 'm-1' } }),
    );
    expect(decidePriceList(third, without).outcome).toBe('accepted');
  });

  it('refuses an event that cannot follow', () => {
    const context = {
      command_id: 'c',
      request_hash: 'h',
      index: 0,
      occurred_at: '2026-01-01T00:00:00.000Z',
    };
    const listed = { type: 'PriceListed', data: credits } as const;
    const list = given('credits', asked({ kind: 'ListPrice', price: credits }));
    expect(() => evolvePriceList(list, listed, context)).toThrow('listed twice');
    expect(() => evolvePriceList(emptyPriceList('membership'), listed, context)).toThrow('kind');
    const retired = { type: 'PriceRetired', data: { kind: 'credits', price_id: 'x' } } as const;
    expect(() => evolvePriceList(list, retired, context)).toThrow('no such price');
  });

  it('is the same when it is saved and read again', () => {
    const command = asked({ kind: 'ListPrice', price: monthly });
    const list = given('membership', command);
    const saved = decodePriceList(JSON.parse(JSON.stringify(encodePriceList(list))));
    expect(mapGet(saved.prices, 'm-1')).toEqual(mapGet(list.prices, 'm-1'));
    expect([saved.kind, saved.revision]).toEqual(['membership', 0]);
    expect(decidePriceList(command, saved).outcome).toBe('duplicate');
  });
});
