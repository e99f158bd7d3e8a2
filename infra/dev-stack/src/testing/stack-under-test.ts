import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { type StackProcess, startStackProcess } from './stack-process.ts';

const READY_TIMEOUT_MS = 60_000;

/** A whole stack in processes of its own, as `npm start` makes it. */
export interface StackUnderTest extends StackProcess {
  readonly http: string;
  readyz(): Promise<{ status: number; body: string }>;
  whenReady(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** Resolves when everything works. */
export async function startStack(
  options: { dataDir?: string; env?: Record<string, string> } = {},
): Promise<StackUnderTest> {
  const dataDir = options.dataDir ?? makeDataDir();
  const stack = startStackProcess({ ...options, dataDir });
  await stack.ready;
  const { http } = stack.file();

  async function readyz(): Promise<{ status: number; body: string }> {
    try {
      const response = await fetch(`${http}/readyz`, { signal: AbortSignal.timeout(5_000) });
      return { status: response.status, body: await response.text() };
    } catch (error) {
      return { status: 0, body: String(error) };
    }
  }

  return {
    ...stack,
    http,
    readyz,
    whenReady: () =>
      vi.waitFor(
        async () => {
          const { status, body } = await readyz();
          if (status !== 200) throw new Error(`not ready: ${body}\n${stack.output()}`);
        },
        { timeout: READY_TIMEOUT_MS, interval: 200 },
      ),
    async stop() {
      stack.signal('SIGTERM');
      return (await stack.exited).code;
    },
  };
}

/** A folder for a stack; as root another user must be able to enter it. */
export function makeDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'stack-'));
  chmodSync(dataDir, 0o755);
  return dataDir;
}

export function removeData(dataDir: string): void {
  rmSync(dataDir, { recursive: true, force: true });
}
