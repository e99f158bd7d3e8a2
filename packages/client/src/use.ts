/** How much of something: points, units of quantity, or seconds (at most 3 decimals count). */
export type Use =
  | { readonly points: number }
  | { readonly quantity: number }
  | { readonly seconds: number };

/** What is thought to be needed, as the hold's fields say it. */
export function estimateFields(use: Use) {
  if ('points' in use) return { amount: use.points };
  if ('quantity' in use) return { quantity: use.quantity };
  return { estimated_duration: toMilliseconds(use.seconds) };
}

/** What was used, as a confirm's fields say it. */
export function actualFields(use: Use) {
  if ('points' in use) return { actual_amount: use.points };
  if ('quantity' in use) return { actual_quantity: use.quantity };
  return { actual_duration: toMilliseconds(use.seconds) };
}

/** Clocks measure finer than the ledger counts. */
function toMilliseconds(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
