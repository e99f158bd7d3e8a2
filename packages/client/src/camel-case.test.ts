import { ENDPOINTS } from '@points/contracts/ledger';
import { REQUESTS } from '@points/contracts/ledger-requests';
import { expect, it } from 'vitest';
import { camelized, toWire } from './camel-case.ts';

it('a reply: every key, also in lists, except those in metadata', () => {
  expect(
    camelized({
      hold_id: 'h',
      price: { unit_price: '1', config_version: 'v' },
      open_holds: [{ record_id: 1, task_no: 'T' }],
      metadata: { my_key: 'x' },
      transaction_id: undefined,
      membership: null,
    }),
  ).toEqual({
    holdId: 'h',
    price: { unitPrice: '1', configVersion: 'v' },
    openHolds: [{ recordId: 1, taskNo: 'T' }],
    metadata: { my_key: 'x' },
    transactionId: undefined,
    membership: null,
  });
});

it('a request: fields that are undefined are not there', () => {
  expect(
    toWire({ accountId: 'a', ttlMs: 5, metadata: { myKey: 'x' }, quantity: undefined }),
  ).toEqual({ account_id: 'a', ttl_ms: 5, metadata: { myKey: 'x' } });
});

it('every field of every request: there and back', () => {
  const fields = ENDPOINTS.map((name) => REQUESTS[name]).flatMap((schema) =>
    'shape' in schema ? Object.keys(schema.shape) : [],
  );
  expect(fields).toContain('hold_id');
  for (const field of fields) {
    expect(Object.keys(toWire(camelized({ [field]: 1 })))).toEqual([field]);
  }
});
