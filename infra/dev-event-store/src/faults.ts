/**
 * Trouble on demand, for tests. A switch applies to the next calls that match it, oldest switch first; every one counts
 * its hits and can be waited for, so that no test has to sleep.
 */
export function createFaults(deps: FaultDeps): FaultControl {
  const append = createFaultQueue<AppendFault>();
  const read = createFaultQueue<ReadFault>();
  const features = createFaultQueue<FeaturesFault>();
  const delivery = createFaultQueue<DeliveryFault>();
  return {
    takeAppend: append.take,
    takeRead: read.take,
    takeFeatures: () => features.take(''),
    takeDelivery: delivery.take,
    faults: {
      append: append.add,
      read: read.add,
      features: (fault, times) => features.add(fault, times === undefined ? {} : { times }),
      delivery: delivery.add,
      cutConnections: deps.cutConnections,
      endSubscriptions: deps.endSubscriptions,
      clear: () => {
        for (const queue of [append, read, features, delivery]) queue.clear();
      },
    },
  };
}

/** What can happen to one append, on both append paths. */
export type AppendFault =
  /** Written; the caller never hears of it. `cut` also resets its connection. */
  | { readonly kind: 'ack_lost'; readonly then: 'silence' | 'cut' }
  /** Neither written nor answered. */
  | { readonly kind: 'never_answered' }
  /** Written; answered `afterMs` later, or when null on `release()`, whatever the deadline. */
  | { readonly kind: 'late'; readonly afterMs: number | null }
  /** Waits before it is handled as usual; beyond 2 s it is answered Timeout first and written all the same. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Refused. Not written, except a timeout with `written`. */
  | {
      readonly kind: 'refused';
      readonly as: 'access_denied' | 'not_ready' | 'busy' | 'bad_request';
    }
  | { readonly kind: 'refused'; readonly as: 'timeout'; readonly written: boolean }
  /** The whole call fails with NotLeader, and with it everything in flight on a batch call. Not written. */
  | { readonly kind: 'not_leader'; readonly host: string; readonly port: number }
  /** The whole call fails with this gRPC status code, such as 13 INTERNAL. */
  | { readonly kind: 'call_failed'; readonly code: number; readonly written: boolean }
  /** The server ends the call with OK and without an answer. */
  | { readonly kind: 'call_ended'; readonly written: boolean };

/** What can happen to a read or to the start of a subscription. */
export type ReadFault =
  /** Nothing comes until `release()`; then it goes on as usual. */
  | { readonly kind: 'hangs' }
  /** Fails with this gRPC status code, such as 14 UNAVAILABLE, after that many events. */
  | { readonly kind: 'fails'; readonly code: number; readonly afterEvents?: number };

export type FeaturesFault = 'never_answered' | 'internal';

/** What can happen to one event on its way to a live subscriber. */
export type DeliveryFault = 'sent_twice';

export interface FaultScope {
  /** Only this stream; `$all` for reads of the whole log. Default: any. */
  readonly stream?: string;
  /** For how many calls; default 1, `Infinity` = until removed. */
  readonly times?: number;
}

export interface FaultHandle {
  readonly hits: number;
  /** Resolves once it has been hit that often (default once). */
  whenHit(hits?: number): Promise<void>;
  /** Lets go what it holds back, and everything it is hit by afterwards. */
  release(): void;
  /** Stops applying; what it holds back stays held. */
  remove(): void;
}

export interface Faults {
  append(fault: AppendFault, scope?: FaultScope): FaultHandle;
  read(fault: ReadFault, scope?: FaultScope): FaultHandle;
  /** `GetSupportedMethods`, which a client asks before its first append. */
  features(fault: FeaturesFault, times?: number): FaultHandle;
  /** Scoped by the event's stream. */
  delivery(fault: DeliveryFault, scope?: FaultScope): FaultHandle;
  /** Resets every connection. */
  cutConnections(): void;
  /** Ends every subscription: `ok` = without an error, `too_slow` = as a live subscriber that fell behind. */
  endSubscriptions(as: 'ok' | 'too_slow' | 'unavailable'): void;
  /** Removes every switch and releases what they hold. */
  clear(): void;
}

export interface FaultDeps {
  cutConnections(): void;
  endSubscriptions(as: 'ok' | 'too_slow' | 'unavailable'): void;
}

export interface TakenFault<Fault> {
  readonly fault: Fault;
  /** Calls back at once when it has been released already. */
  onRelease(listener: () => void): void;
}

export interface FaultControl {
  readonly faults: Faults;
  /** The fault that hits this call, if any. */
  takeAppend(stream: string): TakenFault<AppendFault> | null;
  takeRead(stream: string): TakenFault<ReadFault> | null;
  takeFeatures(): TakenFault<FeaturesFault> | null;
  takeDelivery(stream: string): TakenFault<DeliveryFault> | null;
}

interface Switch<Fault> {
  readonly taken: TakenFault<Fault>;
  matches(stream: string): boolean;
  hit(): void;
  release(): void;
  left: number;
}

function createFaultQueue<Fault>() {
  let switches: Switch<Fault>[] = [];
  return {
    add: (fault: Fault, scope: FaultScope = {}): FaultHandle => {
      let hits = 0;
      let released = false;
      const held: (() => void)[] = [];
      const waiting: { hits: number; resolve: () => void }[] = [];
      const added: Switch<Fault> = {
        left: scope.times ?? 1,
        matches: (stream) => scope.stream === undefined || scope.stream === stream,
        taken: {
          fault,
          onRelease: (listener) => void (released ? listener() : held.push(listener)),
        },
        hit: () => {
          hits += 1;
          for (const waiter of waiting) if (hits >= waiter.hits) waiter.resolve();
        },
        release: () => {
          released = true;
          for (const listener of held.splice(0)) listener();
        },
      };
      switches.push(added);
      return {
        get hits() {
          return hits;
        },
        whenHit: (wanted = 1) =>
          hits >= wanted
            ? Promise.resolve()
            : new Promise((resolve) => waiting.push({ hits: wanted, resolve })),
        release: added.release,
        remove: () => {
          switches = switches.filter((other) => other !== added);
        },
      };
    },
    take: (stream: string): TakenFault<Fault> | null => {
      const found = switches.find(({ matches }) => matches(stream));
      if (found === undefined) return null;
      found.left -= 1;
      if (found.left <= 0) switches = switches.filter((other) => other !== found);
      found.hit();
      return found.taken;
    },
    clear: (): void => {
      const all = switches;
      switches = [];
      for (const each of all) each.release();
    },
  };
}
