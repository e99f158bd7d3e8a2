import type { Exit } from './processes.ts';

/** A running part of the stack. `exited` resolves when it has ended, for whatever reason. */
export type Part = {
  name: string;
  pid: number;
  /** Where it listens; 0 when it does not, or nobody needs to know. */
  port: number;
  exited: Promise<Exit>;
  /** Ends it in an orderly way; resolves when it has ended. */
  stop: () => Promise<void>;
};
