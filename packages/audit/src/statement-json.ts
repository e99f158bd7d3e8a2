import type { StatementPart } from './statement.ts';

/** A statement as one JSON document `{report, opening, lines: […], closing}`, in pieces, each line of it on a line. */
export async function* statementJson(
  parts: AsyncIterable<StatementPart>,
): AsyncGenerator<string, void> {
  let lines = 0;
  for await (const each of parts) {
    const { part, ...rest } = each;
    const json = JSON.stringify(rest);
    if (part === 'opening') yield `{"report":"statement","opening":${json},"lines":[`;
    else if (part === 'closing') yield `\n],"closing":${json}}\n`;
    else yield `${lines === 0 ? '' : ','}\n${json}`;
    if (part === 'line') lines += 1;
  }
}
