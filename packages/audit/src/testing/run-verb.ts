import type { Command } from 'commander';
import { vi } from 'vitest';

/**
 * A verb in this process: one of its own takes two seconds of a processor to begin. Gives its exit code and what it has
 * printed; throws what it throws.
 */
export async function runVerb(verb: Command, ...args: readonly string[]): Promise<string> {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await verb.exitOverride().parseAsync(args, { from: 'user' });
    return `${process.exitCode ?? 0} ${printed}`;
  } finally {
    process.exitCode = undefined;
    write.mockRestore();
  }
}
