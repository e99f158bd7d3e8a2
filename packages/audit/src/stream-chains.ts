import { GENESIS_HASH } from '@points/event-store/hash-chain';
import { type EventPlace, type Finding, findingAt } from './finding.ts';
import { type StreamHead, inOrder } from './heads.ts';

/** What the chain of one stream needs of an event. */
export interface ChainLink extends EventPlace {
  /** `metadata.prev_hash`. */
  readonly prev_hash: string;
  /** `metadata.hash`; whether it fits the content is judged elsewhere. */
  readonly hash: string;
}

/** What the chain needs of an event; whatever the metadata lack is empty, and so wrong. */
export function linkOf(
  event: Omit<EventPlace, 'line'> & { readonly metadata: Readonly<Record<string, string>> },
  line?: number,
): ChainLink {
  const { stream, revision, position, metadata } = event;
  const { hash = '', prev_hash = '' } = metadata;
  return { stream, revision, position, line, hash, prev_hash };
}

export interface StreamChains {
  /**
   * Takes the next event in log order. Null when it is the one that had to come in its stream.
   *
   * Each tampering is told once: after a gap, or another `prev_hash`, the chain goes on from this event; an event that
   * comes again, or late, leaves the chain where it was.
   */
  add(link: ChainLink): Finding | null;
  /** Whether an event of this stream has come. */
  has(stream: string): boolean;
  /** Sorted by the UTF-16 code units of the stream's name. */
  heads(): StreamHead[];
}

export interface StreamChainsOptions {
  /** The log is a part: a stream's first event may have any revision, and then its `prev_hash` is not judged. */
  readonly mayBeginLate?: boolean;
}

/**
 * Follows the hash chain (`prev_hash` = `hash` of the revision before) and the revisions of every stream at once. Memory:
 * one hash per stream.
 */
export function createStreamChains({
  mayBeginLate = false,
}: StreamChainsOptions = {}): StreamChains {
  const ends = new Map<string, { revision: number; hash: string }>();

  const begin = (link: ChainLink): Finding | null => {
    ends.set(link.stream, { revision: link.revision, hash: link.hash });
    if (link.revision === 0) {
      if (link.prev_hash === GENESIS_HASH) return null;
      return findingAt(link, 'broken_chain', 'the first event of its stream has a prev_hash');
    }
    return mayBeginLate ? null : missing(link, 0);
  };

  return {
    add(link) {
      const end = ends.get(link.stream);
      if (end === undefined) return begin(link);
      const { revision, hash } = end;
      if (link.revision <= revision) {
        const again = link.revision === revision && link.hash === hash;
        return findingAt(
          link,
          'repeated_event',
          again
            ? 'comes a second time'
            : `comes after revision ${revision}: repeated, moved or put in`,
        );
      }
      end.revision = link.revision;
      end.hash = link.hash;
      if (link.revision > revision + 1) return missing(link, revision + 1);
      if (link.prev_hash === hash) return null;
      return findingAt(
        link,
        'broken_chain',
        `prev_hash is ${link.prev_hash}, the hash of revision ${revision} is ${hash}`,
      );
    },
    has: (stream) => ends.has(stream),
    heads() {
      return inOrder(Array.from(ends, ([stream, end]) => ({ stream, ...end })));
    },
  };
}

function missing(link: ChainLink, from: number): Finding {
  const to = link.revision - 1;
  const which =
    from === to ? `revision ${from} is missing` : `revisions ${from} to ${to} are missing`;
  return findingAt(link, 'missing_events', `follows a gap: ${which}`);
}
