import { isMetadataStream, metadataStreamOf, NO_REVISION } from './events.ts';
import type { ExpectedRevision, RecordedEvent } from './events.ts';
import type { StreamIndex } from './stream-index.ts';

/**
 * May these events be written to this stream? The rules are the real server's, in its order (its index writer's
 * commit check): an exact revision is strongly idempotent, `any` and `stream_exists` only as far as the server
 * remembers recent ids, and what differs from the first resend counts as a wrong revision.
 */
export function checkWrite(deps: WriteCheckDeps, request: WriteCheckRequest): WriteCheck {
  const { streams } = deps;
  const { stream, expected, ids } = request;
  if (streams.written.isTombstoned(stream)) return { outcome: 'stream_deleted' };
  const current = streams.written.lastRevision(stream);
  const wrong: WriteCheck = { outcome: 'wrong_revision', current };
  const softDeleted = streams.written.metadata(stream).softDeleted;
  const accepted: WriteCheck = { outcome: 'ok', current, softDeleted };

  if (expected === 'stream_exists') {
    if (softDeleted) return wrong;
    const hasMetadata =
      !isMetadataStream(stream) &&
      streams.written.lastRevision(metadataStreamOf(stream)) > NO_REVISION;
    if (current === NO_REVISION && !hasMetadata) return wrong;
  }
  if (expected === 'any' || expected === 'stream_exists') {
    const known = countLeading(ids, (id) => deps.recentRevision(id, stream) !== null);
    if (known === 0) return accepted;
    const last = deps.recentRevision(ids[known - 1] ?? '', stream);
    return known < ids.length || last === null ? wrong : repeated(deps, request, last);
  }
  const after = expected === 'no_stream' ? NO_REVISION : expected;
  if (after > current) return wrong;
  if (after === current) return accepted;
  const known = countLeading(
    ids,
    (id, index) => streams.written.event(stream, after + 1 + index)?.id === id,
  );
  if (known === 0) return expected === 'no_stream' && softDeleted ? accepted : wrong;
  return known < ids.length ? wrong : repeated(deps, request, after + known);
}

export interface WriteCheckDeps {
  readonly streams: StreamIndex;
  /** Revision under which this stream got that id, as far as it is remembered. */
  recentRevision(id: string, stream: string): number | null;
}

export interface WriteCheckRequest {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly ids: readonly string[];
  readonly nowMs: number;
}

export type WriteCheck =
  | { readonly outcome: 'ok'; readonly current: number; readonly softDeleted: boolean }
  /** The same ids are there already; position null = the event is hidden by now. */
  | {
      readonly outcome: 'already_written';
      readonly revision: number;
      readonly position: number | null;
    }
  /** The same ids are being written at this moment: the real server drops such a request without a word. */
  | { readonly outcome: 'not_ready' }
  | { readonly outcome: 'wrong_revision'; readonly current: number }
  | { readonly outcome: 'stream_deleted' };

function repeated(
  { streams }: WriteCheckDeps,
  { stream, nowMs }: WriteCheckRequest,
  revision: number,
): WriteCheck {
  if (revision > streams.published.lastRevision(stream)) return { outcome: 'not_ready' };
  const event = streams.published.event(stream, revision);
  const visible = event !== null && isVisible(streams, event, nowMs);
  return { outcome: 'already_written', revision, position: visible ? event.position : null };
}

function isVisible(streams: StreamIndex, event: RecordedEvent, nowMs: number): boolean {
  const { softDeleted, maxAgeMs } = streams.published.metadata(event.stream);
  if (softDeleted || event.revision < streams.published.firstVisibleRevision(event.stream))
    return false;
  return maxAgeMs === null || event.createdMs >= nowMs - maxAgeMs;
}

function countLeading<T>(
  items: readonly T[],
  matches: (item: T, index: number) => boolean,
): number {
  const firstOther = items.findIndex((item, index) => !matches(item, index));
  return firstOther === -1 ? items.length : firstOther;
}
