import type { AnchorWatch } from './anchor-watch.ts';
import type { LedgerExtent } from './anchor.ts';
import type { AuditEvent } from './audit-event.ts';
import { type Finding, findingAt } from './finding.ts';
import { createOrderDigest } from './order-digest.ts';
import { problemOfEvent } from './seal.ts';
import { createStreamChains, linkOf } from './stream-chains.ts';

/**
 * Folds the ledger's events, in the order of the log, into what an anchor says of them. Judges of each its seal, its
 * place in its stream's chain and its position, and on the way compares the log with the anchors of the watch. What
 * the events mean is judged elsewhere. Memory: one hash per stream.
 */
export function createLedgerFold(watch: AnchorWatch): LedgerFold {
  const chains = createStreamChains();
  const order = createOrderDigest();
  let position: bigint | null = null;
  let events = 0;

  const compare = (isPast: (anchored: bigint) => boolean): Finding[] => {
    const findings: Finding[] = [];
    for (let next = watch.nextPosition(); next !== null && isPast(next);) {
      const finding = watch.check({ events, heads: chains.heads(), order: order.digest() });
      if (finding !== null) findings.push(finding);
      next = watch.nextPosition();
    }
    return findings;
  };

  return {
    take(event) {
      const findings = compare((anchored) => anchored < event.position);
      if (position !== null && event.position <= position) {
        const what = `stands at position ${event.position}, behind ${position}`;
        findings.push(findingAt(event, 'positions_out_of_order', what));
      }
      const problem = problemOfEvent(event);
      if (problem !== null) findings.push(findingAt(event, problem.kind, problem.message));
      const { stream, revision, type } = event;
      const broken = chains.add(linkOf(event));
      if (broken !== null) findings.push(broken);
      order.add(String(event.position), revision, stream, type);
      position = event.position;
      events += 1;
      return findings;
    },
    end() {
      const last = position;
      const findings = last === null ? [] : compare((anchored) => anchored <= last);
      return [...findings, ...watch.rest()];
    },
    position: () => position,
    extent: () =>
      position === null ? null : { position, events, heads: chains.heads(), order: order.digest() },
  };
}

export interface LedgerFold {
  /** The next event of the log; what is wrong with it, and with the log before it. */
  take(event: AuditEvent): Finding[];
  /** For now the log ends here: compares with the anchors that are left. More may be taken afterwards. */
  end(): Finding[];
  /** Of the last event; null before the first. */
  position(): bigint | null;
  /** All that was taken; null before the first event. */
  extent(): LedgerExtent | null;
}
