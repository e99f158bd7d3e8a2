import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The store at `url`; without one, a dev event store of its own with its journal in a temporary folder. */
export async function openStore(url: string | undefined): Promise<BenchStore> {
  if (url !== undefined && url !== '') return { url, name: url, stop: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const main = fileURLToPath(new URL('../infra/dev-event-store/src/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--max-old-space-size=12000', '--import', 'tsx', main], {
    env: { ...process.env, EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  // Also when the benchmark dies of an error that nobody has caught.
  process.once('exit', () => child.kill('SIGKILL'));
  let output = '';
  const ready = new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /ready on (\S+),/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  const died = exited.then(() => Promise.reject(new Error(`no event store: ${output}`)));
  const readyUrl = await Promise.race([ready, died]);
  died.catch(() => undefined);
  return {
    url: readyUrl,
    name: 'dev event store (for development and tests), journal on disk',
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface BenchStore {
  readonly url: string;
  readonly name: string;
  stop(): Promise<void>;
}
