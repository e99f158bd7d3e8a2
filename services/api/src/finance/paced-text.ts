import { Readable } from 'node:stream';
import { HttpError } from '../error-body.ts';

/** Text is handed to the connection in pieces of this many characters, and no more is made before it was taken. */
const PIECE_CHARS = 65_536;

export interface PacedTextBounds {
  /** Ends the making at once. */
  readonly signal: AbortSignal;
  /** A client that takes nothing for so long is cut. */
  readonly stallTimeoutMs: number;
}

/**
 * Text as fast as it is taken. `make` gives its parts and stops when its signal fires. What goes wrong before the first
 * piece is whole can still be an answer of its own; afterwards the connection is cut, so that nobody takes the beginning
 * for all of it.
 */
export function pacedText(
  make: (signal: AbortSignal) => AsyncIterable<string>,
  { signal, stallTimeoutMs }: PacedTextBounds,
): Readable {
  const stalled = new AbortController();
  const parts = make(AbortSignal.any([signal, stalled.signal]));
  const stream: Readable = Readable.from(
    withDeadline(piecesOf(parts), stallTimeoutMs, () => {
      stalled.abort();
      stream.destroy(new HttpError('request_timeout'));
    }),
    { objectMode: false, highWaterMark: PIECE_CHARS },
  );
  return stream;
}

async function* piecesOf(parts: AsyncIterable<string>): AsyncGenerator<string, void> {
  let piece = '';
  for await (const part of parts) {
    piece += part;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** Calls `late` when the consumer does not ask for the next piece in time. */
async function* withDeadline(
  pieces: AsyncIterable<string>,
  timeoutMs: number,
  late: () => void,
): AsyncGenerator<string, void> {
  for await (const piece of pieces) {
    const timer = setTimeout(late, timeoutMs);
    try {
      yield piece;
    } finally {
      clearTimeout(timer);
    }
  }
}
