import { describe, expect, it } from 'vitest';
import { type Upcast, upcast } from './upcasts.ts';

const added =
  (field: string): Upcast =>
  (data) => ({ ...(typeof data === 'object' ? data : {}), [field]: true });
const STEPS = [added('since_v2'), added('since_v3')];

describe('upcast', () => {
  it.each([
    ['Thing.v1', { since_v2: true, since_v3: true }],
    ['Thing.v2', { since_v3: true }],
    ['Thing.v3', {}],
  ])('brings %s to the present version', (schema, expected) => {
    expect(upcast('Thing', schema, {}, STEPS)).toEqual({ ok: true, data: expected });
  });

  it.each(['Thing.v4', 'Thing.v0', 'Thing.v', 'Thing', 'Thing.v1.5', 'Thing.v01', 'Other.v1', ''])(
    'refuses %j',
    (schema) => {
      expect(upcast('Thing', schema, {}, STEPS)).toMatchObject({ ok: false });
    },
  );
});
