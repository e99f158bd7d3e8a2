/** An event cannot be right after those before it. `message` is one sentence; the books that threw it are of no use any more. */
export class WrongBooksError extends Error {
  override readonly name = 'WrongBooksError';
}
