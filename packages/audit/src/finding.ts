/** What is wrong, and where. Everything that an audit finds is one of these; none is ever a stack trace. */
export interface Finding {
  readonly kind: FindingKind;
  /** Null when the place is not inside one stream. */
  readonly stream: string | null;
  readonly revision: number | null;
  /** Log position, decimal. */
  readonly position: string | null;
  /** Line of the export, from 1. */
  readonly line: number | null;
  /** One sentence for a person. */
  readonly message: string;
}

export type FindingKind =
  /** The file ends in the middle of an event, or its compression is damaged: nothing after this place was looked at. */
  | 'unreadable_file'
  | 'not_json'
  | 'not_an_event'
  | 'not_canonical'
  | 'wrong_hash'
  | 'wrong_event_id'
  | 'broken_chain'
  | 'missing_events'
  | 'repeated_event'
  | 'positions_out_of_order'
  | 'not_a_ledger_stream'
  | 'unknown_event_type'
  | 'unreadable_event'
  /** An event that cannot be right after those before it: account.md §3 to §5. */
  | 'wrong_books'
  /** Something that may happen once has happened twice: a command, a hold id, a recharge's source_ref, an order. */
  | 'used_twice'
  | 'wrong_totals'
  | 'wrong_signature'
  | 'anchor_differs';

/** A finding about one event; `what` goes on after "event 3 of account-u1 ". */
export function findingAt(place: EventPlace, kind: FindingKind, what: string): Finding {
  const { stream, revision, position, line = null } = place;
  const message = `event ${revision} of ${stream} ${what}`;
  return { kind, stream, revision, position: String(position), line, message };
}

/** A finding about no event of a stream: a line that is none, the whole ledger, an anchor. */
export function findingOutside(
  kind: FindingKind,
  message: string,
  { position = null, line = null }: { position?: string | null; line?: number | null } = {},
): Finding {
  return { kind, stream: null, revision: null, position, line, message };
}

export interface EventPlace {
  readonly stream: string;
  readonly revision: number;
  readonly position: bigint | string;
  /** Line of the export, from 1; absent when the event did not come from one. */
  readonly line?: number | undefined;
}
