/** The journal cannot be opened, or no longer written. The message is a sentence for whoever starts the server. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
