import { openLog, type AuditLog } from '@points/audit/open-log';
import { type DevEventStore, startDevEventStore } from '@points/dev-event-store/server';
import { createLedgerWriter, type LedgerWriter } from '@points/projector/testing/ledger-writer';
import type { FastifyInstance } from 'fastify';
import { expect, vi } from 'vitest';
import type { AppDeps } from '../app.ts';
import { bearer, buildTestApp } from './test-app.ts';

/** The api on an event store of its own, in memory, that `writer` writes to as the ledger would. */
export interface FinanceWorld {
  readonly store: DevEventStore;
  readonly log: AuditLog;
  readonly writer: LedgerWriter;
  readonly app: FastifyInstance;
  /** Pages of the log and whole streams that were asked for since the start. */
  readonly reads: { pages: number; streams: number };
  /** The answer to somebody of the role finance. */
  get(path: string, headers?: Record<string, string>): Promise<FinanceAnswer>;
  endOfLog(): Promise<bigint>;
  close(): Promise<void>;
}

type FinanceAnswer = Awaited<ReturnType<FastifyInstance['inject']>>;

export async function createFinanceWorld(overrides: Partial<AppDeps> = {}): Promise<FinanceWorld> {
  const store = await startDevEventStore({ dataDir: null });
  const log = openLog(store.url);
  const reads = { pages: 0, streams: 0 };
  const counted: AuditLog = {
    ...log,
    readAll(options) {
      reads.pages += 1;
      return log.readAll(options);
    },
    readStream(stream, options) {
      reads.streams += 1;
      return log.readStream(stream, options);
    },
  };
  const app = buildTestApp({
    eventLog: counted,
    financeBounds: { retryPausesMs: [1, 1] },
    ...overrides,
  });
  return {
    store,
    log,
    writer: createLedgerWriter(log),
    app,
    reads,
    get: async (path, headers = {}) =>
      app.inject({
        url: `/api/v1/finance/${path}`,
        headers: { ...(await bearer('auditor', ['finance'])), ...headers },
      }),
    endOfLog: async () => (await log.readLastPosition()) ?? 0n,
    async close() {
      await app.close();
      await log.close();
      await store.close();
    },
  };
}

/** Resolves when `condition` holds; for what nothing tells of. */
export async function untilSo(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 5 });
}
