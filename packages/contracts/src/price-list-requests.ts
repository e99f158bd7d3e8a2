import { z } from 'zod';
import { id, MAX_DAYS, points, shortText } from './text.ts';

/**
 * The columns of the two price lists as an admin sends them: for a new price, and for changes to one. Money is integer
 * fen.
 */
const MAX_PRICE_FEN = 1_000_000_000_000;
/** A package and its bonus together stay below what one recharge may bring. */
const MAX_PACKAGE_POINTS = 100_000_000_000;
const MAX_SORT_ORDER = 1_000_000;
const MAX_FEATURES = 32;

const fen = z.int().min(1).max(MAX_PRICE_FEN);
const days = z.int().min(1).max(MAX_DAYS);
const isActive = z.boolean();
const sortOrder = z.int().min(0).max(MAX_SORT_ORDER);
const bonus = points(0).max(MAX_PACKAGE_POINTS);
const validityDays = days.nullable();
const features = z.array(shortText).max(MAX_FEATURES);

export const priceId = id.describe('The price; chosen by the caller, never used again in its list');
const creditsKind = z.literal('credits').describe('Packages of points');
const membershipKind = z.literal('membership');

const anyListed = {
  price_id: priceId,
  name: shortText.describe('Shown to users'),
  price_fen: fen.describe('What it costs, in fen'),
  sort_order: sortOrder.exactOptional().describe('Smaller ones come first; 0 when absent'),
  is_active: isActive.exactOptional().describe('Whether it is on offer; true when absent'),
};

const anyChanged = {
  price_id: priceId,
  name: shortText.exactOptional(),
  price_fen: fen.exactOptional(),
  sort_order: sortOrder.exactOptional(),
  is_active: isActive.exactOptional(),
};

export const creditsListed = {
  kind: creditsKind,
  ...anyListed,
  points: points(1).max(MAX_PACKAGE_POINTS),
  bonus: bonus.exactOptional().describe('Points on top; 0 when absent'),
  validity_days: validityDays
    .exactOptional()
    .describe("Days that the points live; null = for ever; the config's when absent"),
};

export const membershipListed = {
  kind: membershipKind,
  ...anyListed,
  membership_type: shortText.describe('Unique among the memberships that are not retired'),
  duration_days: days,
  original_price_fen: fen
    .nullable()
    .exactOptional()
    .describe('What it is shown to have cost before; null when absent'),
  features: features.exactOptional().describe('Shown to users, a line each; none when absent'),
};

export const creditsChanged = {
  kind: creditsKind,
  ...anyChanged,
  points: points(1).max(MAX_PACKAGE_POINTS).exactOptional(),
  bonus: bonus.exactOptional(),
  validity_days: validityDays.exactOptional(),
};

export const membershipChanged = {
  kind: membershipKind,
  ...anyChanged,
  membership_type: shortText.exactOptional(),
  duration_days: days.exactOptional(),
  original_price_fen: fen.nullable().exactOptional(),
  features: features.exactOptional(),
};
