/** Why something could not be started, as one sentence that tells the person at the keyboard what to do. */
export class StartError extends Error {
  override name = 'StartError';
}
