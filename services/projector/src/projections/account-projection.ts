import type { AccountEvent, AccountEventType, EventContext } from '@points/domain/account/events';
import type { WorkingSet } from '../working-set.ts';

export type AccountData = {
  [Type in AccountEventType]: Extract<AccountEvent, { type: Type }>['data'];
};

/** What one group of rows does with each account event. A new type of event does not compile until it has its place. */
export type AccountProjection = {
  readonly [Type in AccountEventType]: (
    set: WorkingSet,
    data: AccountData[Type],
    place: AccountPlace,
  ) => void;
};

/** For the types of events that change nothing in these rows: said, not forgotten. */
export function ignored(): void {}

/** Where an account event stands. */
export interface AccountPlace {
  readonly accountId: string;
  readonly eventId: string;
  /** Log position. */
  readonly position: bigint;
  readonly revision: number;
  readonly context: EventContext;
}

/** Revision of the first event of the same command: where the command's answer stands. */
export function firstRevision({ revision, context }: AccountPlace): number {
  return revision - context.index;
}
