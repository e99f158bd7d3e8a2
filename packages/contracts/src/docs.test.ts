import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Starts a process, which may be slow on a busy machine. */
const TIMEOUT_MS = 60_000;

it(
  'docs/events.md and docs/errors.md are what the schemas say',
  { timeout: TIMEOUT_MS },
  async () => {
    const run = promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', 'scripts/docs.ts', '--check'],
      { cwd: ROOT },
    );
    await expect(run).resolves.toMatchObject({ stderr: '' });
  },
);
