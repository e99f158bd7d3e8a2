import { type Account, freshAccount } from '../account/account.ts';
import { evolve } from '../account/evolve.ts';
import type {
  AccountCommand,
  AccountLimits,
  ActualUse,
  CancelHold,
  CommandContext,
  Expiry,
  HoldReference,
  HoldRequest,
} from '../account/commands.ts';
import { DEFAULT_LIMITS } from '../account/commands.ts';
import { type Decision, decide } from '../account/decide.ts';
import type {
  AccountEvent,
  AccountEventType,
  OveragePolicy,
  RechargeSource,
  RecordedAccountEvent,
} from '../account/events.ts';
import { type PersistentMap, mapEntries } from '../persistent-map.ts';
import type { HoldTerms } from '../pricing/resolve-price.ts';

/** For tests: an account with a clock, and one line per command. */
export interface Book {
  account: Account;
  nowMs: number;
  watermarkMs: number | null;
  limits: AccountLimits;
  readonly events: RecordedAccountEvent[];
  run(command: AccountCommand): Decision;
  context(over?: Partial<CommandContext>): CommandContext;
}

export const START_MS = Date.UTC(2026, 0, 1);

export function openBook(nowMs = START_MS): Book {
  const book: Book = {
    account: freshAccount(),
    nowMs,
    watermarkMs: null,
    limits: DEFAULT_LIMITS,
    events: [],
    run(command) {
      const decision = decide(command, book.account);
      if (decision.outcome === 'accepted') {
        book.account = decision.account;
        book.events.push(...decision.events);
      }
      return decision;
    },
    context(over) {
      const commandId = over?.commandId ?? uuidAt(book.nowMs);
      return {
        commandId,
        requestHash: over?.requestHash ?? `hash of ${commandId}`,
        client: 'ai-demo',
        admin: false,
        nowMs: book.nowMs,
        receivedMs: over?.nowMs ?? book.nowMs,
        watermarkMs: book.watermarkMs,
        limits: book.limits,
        ...over,
      };
    },
  };
  return book;
}

let counter = 0;

/** A UUIDv7 of that time; every call gives another one. */
export function uuidAt(timeMs: number): string {
  return uuidOf(timeMs, counter++);
}

/** The UUIDv7 of that time and number. */
export function uuidOf(timeMs: number, number: number): string {
  const time = timeMs.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

export function charged(amount: number, over: Partial<HoldTerms> = {}): HoldTerms {
  return {
    price: {
      mode: 'amount',
      unit: 'call',
      unit_price: String(amount),
      min_points: 0,
      rounding: 'ceil',
      source: 'amount',
      config_version: '',
    },
    amount,
    listPrice: amount,
    chargeMode: 'charged',
    memberFree: false,
    overage: 'debt',
    debtFloor: null,
    failurePolicy: 'cancel',
    ttlMs: 30 * 60_000,
    description: '',
    ...over,
  };
}

export function recharge(
  book: Book,
  points: number,
  over: {
    expiry?: Expiry;
    bonus?: number;
    source?: RechargeSource;
    sourceRef?: string;
    context?: Partial<CommandContext>;
  } = {},
): Decision {
  const context = book.context(over.context);
  return book.run({
    kind: 'Recharge',
    context,
    source: over.source ?? 'order',
    sourceRef: over.sourceRef ?? context.commandId,
    points,
    bonusPoints: over.bonus ?? 0,
    expiry: over.expiry ?? { kind: 'never' },
    description: '',
  });
}

export interface HoldOptions {
  readonly holdId?: string;
  readonly overage?: OveragePolicy;
  readonly debtFloor?: number | null;
  readonly terms?: HoldRequest['terms'];
  readonly context?: Partial<CommandContext>;
  readonly request?: Partial<HoldRequest>;
}

let recordId = 1;

export function holdRequest(book: Book, amount: number, options: HoldOptions = {}): HoldRequest {
  const policies = {
    overage: options.overage ?? ('debt' as const),
    debtFloor: options.debtFloor ?? null,
  };
  const terms =
    amount === 0 ? charged(0, { chargeMode: 'free', ...policies }) : charged(amount, policies);
  return {
    holdId: options.holdId ?? uuidAt(book.nowMs),
    recordId: recordId++,
    terms: options.terms ?? terms,
    metadata: {},
    ...options.request,
  };
}

export function hold(book: Book, amount: number, options: HoldOptions = {}): Decision {
  return book.run({
    kind: 'HoldPoints',
    context: book.context(options.context),
    hold: holdRequest(book, amount, options),
  });
}

export function confirm(
  book: Book,
  hold: string | HoldReference,
  actual?: number | ActualUse,
  context?: Partial<CommandContext>,
): Decision {
  const id = typeof hold === 'string' ? hold : 'holdId' in hold ? hold.holdId : hold.recordId;
  return book.run({
    kind: 'ConfirmHold',
    context: book.context(context),
    hold: typeof hold === 'string' ? { holdId: hold } : hold,
    actual: use(actual),
    late: { holdId: `late ${id}`, recordId: recordId++ },
  });
}

export function cancel(
  book: Book,
  hold: string | HoldReference,
  reason: CancelHold['reason'] = 'caller',
  context?: Partial<CommandContext>,
): Decision {
  return book.run({
    kind: 'CancelHold',
    context: book.context(context),
    hold: typeof hold === 'string' ? { holdId: hold } : hold,
    reason,
  });
}

export function consume(
  book: Book,
  amount: number,
  options: HoldOptions = {},
  actual?: number | ActualUse,
): Decision {
  return book.run({
    kind: 'Consume',
    context: book.context(options.context),
    hold: holdRequest(book, amount, options),
    actual: use(actual),
  });
}

export function extend(
  book: Book,
  holdId: string,
  ttlMs: number,
  context?: Partial<CommandContext>,
): Decision {
  return book.run({ kind: 'ExtendHold', context: book.context(context), hold: { holdId }, ttlMs });
}

/** `points` absent = all that is left of the charge. */
export function refund(
  book: Book,
  hold: string | HoldReference,
  points?: number,
  context?: Partial<CommandContext>,
): Decision {
  return book.run({
    kind: 'RefundCharge',
    context: book.context(context),
    hold: typeof hold === 'string' ? { holdId: hold } : hold,
    ...(points === undefined ? {} : { points }),
    reason: 'not good',
    operator: 'ann',
  });
}

export function reverseRecharge(
  book: Book,
  sourceRef: string,
  context?: Partial<CommandContext>,
): Decision {
  return book.run({
    kind: 'ReverseRecharge',
    context: book.context(context),
    sourceRef,
    reason: 'charged back',
    operator: 'ann',
  });
}

export function adjust(
  book: Book,
  delta: number,
  options: { readonly forced?: boolean; readonly context?: Partial<CommandContext> } = {},
): Decision {
  return book.run({
    kind: 'Adjust',
    context: book.context(options.context),
    delta,
    reason: 'put right',
    operator: 'ann',
    forced: options.forced ?? false,
  });
}

export function freeze(book: Book, context?: Partial<CommandContext>): Decision {
  return book.run({
    kind: 'Freeze',
    context: book.context(context),
    reason: 'looked into',
    operator: 'ann',
  });
}

export function unfreeze(book: Book, context?: Partial<CommandContext>): Decision {
  return book.run({
    kind: 'Unfreeze',
    context: book.context(context),
    reason: 'all well',
    operator: 'ann',
  });
}

export function grantMembership(
  book: Book,
  days: number,
  options: {
    readonly type?: string;
    readonly orderNo?: string;
    readonly context?: Partial<CommandContext>;
  } = {},
): Decision {
  const context = book.context(options.context);
  return book.run({
    kind: 'GrantMembership',
    context,
    membershipType: options.type ?? 'month',
    durationDays: days,
    orderNo: options.orderNo ?? context.commandId,
  });
}

export function revokeMembership(book: Book, context?: Partial<CommandContext>): Decision {
  return book.run({
    kind: 'RevokeMembership',
    context: book.context(context),
    reason: 'abuse',
    operator: 'ann',
  });
}

function use(actual: number | ActualUse | undefined): ActualUse {
  if (actual === undefined) return { kind: 'as_held' };
  return typeof actual === 'number' ? { kind: 'points', points: actual } : actual;
}

export function sweep(book: Book): Decision {
  return book.run({ kind: 'ExpireDue', context: book.context() });
}

type EventData = { [Type in AccountEventType]: Extract<AccountEvent, { type: Type }>['data'] };

/** The data of all events of one type so far, oldest first. */
export function eventsOf<Type extends AccountEventType>(
  book: Pick<Book, 'events'>,
  type: Type,
): EventData[Type][] {
  return book.events
    .map((recorded): { type: string; data: unknown } => recorded.event)
    .filter((event): event is { type: Type; data: EventData[Type] } => event.type === type)
    .map((event) => event.data);
}

/** The state rebuilt from the events' JSON, as another process would. */
export function replay(events: readonly RecordedAccountEvent[], rememberedIds?: number): Account {
  return (JSON.parse(JSON.stringify(events)) as RecordedAccountEvent[]).reduce(
    evolve,
    freshAccount(rememberedIds),
  );
}

/** The whole state as plain, ordered data, for comparing. */
export function dump(account: Account): unknown {
  return {
    ...account,
    openHolds: sorted(account.openHolds),
    settledHolds: sorted(account.settledHolds),
    recordIds: sorted(account.recordIds),
    commands: sorted(account.commands),
    refunds: sorted(account.refunds),
    sources: sorted(account.sources),
    orders: sorted(account.orders),
    memory: { ...account.memory, entries: sorted(account.memory.entries) },
  };
}

function sorted<Key extends string | number, Value extends NonNullable<unknown>>(
  map: PersistentMap<Key, Value>,
): [Key, Value][] {
  return mapEntries(map).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
