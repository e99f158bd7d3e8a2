import { BrokenHistoryError } from '@points/audit/decode-account';
import { type AuditLog, isLogTrouble } from '@points/audit/open-log';
import { HttpError, partUnavailable } from '../error-body.ts';

/** The event log for one request; answers 503 naming `event_store` when this deployment has none. */
export type NeedLog = () => AuditLog;

/** @param log Null when EVENTSTORE_URL is not set. */
export function createNeedLog(log: AuditLog | null): NeedLog {
  return () => {
    if (log !== null) return log;
    throw new HttpError('service_unavailable', {
      text: {
        zh: '财务接口需要事件存储：请设置 api 的 EVENTSTORE_URL',
        en: 'The finance routes read the event log: set EVENTSTORE_URL of the api',
      },
      details: { part: 'event_store' },
    });
  };
}

/**
 * What to throw instead of an error that a read of the log, or a report made of it, has thrown: 503 for the store's
 * troubles; 500 with the finding when the log is not what the ledger wrote; bugs as they are.
 */
export function toLogAnswer(error: unknown): unknown {
  if (isLogTrouble(error)) return partUnavailable('event_store', error);
  if (!(error instanceof BrokenHistoryError)) return error;
  const { finding } = error;
  return new HttpError('internal_error', {
    text: {
      zh: `日志不可信，无法出具报告：${finding.message}`,
      en: `The log cannot be right, so no report is made of it: ${finding.message}`,
    },
    details: { finding },
    cause: error,
  });
}
