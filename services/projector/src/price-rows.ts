import type { TableSpec, Time } from './rows.ts';

interface AnyPriceRow {
  price_id: string;
  id: string;
  name: string;
  price_fen: number;
  is_active: boolean;
  sort_order: number;
  ledger_version: number;
  retired_at: Time | null;
}

export interface PackageRow extends AnyPriceRow {
  points: number;
  bonus: number;
  validity_days: number | null;
}

export interface MembershipPriceRow extends AnyPriceRow {
  membership_type: string;
  duration_days: number;
  original_price_fen: number | null;
  features: readonly string[];
}

const ANY_PRICE = {
  price_id: 'text',
  id: 'position',
  name: 'text',
  price_fen: 'bigint',
  is_active: 'boolean',
  sort_order: 'bigint',
  ledger_version: 'bigint',
  retired_at: 'timestamptz',
} as const;

export const PACKAGES: TableSpec<PackageRow> = {
  table: 'points_packages',
  key: ['price_id'],
  existing: 'update',
  columns: { ...ANY_PRICE, points: 'bigint', bonus: 'bigint', validity_days: 'bigint' },
};

export const MEMBERSHIP_PRICES: TableSpec<MembershipPriceRow> = {
  table: 'membership_prices',
  key: ['price_id'],
  existing: 'update',
  columns: {
    ...ANY_PRICE,
    membership_type: 'text',
    duration_days: 'bigint',
    original_price_fen: 'bigint',
    features: 'jsonb',
  },
};
