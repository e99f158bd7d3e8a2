/** Exit codes of every verb. */
export const EXIT = { holds: 0, doesNotHold: 1, couldNotRun: 2 } as const;

/** The verb could not be carried out; `message` is a sentence for the user that says what to do next. */
export class CannotRunError extends Error {
  override readonly name = 'CannotRunError';
}
