import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsCredentials } from './nats-server.ts';

/** `dev-stack.json`: where everything of a running stack is, for programs and for `npm run call`. */
export type DevStackFile = {
  http: string;
  nats: { url: string; clients: Record<string, NatsCredentials> };
  eventstore: string;
  postgres: string;
  /** Process ids by part: postgres, nats, eventstore, ledger, projector, api, and `stack` for the whole. */
  pids: Record<string, number>;
};

const NAME = 'dev-stack.json';

/** Replaces the file as a whole, so that no reader sees half of it. It holds passwords: only its owner may read it. */
export function writeDevStackFile(dataDir: string, content: DevStackFile): void {
  const unfinished = join(dataDir, `${NAME}.unfinished`);
  writeFileSync(unfinished, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, join(dataDir, NAME));
}

export function removeDevStackFile(dataDir: string): void {
  rmSync(join(dataDir, NAME), { force: true });
}
