import type { Database } from './database.ts';
import { sizeOnDiskBytes } from './events.ts';
import type { ExpectedRevision, ProposedEvent } from './events.ts';
import type { AppendFault, FaultControl, TakenFault } from './faults.ts';
import type { GrpcStatus } from './grpc-server.ts';
import type { WriteResult } from './log-store.ts';
import { callStatus, MAX_APPEND_BYTES, WRITE_TIMEOUT_MS } from './statuses.ts';

/** What becomes of one complete append, the same on both append paths; `target` puts it in the path's own words. */
export function handleAppend(
  deps: AppendDeps,
  request: CompleteAppend,
  target: AppendTarget,
): void {
  const taken = deps.faults.takeAppend(request.stream);
  if (taken === null) write(deps, request, target);
  else applyFault(deps, { request, target, taken });
}

export interface AppendDeps {
  readonly database: Database;
  readonly faults: FaultControl;
}

export interface CompleteAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly events: readonly ProposedEvent[];
}

export interface AppendTarget {
  answer(answer: AppendAnswer): void;
  /** Ends the call that carries the append. */
  fail(status: GrpcStatus): void;
  end(): void;
  resetConnection(): void;
}

export type AppendAnswer =
  | { readonly kind: 'success'; readonly revision: number; readonly position: number | null }
  | { readonly kind: 'wrong_revision'; readonly current: number }
  | { readonly kind: 'stream_deleted' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'access_denied' }
  | { readonly kind: 'not_ready' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'bad_request'; readonly message: string };

export function exceedsLimit(events: readonly ProposedEvent[]): boolean {
  let bytes = 0;
  for (const event of events) bytes += sizeOnDiskBytes(event);
  return bytes > MAX_APPEND_BYTES;
}

/** Runs a write and answers once it is durable, or Timeout when that takes too long; then it may still happen. */
export function settleWrite(
  deps: AppendDeps,
  write: () => WriteResult,
  answer: (answer: AppendAnswer) => void,
): void {
  if (deps.database.closing) return answer({ kind: 'not_ready' });
  if (deps.database.busy) return answer({ kind: 'busy' });
  let answered = false;
  const answerOnce = (outcome: AppendAnswer): void => {
    if (answered) return;
    answered = true;
    clearTimeout(timer);
    answer(outcome);
  };
  const timer = setTimeout(answerOnce, WRITE_TIMEOUT_MS, { kind: 'timeout' });
  const result = write();
  switch (result.outcome) {
    case 'written':
      deps.database.whenDurable(result, () =>
        answerOnce({ kind: 'success', revision: result.revision, position: result.position }),
      );
      return;
    case 'already_written':
      answerOnce({ kind: 'success', revision: result.revision, position: result.position });
      return;
    case 'not_ready':
      // Dropped, as the real server does: the timer answers.
      return;
    case 'wrong_revision':
      answerOnce({ kind: 'wrong_revision', current: result.current });
      return;
    case 'stream_deleted':
      answerOnce({ kind: 'stream_deleted' });
  }
}

function write(
  deps: AppendDeps,
  request: CompleteAppend,
  target: Pick<AppendTarget, 'answer'>,
): void {
  settleWrite(
    deps,
    () => deps.database.log.append({ ...request, nowMs: deps.database.now() }),
    target.answer,
  );
}

function applyFault(
  deps: AppendDeps,
  hit: { request: CompleteAppend; target: AppendTarget; taken: TakenFault<AppendFault> },
): void {
  const { request, target, taken } = hit;
  const { fault } = taken;
  const writeAndThen = (then: (answer: AppendAnswer) => void): void =>
    write(deps, request, { answer: then });
  switch (fault.kind) {
    case 'ack_lost':
      writeAndThen(() => {
        if (fault.then === 'cut') target.resetConnection();
      });
      return;
    case 'never_answered':
      return;
    case 'late':
      writeAndThen((answer) => {
        if (fault.afterMs !== null) setTimeout(target.answer, fault.afterMs, answer).unref();
        else taken.onRelease(() => target.answer(answer));
      });
      return;
    case 'slow':
      slowWrite(deps, hit, fault.delayMs);
      return;
    case 'refused':
      if (fault.as === 'timeout' && fault.written)
        writeAndThen(() => target.answer({ kind: 'timeout' }));
      else if (fault.as === 'bad_request')
        target.answer({ kind: 'bad_request', message: 'refused by a fault switch' });
      else target.answer({ kind: fault.as });
      return;
    case 'not_leader':
      target.fail(callStatus.notLeader(fault));
      return;
    case 'call_failed': {
      const fail = (): void =>
        target.fail({ code: fault.code, details: 'failed by a fault switch' });
      if (fault.written) writeAndThen(fail);
      else fail();
      return;
    }
    case 'call_ended':
      if (fault.written) writeAndThen(target.end);
      else target.end();
  }
}

function slowWrite(
  deps: AppendDeps,
  { request, target }: { request: CompleteAppend; target: AppendTarget },
  delayMs: number,
): void {
  let answered = false;
  const answerOnce = (answer: AppendAnswer): void => {
    if (answered) return;
    answered = true;
    clearTimeout(timer);
    target.answer(answer);
  };
  const timer = setTimeout(answerOnce, WRITE_TIMEOUT_MS, { kind: 'timeout' });
  setTimeout(() => write(deps, request, { answer: answerOnce }), delayMs);
}
