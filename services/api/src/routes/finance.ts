import type { AuditLog } from '@points/audit/open-log';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import type { Authentication } from '../auth.ts';
import { FINANCE_BOUNDS, type FinanceBounds } from '../finance/bounds.ts';
import { createNeedLog } from '../finance/event-log.ts';
import type { Read } from '../read-tables.ts';
import { financeAccountRoutes } from './finance-accounts.ts';
import { financeEventsRoutes } from './finance-events.ts';
import { financeLedgerRoutes } from './finance-ledger.ts';

export interface FinanceRoutesDeps {
  /** Null when this deployment has not set EVENTSTORE_URL. */
  readonly eventLog: AuditLog | null;
  readonly read: Read;
  readonly authentication: Authentication;
  readonly bounds?: Partial<FinanceBounds> | undefined;
}

/** What finance reads: the log itself, and reports made from it. Nothing here writes. */
export function financeRoutes(deps: FinanceRoutesDeps): FastifyPluginCallbackZod {
  const needLog = createNeedLog(deps.eventLog);
  const bounds = { ...FINANCE_BOUNDS, ...deps.bounds };
  return (app, _, done) => {
    app.addHook('onRequest', deps.authentication.requireRole('finance'));
    app.register(financeEventsRoutes({ needLog, bounds }));
    app.register(financeAccountRoutes({ needLog, bounds }));
    app.register(financeLedgerRoutes({ needLog, bounds, read: deps.read }));
    done();
  };
}
