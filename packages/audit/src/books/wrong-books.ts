/** An event cannot be right after those before it. `message` is one sentence; the books that threw it are of no use any more. */
export class WrongBooksError extends Error {
  override readonly name = 'WrongBooksError';
}

/** Throws unless a number of the event is what the events before it make it. */
export function checkNumber(name: string, told: number, right: number): void {
  if (told !== right) throw new WrongBooksError(`${name} is ${told} and should be ${right}`);
}
