import { setImmediate as nextTurn } from 'node:timers/promises';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { unary } from './calls.ts';
import { createNameFilter, EVERY_EVENT } from './event-filter.ts';
import type { EventFilter } from './event-filter.ts';
import { eventMessage } from './event-message.ts';
import type { FaultControl } from './faults.ts';
import type { GrpcCall, GrpcHandler } from './grpc-server.ts';
import type { LogStore } from './log-store.ts';
import {
  BadMessageError,
  decodeMessage,
  decodeStreamName,
  decodeUint64,
  streamNotFoundMessage,
} from './messages.ts';
import { callStatus } from './statuses.ts';
import { absenceOf, isReadable, readAll, readStream } from './stream-reads.ts';
import type { Position, ReadPage } from './stream-reads.ts';
import { createAllSource, createSendEvent, createStreamSource } from './subscription-sources.ts';
import { runSubscription } from './subscription.ts';
import type { SlowSubscriber } from './subscription.ts';

/** `Streams.Read`: reads of a stream or of `$all` in both directions, and subscriptions to either. */
export function createReadHandler(deps: ReadDeps): GrpcHandler {
  return unary((bytes, call) => {
    const options = decodeMessage(streams.ReadReq, bytes).getOptions();
    if (options === undefined) throw new BadMessageError('a read without options');
    if (options.getUuidOption() === undefined)
      throw new BadMessageError("'uuidOption' is a required argument");
    const request = parse(options);
    const taken = deps.faults.takeRead(request.target === 'all' ? '$all' : request.stream);
    if (taken === null) return start(deps, { request, call });
    const { fault } = taken;
    if (fault.kind === 'hangs') taken.onRelease(() => start(deps, { request, call }));
    else
      start(deps, {
        request,
        call,
        failure: { code: fault.code, afterEvents: fault.afterEvents ?? 0 },
      });
  });
}

export interface ReadDeps {
  readonly log: LogStore;
  readonly faults: FaultControl;
  readonly slowSubscriber: SlowSubscriber;
  /** The calls of running subscriptions. */
  readonly subscriptions: Set<GrpcCall>;
}

/** What the real server looks at between checkpoints, unless the client says otherwise. */
const DEFAULT_SEARCH_WINDOW_EVENTS = 32;
/** Pages without a match that may be passed over before other calls get their turn. */
const PAGES_PER_TURN = 256;

interface Filtered {
  readonly filter: EventFilter;
  readonly searchWindow: number;
  readonly intervalMultiplier: number;
}

type ReadRequest = { readonly backwards: boolean; readonly maxCount: number | 'subscription' } & (
  | { readonly target: 'stream'; readonly stream: string; readonly from: number | 'start' | 'end' }
  | {
      readonly target: 'all';
      readonly from: Position | 'start' | 'end';
      readonly filtered: Filtered | null;
    }
);

interface Running {
  readonly request: ReadRequest;
  readonly call: GrpcCall;
  readonly failure?: { readonly code: number; readonly afterEvents: number };
}

function start(deps: ReadDeps, running: Running): void {
  const { request, call, failure } = running;
  if (call.closed) return;
  if (failure?.afterEvents === 0)
    return call.fail({ code: failure.code, details: 'failed by a fault switch' });
  if (
    request.target === 'all' &&
    typeof request.from === 'object' &&
    !isReadable(deps.log, request.from)
  ) {
    return call.fail(
      request.maxCount === 'subscription'
        ? callStatus.invalidArgument('Trying to read from an invalid position.')
        : callStatus.unhandled(new Error('Unexpected ReadAllResult: Error')),
    );
  }
  if (request.maxCount === 'subscription') subscribe(deps, running);
  else void sendPages(running, readPages(deps.log, request, request.maxCount));
}

function readPages(log: LogStore, request: ReadRequest, maxCount: number): Generator<ReadPage> {
  const { backwards } = request;
  if (request.target === 'stream') {
    const from = request.from === 'start' ? 0 : request.from;
    if (from === 'end' && !backwards) return (function* nothing() {})();
    return readStream(log, { stream: request.stream, from, backwards, maxCount });
  }
  const from = request.from === 'start' ? { commit: 0, prepare: 0 } : request.from;
  if (from === 'end' && !backwards) return (function* nothing() {})();
  return readAll(log, {
    from,
    backwards,
    maxCount,
    filter: request.filtered?.filter ?? EVERY_EVENT,
  });
}

async function sendPages(
  { request, call, failure }: Running,
  pages: Generator<ReadPage>,
): Promise<void> {
  let sentEvents = 0;
  let silentPages = 0;
  for (const page of pages) {
    if (call.closed) return;
    if (page.kind !== 'events') {
      const stream = request.target === 'stream' ? request.stream : '';
      if (page.kind === 'deleted') return call.fail(callStatus.streamDeleted(stream));
      call.write([streamNotFoundMessage(stream)]);
      break;
    }
    const events =
      failure === undefined ? page.events : page.events.slice(0, failure.afterEvents - sentEvents);
    sentEvents += events.length;
    const roomLeft = call.write(events.map(eventMessage));
    if (failure !== undefined && sentEvents >= failure.afterEvents) {
      return call.fail({ code: failure.code, details: 'failed by a fault switch' });
    }
    silentPages = events.length === 0 ? silentPages + 1 : 0;
    if (!roomLeft) await call.drained();
    else if (silentPages % PAGES_PER_TURN === PAGES_PER_TURN - 1) await nextTurn();
  }
  call.end();
}

function subscribe(deps: ReadDeps, { request, call }: Running): void {
  const { log, subscriptions, slowSubscriber } = deps;
  const send = createSendEvent((stream) => deps.faults.takeDelivery(stream) !== null);
  subscriptions.add(call);
  call.onClosed(() => subscriptions.delete(call));
  if (request.target === 'stream') {
    const { stream, from } = request;
    if (absenceOf(log, stream) === 'deleted') return call.fail(callStatus.streamDeleted(stream));
    const source = createStreamSource(log, { stream, after: from === 'start' ? -1 : from, send });
    void runSubscription({ call, log, source, slowSubscriber, name: stream });
    return;
  }
  const { from, filtered } = request;
  const source = createAllSource(log, {
    after: from === 'start' ? null : from,
    filter: filtered?.filter ?? EVERY_EVENT,
    checkpoints:
      filtered === null
        ? null
        : {
            searchWindow: filtered.searchWindow,
            interval: filtered.searchWindow * filtered.intervalMultiplier,
          },
    send,
  });
  void runSubscription({ call, log, source, slowSubscriber, name: '$all' });
}

function parse(options: streams.ReadReq.Options): ReadRequest {
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  if (!options.hasSubscription() && !options.hasCount())
    throw new BadMessageError('neither a count nor a subscription');
  if (options.hasSubscription() && backwards)
    throw new BadMessageError('a subscription cannot go backwards');
  const maxCount = options.hasSubscription() ? 'subscription' : decodeUint64(options.getCount());
  const stream = options.getStream();
  if (stream !== undefined) {
    if (options.hasFilter()) throw new BadMessageError('a stream cannot be filtered');
    const from = stream.hasStart()
      ? 'start'
      : stream.hasEnd()
        ? 'end'
        : decodeUint64(stream.getRevision());
    return {
      target: 'stream',
      stream: decodeStreamName(stream.getStreamIdentifier()),
      from,
      backwards,
      maxCount,
    };
  }
  const all = options.getAll();
  if (all === undefined) throw new BadMessageError('neither a stream nor $all');
  const place = all.getPosition();
  const position = {
    commit: decodeUint64(place?.getCommitPosition() ?? '0'),
    prepare: decodeUint64(place?.getPreparePosition() ?? '0'),
  };
  const from = all.hasStart() ? 'start' : all.hasEnd() ? 'end' : position;
  const filter = options.getFilter();
  return {
    target: 'all',
    from,
    backwards,
    maxCount,
    filtered: filter === undefined ? null : parseFilter(filter),
  };
}

function parseFilter(filter: streams.ReadReq.Options.FilterOptions): Filtered {
  const byStream = filter.getStreamIdentifier();
  const expression = byStream ?? filter.getEventType();
  if (expression === undefined) throw new BadMessageError('a filter without an expression');
  const searchWindow = filter.hasMax() ? filter.getMax() : DEFAULT_SEARCH_WINDOW_EVENTS;
  const intervalMultiplier = filter.getCheckpointintervalmultiplier();
  if (searchWindow === 0 || intervalMultiplier === 0)
    throw new BadMessageError('a filter window of zero');
  const names = { regex: expression.getRegex(), prefixes: expression.getPrefixList() };
  return {
    filter: createNameFilter(byStream === undefined ? 'type' : 'stream', names),
    searchWindow,
    intervalMultiplier,
  };
}
