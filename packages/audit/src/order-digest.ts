import { createHash } from 'node:crypto';
import { canonicalJson, canonicalString } from '@points/event-store/canonical-json';

/**
 * A digest of where every event stands in the log. Chains and heads say nothing about positions: events of different
 * streams could trade places and every hash would still hold.
 *
 * SHA-256 over one line for each event, in log order: `{"position":"…","revision":N,"stream":"…","type":"…"}` in
 * canonical JSON (RFC 8785), each ended by a line feed.
 */
export function createOrderDigest(): OrderDigest {
  const digest = createHash('sha256');
  let waiting = '';

  function flush(): void {
    if (waiting === '') return;
    digest.update(waiting, 'utf8');
    waiting = '';
  }

  return {
    add(position, revision, stream, type) {
      waiting +=
        `{"position":${canonicalString(position)},"revision":${canonicalJson(revision)}` +
        `,"stream":${canonicalString(stream)},"type":${canonicalString(type)}}\n`;
      if (waiting.length > MAX_WAITING_UNITS) flush();
    },
    addText(line) {
      waiting += line;
      waiting += '\n';
      if (waiting.length > MAX_WAITING_UNITS) flush();
    },
    digest() {
      flush();
      return digest.copy().digest('hex');
    },
  };
}

export interface OrderDigest {
  /** The next event of the log; `position` in decimal. */
  add(position: string, revision: number, stream: string, type: string): void;
  /** The same from its canonical JSON, without the line feed. */
  addText(line: string): void;
  /** 64 hex digits over what was added so far; more may be added afterwards. */
  digest(): string;
}

/** UTF-16 code units. One call of the hash for many short lines costs a fraction of one for each. */
const MAX_WAITING_UNITS = 16_384;
