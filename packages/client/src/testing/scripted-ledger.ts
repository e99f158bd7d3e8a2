import { LEDGER_QUEUE } from '@points/contracts/ledger';
import { LEDGER_ERRORS, type LedgerErrorCode } from '@points/contracts/errors';
import type { Nats } from '@points/runtime/nats';

export interface Asked {
  /** `hold`, `confirm`, … */
  readonly verb: string;
  readonly body: Record<string, unknown>;
  readonly deadline: string | null;
}

/** What a test makes of one request: a reply's body, or null for no reply at all. */
export type Script = (asked: Asked, count: number) => object | string | null;

/** Hears commands as the ledger does, and answers as the test says: slow, silent and wrong ledgers. */
export async function startScriptedLedger(nats: Nats, script: Script): Promise<ScriptedLedger> {
  const asked: Asked[] = [];
  const subscription = nats.connection.subscribe('ledger.v1.cmd.>', {
    queue: LEDGER_QUEUE,
    callback: (error, message) => {
      if (error !== null) throw error;
      const body = JSON.parse(message.string()) as Record<string, unknown>;
      const each = {
        verb: message.subject.split('.')[4] ?? '',
        body,
        deadline: message.headers?.get('Ledger-Deadline') || null,
      };
      asked.push(each);
      const reply = script(each, asked.length);
      if (reply !== null)
        message.respond(Buffer.from(typeof reply === 'string' ? reply : JSON.stringify(reply)));
    },
  });
  await nats.connection.flush();
  return {
    asked,
    async stop() {
      subscription.unsubscribe();
      await nats.connection.flush();
    },
  };
}

export interface ScriptedLedger {
  readonly asked: readonly Asked[];
  stop(): Promise<void>;
}

export function held({ body }: Asked, ttlMs = 1_800_000): object {
  const now = Date.now();
  return success(body, {
    hold_id: body['hold_id'],
    record_id: 1,
    task_no: 'TASK202611250000000001',
    status: 'held',
    amount: 10,
    charge_mode: 'charged',
    price: {
      mode: 'amount',
      unit: 'call',
      unit_price: '10',
      min_points: 0,
      rounding: 'ceil',
      source: 'amount',
      config_version: 'v',
    },
    expires_at: new Date(now + ttlMs).toISOString(),
  });
}

export function confirmed({ body }: Asked): object {
  return success(body, {
    hold_id: body['hold_id'],
    record_id: 1,
    status: 'confirmed',
    held_amount: 10,
    amount: 10,
    released: 0,
    overage: 0,
    waived: 0,
    late: false,
  });
}

export function extended({ body }: Asked, ttlMs: number, expiresAt?: string): object {
  const end = expiresAt ?? new Date(Date.now() + ttlMs).toISOString();
  return success(body, { hold_id: body['hold_id'], expires_at: end });
}

export function canceled({ body }: Asked): object {
  return success(body, { hold_id: body['hold_id'], status: 'canceled', released: 10 });
}

export function refusal({ body }: Asked, code: LedgerErrorCode, retryAfterMs?: number): object {
  const { number, status, retryable, applied, en } = LEDGER_ERRORS[code];
  return {
    ok: false,
    command_id: body['command_id'],
    error: {
      code,
      number,
      status,
      message: en,
      retryable,
      applied,
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
    },
  };
}

function success(body: Asked['body'], result: object): object {
  return {
    ok: true,
    command_id: body['command_id'],
    duplicate: false,
    result,
    balance: { balance: 100, held: 10, available: 90 },
    account_revision: 1,
    at: new Date().toISOString(),
  };
}
