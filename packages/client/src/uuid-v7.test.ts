import { uuidV7 as schema } from '@points/contracts/text';
import { expect, it } from 'vitest';
import { uuidV7 } from './uuid-v7.ts';

it('has the form that the ledger demands', () => {
  for (let i = 0; i < 1_000; i += 1) expect(schema.safeParse(uuidV7()).success).toBe(true);
});

it('carries its time', () => {
  const nowMs = Date.UTC(2026, 10, 25, 12, 30);
  const hex = uuidV7(nowMs).replaceAll('-', '').slice(0, 12);
  expect(Number.parseInt(hex, 16)).toBe(nowMs);
});

it('is another one each time, also within a millisecond', () => {
  expect(new Set(Array.from({ length: 10_000 }, () => uuidV7(0))).size).toBe(10_000);
});
