import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import type { DevStackFile } from '../dev-stack-file.ts';
import { freePort } from '../processes.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const START_TIMEOUT_MS = 90_000;

/** A whole stack in processes of its own, as `npm start` makes it. */
export interface StackUnderTest {
  readonly dataDir: string;
  readonly http: string;
  /** `dev-stack.json` as it is now. */
  file(): DevStackFile;
  /** Everything printed so far. */
  output(): string;
  readyz(): Promise<{ status: number; body: string }>;
  whenReady(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** kill -9 of the whole process group. */
  kill(): Promise<void>;
}

export async function startStack(
  options: { dataDir?: string; env?: Record<string, string> } = {},
): Promise<StackUnderTest> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'stack-'));
  const port = await freePort();
  const http = `http://127.0.0.1:${port}`;
  let output = '';
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', 'infra/dev-stack/src/main.ts'],
    {
      cwd: ROOT,
      env: { ...process.env, PORT: String(port), DATA_DIR: dataDir, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const exited = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => resolve(code)),
  );

  async function readyz(): Promise<{ status: number; body: string }> {
    try {
      const response = await fetch(`${http}/readyz`, { signal: AbortSignal.timeout(5_000) });
      return { status: response.status, body: await response.text() };
    } catch (error) {
      return { status: 0, body: String(error) };
    }
  }

  const stack: StackUnderTest = {
    dataDir,
    http,
    file: () => JSON.parse(readFileSync(join(dataDir, 'dev-stack.json'), 'utf8')) as DevStackFile,
    output: () => output,
    readyz,
    whenReady: () =>
      vi.waitFor(
        async () => {
          if (child.exitCode !== null) throw new Error(`the stack ended: ${output}`);
          const { status, body } = await readyz();
          if (status !== 200 || !existsSync(join(dataDir, 'dev-stack.json')))
            throw new Error(`not ready: ${body}\n${output}`);
        },
        { timeout: START_TIMEOUT_MS, interval: 200 },
      ),
    async stop() {
      if (child.exitCode === null && child.signalCode === null)
        process.kill(child.pid ?? 0, 'SIGTERM');
      return exited;
    },
    async kill() {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // it has ended already
      }
      await exited;
    },
  };
  await stack.whenReady();
  return stack;
}

export function removeData(dataDir: string): void {
  rmSync(dataDir, { recursive: true, force: true });
}
