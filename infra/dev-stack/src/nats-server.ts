import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, CLIENTS, renderUsers } from '../../nats/permissions.ts';
import { findNatsServer } from '../../../scripts/find-nats-server.mjs';
import type { Part } from './part.ts';
import { endOldProcess, freePort } from './processes.ts';
import { endServer, runServer } from './server-process.ts';
import { StartError } from './start-error.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
const OLD_SERVER_TIMEOUT_MS = 5_000;
const PORT_ATTEMPTS = 3;
const SERVER_CONFIG = fileURLToPath(new URL('../../nats/nats.conf', import.meta.url));

export type NatsCredentials = { user: string; pass: string };

export type NatsServer = Part & {
  url: string;
  /** One per client of `clients`, by name. */
  clients: Record<string, NatsCredentials>;
};

/**
 * Starts nats-server on 127.0.0.1 with JetStream and the real permissions and resolves when it
 * takes connections. Configuration, passwords (made once, then kept), log and messages are in
 * `dir`. An old server of the same folder is ended first. Throws StartError.
 */
export async function startNatsServer(options: {
  dir: string;
  /** 0 = a free one. */
  port?: number;
  clients?: Client[];
  /** Default: nats-server.log in `dir`. */
  logFile?: string;
  /** Aborted: ends the server that is being started. */
  signal?: AbortSignal;
}): Promise<NatsServer> {
  const { clients = CLIENTS, logFile = join(options.dir, 'nats-server.log') } = options;
  const program = findNatsServer();
  if (program === null) {
    throw new StartError(
      'nats-server is not installed: run `node scripts/setup.mjs`, which installs it or says how, ' +
        'or name the program in NATS_SERVER, or a running server in NATS_URL.',
    );
  }
  mkdirSync(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const credentials = writeConfig(dir, clients);
  const configFile = join(dir, 'nats.conf');
  const pidFile = join(dir, 'nats.pid');
  await endOldProcess({
    pidFile,
    mark: configFile,
    signals: ['SIGTERM', 'SIGKILL'],
    timeoutMs: OLD_SERVER_TIMEOUT_MS,
  });
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    const run = await runServer({
      command: program,
      args: [
        ...['--config', configFile, '--addr', '127.0.0.1', '--port', String(port)],
        ...['--store_dir', join(dir, 'store'), '--pid', pidFile],
      ],
      deathSignal: 'TERM',
      logFile,
      isReady: ({ log }) => log.includes('Server is ready'),
      timeoutMs: START_TIMEOUT_MS,
      ...(options.signal && { signal: options.signal }),
    });
    if (run.started) {
      const stop = () => endServer(run, ['SIGTERM', 'SIGKILL'], STOP_TIMEOUT_MS);
      const { pid, exited } = run;
      return {
        name: 'nats',
        pid,
        exited,
        stop,
        port,
        url: `nats://127.0.0.1:${port}`,
        clients: credentials,
      };
    }
    const portTaken = run.log.includes('address already in use');
    if (!portTaken || options.port || attempt === PORT_ATTEMPTS) {
      const reason = run.log.trim().split('\n').at(-1);
      throw new StartError(`nats-server did not start: ${reason} (more in ${logFile})`);
    }
  }
}

function writeConfig(dir: string, clients: Client[]): Record<string, NatsCredentials> {
  const file = join(dir, 'passwords.json');
  const kept: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const passwords = new Map(
    kept instanceof Object ? Object.entries(kept).map(([key, value]) => [key, String(value)]) : [],
  );
  const credentials: Record<string, NatsCredentials> = {};
  for (const { name } of clients) {
    credentials[name] = {
      user: name,
      pass: passwords.get(name) ?? randomBytes(12).toString('hex'),
    };
  }
  const passOf = (name: string) => credentials[name]?.pass ?? '';
  writeFileSync(
    file,
    JSON.stringify(Object.fromEntries(clients.map(({ name }) => [name, passOf(name)]))),
    { mode: 0o600 },
  );
  writeFileSync(
    join(dir, 'users.conf'),
    renderUsers(clients, (name) => `"${passOf(name)}"`),
    { mode: 0o600 },
  );
  copyFileSync(SERVER_CONFIG, join(dir, 'nats.conf'));
  return credentials;
}
