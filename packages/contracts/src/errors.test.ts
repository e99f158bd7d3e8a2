import { describe, expect, it } from 'vitest';
import { errorDefinition, HTTP_ERRORS, isLedgerErrorCode, LEDGER_ERRORS } from './errors.ts';

const LEDGER = Object.entries(LEDGER_ERRORS);

describe('the list of errors', () => {
  it('has the public numbers and statuses', () => {
    const rows = LEDGER.map(([code, { number, status }]) => `${number} ${status} ${code}`);
    expect(rows).toMatchInlineSnapshot(`
      [
        "1001001 402 insufficient_points",
        "1001002 404 price_not_found",
        "1001003 503 contention",
        "1001004 404 hold_not_found",
        "1001005 409 hold_already_confirmed",
        "1001005 409 hold_already_canceled",
        "1001006 410 hold_expired",
        "1001007 409 command_id_reused",
        "1001007 409 hold_id_reused",
        "1001007 409 source_ref_reused",
        "1001008 403 account_frozen",
        "1001010 404 order_not_found",
        "1001011 400 payment_verification_failed",
        "1001012 400 payment_mismatch",
        "1001013 422 duration_unknown",
        "1001014 502 upstream_failed",
        "1001015 409 model_disabled",
        "1001016 409 price_changed",
        "1001017 429 usage_cap_reached",
        "1001018 400 invalid_argument",
        "1001019 400 command_too_old",
        "1001019 400 hold_id_too_old",
        "1001019 400 id_in_future",
        "1001020 403 forbidden",
        "1001021 429 too_many_open_holds",
        "1001022 422 overage_rejected",
        "1001023 409 refund_exceeds_charge",
        "1001024 404 recharge_not_found",
        "1001025 503 overloaded",
        "1001026 503 store_unavailable",
        "1001027 504 deadline_exceeded",
        "1001028 500 outcome_unknown",
        "1001029 404 command_unknown",
      ]
    `);
  });

  it('gives one number one status', () => {
    const statusByNumber = new Map<number, number>();
    for (const [, { number, status }] of LEDGER) {
      expect(statusByNumber.get(number) ?? status).toBe(status);
      statusByNumber.set(number, status);
    }
  });

  it('speaks Chinese and plain ASCII English (which may stand in a header)', () => {
    for (const { zh, en } of [...Object.values(LEDGER_ERRORS), ...Object.values(HTTP_ERRORS)]) {
      expect(zh).toMatch(/^[\u4E00-\u9FFF，]+$/);
      expect(en).toMatch(/^[ -~]+$/);
    }
  });

  it('tells the callers to retry exactly what is not their fault', () => {
    const retryable = LEDGER.filter(([, definition]) => definition.retryable).map(([code]) => code);
    expect(retryable).toEqual([
      'contention',
      'upstream_failed',
      'overloaded',
      'store_unavailable',
      'deadline_exceeded',
      'outcome_unknown',
    ]);
    expect(LEDGER.filter(([, { applied }]) => applied === 'unknown').map(([code]) => code)).toEqual(
      ['outcome_unknown'],
    );
  });

  it('uses the status as the number of HTTP errors, each once', () => {
    const statuses = Object.values(HTTP_ERRORS).map(({ number, status }) =>
      number === status ? status : null,
    );
    expect(new Set(statuses).size).toBe(statuses.length);
    expect(statuses).not.toContain(null);
  });

  it('finds an error by its code', () => {
    expect(errorDefinition('contention').number).toBe(1001003);
    expect(errorDefinition('unauthorized').number).toBe(401);
    expect(isLedgerErrorCode('unauthorized')).toBe(false);
    expect(isLedgerErrorCode('constructor')).toBe(false);
  });
});
