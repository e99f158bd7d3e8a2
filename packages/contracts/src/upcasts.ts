import type { AccountEventType } from '@points/domain/account/events';
import type { ModelEventType } from '@points/domain/catalog/events';
import type { PriceListEventType } from '@points/domain/price-list/events';

/** Turns the data of one version of an event into that of the next. Pure; knows nothing but the data. */
export type Upcast = (data: unknown) => unknown;

/**
 * The steps of each type, oldest first: the first turns version 1 into version 2. A type's present version is one
 * more than its steps. With a step comes a new golden fixture `<EventType>.v<n>.json`; the old ones stay.
 */
const UPCASTS: {
  readonly [
    Type in
      | AccountEventType
      | ModelEventType
      | PriceListEventType
      | 'ConfigLoaded'
      | 'LedgerAnchored'
  ]?: readonly Upcast[];
} = {};

const STEPS = new Map<string, readonly Upcast[]>(Object.entries(UPCASTS));

export function upcastsOf(type: string): readonly Upcast[] {
  return STEPS.get(type) ?? [];
}

export function presentVersion(type: string): number {
  return upcastsOf(type).length + 1;
}

export type Upcasted =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly problem: string };

/** Brings data written as `schema` (`<type>.v<n>`) to the version after the last step. */
export function upcast(
  type: string,
  schema: string,
  data: unknown,
  steps: readonly Upcast[],
): Upcasted {
  const prefix = `${type}.v`;
  const digits = schema.startsWith(prefix) ? schema.slice(prefix.length) : '';
  if (!/^[1-9]\d{0,3}$/.test(digits)) {
    return {
      ok: false,
      problem: `metadata.schema must be ${prefix}<number>, not ${JSON.stringify(schema)}`,
    };
  }
  const version = Number(digits);
  const newest = steps.length + 1;
  if (version > newest) {
    return {
      ok: false,
      problem: `written by a newer version of this software (${schema}; known up to ${prefix}${newest})`,
    };
  }
  return { ok: true, data: steps.slice(version - 1).reduce((older, step) => step(older), data) };
}
