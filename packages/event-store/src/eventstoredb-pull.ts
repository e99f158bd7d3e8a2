import type { Readable } from 'node:stream';

/**
 * Pulls from one of the client's streams: whoever reads decides when the next item comes, so a slow reader stops the
 * stream (and through HTTP/2's flow control the server) after a few dozen items, and nothing piles up.
 *
 * Two things of the client are handled here. Its streams emit `error` without being destroyed, also after the reader
 * has gone, and an error that nobody hears ends the process: the listener stays for good. And the order of an error and
 * the end that comes with it: `failure` is set before `ended`, so that a broken stream never looks complete.
 */
export function pullFrom<Item>(source: Pullable): Pull<Item> {
  let failure: Error | null = null;
  let ended = false;
  let wake = (): void => undefined;
  const end = (): void => {
    ended = true;
    wake();
  };
  source.on('readable', () => wake());
  source.on('end', end);
  source.on('close', end);
  source.on('error', (error: Error) => {
    failure ??= error;
    wake();
  });
  return {
    read() {
      const item: Item | null = source.read();
      return item;
    },
    failure: () => failure,
    ended: () => ended,
    wake: () => wake(),
    wait(timeoutMs, signal) {
      return new Promise((resolve) => {
        const settle = (outcome: 'woken' | 'timeout'): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', woken);
          wake = () => undefined;
          resolve(outcome);
        };
        const woken = (): void => settle('woken');
        const timer = timeoutMs === null ? undefined : setTimeout(settle, timeoutMs, 'timeout');
        signal?.addEventListener('abort', woken);
        wake = woken;
        if (signal?.aborted === true) woken();
      });
    },
  };
}

export type Pullable = Pick<Readable, 'read'> & {
  on(event: string, listener: (error: Error) => void): unknown;
};

export interface Pull<Item> {
  /** The next item, or null when none is there now. */
  readonly read: () => Item | null;
  readonly failure: () => Error | null;
  readonly ended: () => boolean;
  /** Ends a `wait` from outside. */
  readonly wake: () => void;
  /** Resolves when there may be something to read, the stream is over, the signal fires, or the time is up (null = never). */
  readonly wait: (timeoutMs: number | null, signal?: AbortSignal) => Promise<'woken' | 'timeout'>;
}
