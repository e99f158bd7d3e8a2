import type { z } from 'zod';

/** The first thing that is wrong with an input: where, as a dotted path, and what. */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

/** `whole` names the input itself, for when it is not even an object. */
export function firstProblem(error: z.ZodError, whole: string): Problem {
  const issue = error.issues[0];
  if (issue === undefined) throw new Error('a schema refused an input without saying why');
  if (issue.code === 'unrecognized_keys') {
    return {
      field: dotted([...issue.path, issue.keys[0] ?? ''], whole),
      message: 'is not a known field',
    };
  }
  return { field: dotted(issue.path, whole), message: issue.message };
}

export function dotted(path: readonly PropertyKey[], whole: string): string {
  return path.length === 0 ? whole : path.map((part) => printable(String(part))).join('.');
}

const MAX_NAME_LENGTH = 64;

/** A key may come from a stranger: what names it goes into logs and answers. */
function printable(name: string): string {
  if (name === '') return '""';
  return name.slice(0, MAX_NAME_LENGTH).replace(/[^ -~\u00A0-\uD7FF\uE000-\uFFFF]/g, '\uFFFD');
}
