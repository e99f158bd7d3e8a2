import type { AccountEvent, RecordedAccountEvent } from '@points/domain/account/events';
import { type Account, freshAccount } from '@points/domain/account/account';
import { decide } from '@points/domain/account/decide';
import { createAuditor } from '@points/domain/testing/auditor';
import { type History } from '@points/domain/testing/history';
import { narrate } from '@points/domain/testing/narrate';
import { encodeMetadata } from '@points/contracts/stored-events';
import type { AuditEvent } from '../../audit-event.ts';

/** For tests: the events of one random history, and the account as the domain folded them. */
export function liveOut(history: History): { events: RecordedAccountEvent[]; account: Account } {
  let account = freshAccount();
  const events: RecordedAccountEvent[] = [];
  const narrator = narrate(history);
  for (const step of history.steps) {
    const command = step.do === 'reopen' ? null : narrator.next(step);
    if (command === null) continue;
    const decision = decide(command, account);
    if (decision.outcome !== 'accepted') continue;
    account = decision.account;
    events.push(...decision.events);
  }
  return { events, account };
}

/** The event as the log has it. */
export function stored(recorded: RecordedAccountEvent, revision: number): AuditEvent {
  const { event } = recorded;
  return {
    id: '00000000-0000-5000-8000-000000000000',
    stream: 'account-ada',
    revision,
    position: BigInt(revision),
    type: event.type,
    data: structuredClone(event.data) as unknown as AuditEvent['data'],
    metadata: encodeMetadata({
      eventType: event.type,
      // Random histories hash nothing.
      context: { ...recorded.context, request_hash: 'a'.repeat(64) },
      commandName: 'hold',
      actorType: 'client',
      actorId: 'ai-demo',
      correlationId: 'c',
      causationId: 'c',
    }),
  };
}

/** Place of the first event that the domain's naive auditor refuses; null = it accepts them all. */
export function naiveVerdict(events: readonly RecordedAccountEvent[]): number | null {
  const auditor = createAuditor();
  for (const [place, event] of events.entries()) {
    try {
      auditor.check(event);
    } catch {
      return place;
    }
  }
  return null;
}

export function withData(
  recorded: RecordedAccountEvent,
  data: AccountEvent['data'],
): RecordedAccountEvent {
  return { ...recorded, event: { ...recorded.event, data } as AccountEvent };
}
