import { HttpError } from '../error-body.ts';

/** Work of one kind that may be under way at the same time. */
export interface Slots {
  /** Takes a slot and returns what gives it back, once. Throws 429 when none is free. */
  readonly take: () => () => void;
}

/** @param retryAfterSeconds What a caller is told to wait when all slots are taken. */
export function createSlots(count: number, retryAfterSeconds: number): Slots {
  let free = count;
  return {
    take: () => {
      if (free === 0) {
        throw new HttpError('too_many_requests', {
          text: {
            zh: `最多同时进行 ${count} 个此类请求，请稍后重试`,
            en: `At most ${count} of these run at the same time; try again later`,
          },
          details: { limit: count },
          headers: { 'retry-after': String(retryAfterSeconds) },
        });
      }
      free -= 1;
      let isTaken = true;
      return () => {
        if (isTaken) free += 1;
        isTaken = false;
      };
    },
  };
}
