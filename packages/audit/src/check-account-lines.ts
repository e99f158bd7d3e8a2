import type { StreamHead } from './heads.ts';
import { readSealedLine } from './seal.ts';
import { createStreamChains } from './stream-chains.ts';

/**
 * Judges an export of one account, line by line: whole events of that stream alone, chained from revision 0, that end in
 * just this head. Null when they do, else what is wrong first, with its line.
 */
export async function whyNotUpToHead(
  lines: AsyncIterable<string>,
  head: StreamHead,
): Promise<string | null> {
  const chains = createStreamChains();
  let line = 0;
  for await (const text of lines) {
    line += 1;
    const { event, problem } = readSealedLine(text);
    if (event === null || problem !== null) {
      return `line ${line} ${problem?.message ?? 'is no event'}`;
    }
    const { stream, revision, position, metadata } = event;
    if (stream !== head.stream) return `line ${line} is of ${stream}, not of ${head.stream}`;
    const { hash = '', prev_hash = '' } = metadata as { hash?: string; prev_hash?: string };
    const broken = chains.add({ stream, revision, position, line, hash, prev_hash });
    if (broken !== null) return `line ${line}: ${broken.message}`;
    if (revision > head.revision) {
      return `line ${line} is revision ${revision}, behind what the proof covers (up to ${head.revision}): take an export up to the time of the anchor`;
    }
    if (revision === head.revision && hash !== head.hash) {
      return `line ${line} is revision ${revision} with hash ${hash}, the proof has ${head.hash}: an event up to there is another one`;
    }
  }
  const last = chains.heads()[0]?.revision ?? -1;
  if (last === head.revision) return null;
  return `the events end at ${last === -1 ? 'none' : `revision ${last}`}, the proof covers revisions 0 to ${head.revision}`;
}
