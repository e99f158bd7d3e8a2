import { DamagedFileError, type LineBlock } from './export-file.ts';
import type { StreamHead } from './heads.ts';
import { readSealedLine } from './seal.ts';
import { createStreamChains, linkOf } from './stream-chains.ts';

/**
 * Judges an export of one account, line by line: whole events of that stream alone, chained from revision 0, that end in
 * just this head. Throws what reading a file throws.
 */
export async function checkAccountLines(
  blocks: AsyncIterable<LineBlock>,
  head: StreamHead,
): Promise<CheckedLines> {
  const judge = judgeUpTo(head);
  const problem = await firstProblem(blocks, judge);
  return { problem, events: judge.events() };
}

export interface CheckedLines {
  /** What is wrong first, with its line; null = these are the events of the head, all of them. */
  readonly problem: string | null;
  /** How many were found right before it. */
  readonly events: number;
}

async function firstProblem(
  blocks: AsyncIterable<LineBlock>,
  judge: ReturnType<typeof judgeUpTo>,
): Promise<string | null> {
  try {
    for await (const { bytes, ends, firstLine } of blocks) {
      let start = 0;
      for (const [index, end] of ends.entries()) {
        const problem = judge.next(bytes.subarray(start, end), firstLine + index);
        if (problem !== null) return problem;
        start = end + 1;
      }
    }
  } catch (error) {
    if (error instanceof DamagedFileError) return error.message;
    throw error;
  }
  return judge.end();
}

function judgeUpTo(head: StreamHead) {
  const chains = createStreamChains();
  let last = -1;

  return {
    next(bytes: Buffer, line: number): string | null {
      const { event, problem } = readSealedLine(bytes);
      if (event === null || problem !== null) {
        return `line ${line} ${problem?.message ?? 'is no event'}`;
      }
      const { stream, revision } = event;
      if (stream !== head.stream) return `line ${line} is of ${stream}, not of ${head.stream}`;
      const link = linkOf(event, line);
      const broken = chains.add(link);
      if (broken !== null) return `line ${line}: ${broken.message}`;
      if (revision > head.revision) {
        return `line ${line} is revision ${revision}, behind what the proof covers (up to ${head.revision}): take an export up to the time of the anchor`;
      }
      if (revision === head.revision && link.hash !== head.hash) {
        return `line ${line} is revision ${revision} with hash ${link.hash}, the proof has ${head.hash}: an event up to there is another one`;
      }
      last = revision;
      return null;
    },
    // Revisions begin at 0 and have no gaps.
    events: () => last + 1,
    end(): string | null {
      if (last === head.revision) return null;
      return `the events end at ${last === -1 ? 'none' : `revision ${last}`}, the proof covers revisions 0 to ${head.revision}`;
    },
  };
}
