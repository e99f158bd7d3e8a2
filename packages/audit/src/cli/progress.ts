import { Presets, SingleBar } from 'cli-progress';
import type { AuditEvent } from '../audit-event.ts';

/** Long work, shown on stderr when that is a terminal, and nowhere else. */
export interface Progress {
  /** Share that is done, from 0 to 1, and how many of `unit` that were. */
  update(share: number, count: number): void;
  stop(): void;
}

const STEPS = 1_000;

export function showProgress(label: string, unit: string): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar(
    {
      format: `${label} {bar} {percentage}% | {count} ${unit} | {eta_formatted} left`,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      etaBuffer: 50,
    },
    Presets.shades_classic,
  );
  bar.start(STEPS, 0, { count: '0' });
  return {
    update: (share, count) =>
      bar.update(Math.floor(share * STEPS), { count: count.toLocaleString('en') }),
    stop: () => bar.stop(),
  };
}

const TOLD_EVERY_EVENTS = 1_000;

/** The same events; shows how far they are on their way to `pin`. */
export async function* withProgress(
  events: AsyncIterable<AuditEvent>,
  pin: bigint | null,
  progress: Progress,
): AsyncGenerator<AuditEvent, void> {
  let count = 0;
  for await (const event of events) {
    count += 1;
    if (count % TOLD_EVERY_EVENTS === 0)
      progress.update(Number(event.position) / Number(pin ?? 1n), count);
    yield event;
  }
}
