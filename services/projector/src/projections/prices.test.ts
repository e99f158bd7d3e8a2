import type { CreditsPrice, MembershipPrice } from '@points/domain/price-list/events';
import { describe, expect, it } from 'vitest';
import { eventsOf, pick, projected } from '../testing/projected.ts';
import { ProjectionError } from '../working-set.ts';

const CREDITS: CreditsPrice = {
  kind: 'credits',
  price_id: 'c',
  name: '100',
  price_fen: 1_000,
  sort_order: 1,
  is_active: true,
  points: 100,
  bonus: 10,
  validity_days: null,
};
const MONTHLY: MembershipPrice = {
  kind: 'membership',
  price_id: 'm',
  name: '月会员',
  price_fen: 990,
  sort_order: 1,
  is_active: true,
  membership_type: 'monthly',
  duration_days: 30,
  original_price_fen: 1_990,
  features: ['一'],
};

const life = () =>
  eventsOf(async ({ price }) => {
    await price({ type: 'PriceListed', data: CREDITS });
    await price({ type: 'PriceListed', data: MONTHLY });
    await price({ type: 'PriceListed', data: { ...CREDITS, price_id: 'd' } });
    const change = { kind: 'credits', price_id: 'c', bonus: 20, is_active: false } as const;
    await price({ type: 'PriceChanged', data: change });
    const dearer = { kind: 'membership', price_id: 'm', price_fen: 1_090, features: [] } as const;
    await price({ type: 'PriceChanged', data: dearer });
    await price({ type: 'PriceRetired', data: { kind: 'credits', price_id: 'd' } });
  });

describe('points_packages and membership_prices', () => {
  it('follow their prices', async () => {
    const events = await life();
    const { packages, membershipPrices } = projected(events);
    const { kind: _, ...credits } = CREDITS;
    expect(packages.find('c')).toEqual({
      ...credits,
      bonus: 20,
      is_active: false,
      id: String(events[0]?.position),
      ledger_version: 2,
      retired_at: null,
    });
    expect(packages.find('d')).toMatchObject({ is_active: false, ledger_version: 3 });
    expect(packages.find('d')?.retired_at).not.toBeNull();
    const { kind: __, ...monthly } = MONTHLY;
    expect(membershipPrices.find('m')).toEqual({
      ...monthly,
      price_fen: 1_090,
      features: [],
      id: String(events[1]?.position),
      ledger_version: 1,
      retired_at: null,
    });
  });

  it('refuse an event that cannot follow', async () => {
    const events = await life();
    expect(() => projected(pick(events, [3]))).toThrow(ProjectionError);
    expect(() => projected(pick(events, [0, 0]))).toThrow(ProjectionError);
    expect(() => projected(pick(events, [0, 3, 3]))).toThrow(ProjectionError);
  });
});
