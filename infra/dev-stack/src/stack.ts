import { join } from 'node:path';
import { type DataFolder, openDataFolder } from './data-folder.ts';
import { type DevStackFile, removeDevStackFile, writeDevStackFile } from './dev-stack-file.ts';
import { checkHttpPort, waitUntilReadable } from './http.ts';
import type { Part } from './part.ts';
import { freePort } from './processes.ts';
import type { Progress } from './progress.ts';
import { seed } from './seed.ts';
import { startServers } from './servers.ts';
import { startService } from './service.ts';
import { type Service, servicesOf } from './services.ts';
import type { Settings } from './settings.ts';
import { supervise } from './supervise.ts';

export type Stack = {
  /** Starts everything and resolves when all of it works. Throws StartError; then call `stop`. */
  start: () => Promise<DevStackFile>;
  /** Ends everything that runs, services before servers; also in the middle of `start`. */
  stop: () => Promise<void>;
};

type Group = { stop: () => Promise<void> }[];

/** The whole system on this machine: PostgreSQL, NATS, event store, services, seed data. */
export function createStack(settings: Settings, progress: Progress): Stack {
  const stopping = new AbortController();
  const { signal } = stopping;
  const servers: Group = [];
  const services: Group = [];
  const pids: Record<string, number> = { stack: process.pid };
  let folder: DataFolder | null = null;
  let starting: Promise<DevStackFile> | null = null;
  /** Of the first part that failed; what the others say then is a consequence. */
  let failure: unknown;
  let published: DevStackFile | null = null;
  const publish = () => {
    if (published) writeDevStackFile(settings.dataDir, published);
  };

  /** Starts a part and from then on whenever it dies. `start` gets 0 and later the same port. */
  const run = async <P extends Part>(
    group: Group,
    name: string,
    start: (port: number) => Promise<P>,
  ): Promise<P> => {
    const hint = `see ${join(settings.dataDir, `${name}.log`)}`;
    const first = await progress
      .waitFor(name, hint, () => start(0))
      .catch((error: unknown) => {
        failure ??= error;
        stopping.abort(); // no need to wait for the others
        throw error;
      });
    pids[name] = first.pid;
    group.push(
      supervise({
        part: first,
        restart: () => start(first.port),
        onDeath: (how) => progress.say(`${name} has ended (${how}) and is started again …`),
        onRestart: ({ pid }) => {
          pids[name] = pid;
          publish();
          progress.say(`${name} runs again.`);
        },
        onFailure: (reason) =>
          progress.say(`${name} could not be started again, trying on: ${reason}`),
      }),
    );
    return first;
  };

  const start = async (): Promise<DevStackFile> => {
    folder = openDataFolder(settings.dataDir);
    const dataDir = folder.path;
    removeDevStackFile(dataDir); // of a stack that was killed
    const { host } = settings;
    const port = settings.httpPort || (await freePort());
    await checkHttpPort(host, port);
    const urls = await startServers({
      settings,
      dataDir,
      signal,
      run: (name, launch) => run(servers, name, launch),
    });
    const http = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
    const { ledger, projector, api } = servicesOf({ settings, dataDir, urls, port });
    const launch = ({ name, main, env }: Service) =>
      run(services, name, () => startService({ name, main, env, dataDir, signal }));
    const seeded = launch(ledger).then(() =>
      progress.waitFor('seed data', `see ${join(dataDir, 'ledger.log')}`, () =>
        seed(urls.nats, signal),
      ),
    );
    // Only with the seed data is the stack what it promises, so /readyz does not say yes before they can be read.
    const lastSeed = seeded.then((READY_AT_POSITION) =>
      launch({ ...api, env: { ...api.env, READY_AT_POSITION } }).then(() => READY_AT_POSITION),
    );
    await allStarted([launch(projector), lastSeed]);
    await waitUntilReadable(http, await lastSeed, signal);
    published = {
      http,
      nats: urls.nats,
      eventstore: urls.eventstore,
      postgres: urls.postgres,
      pids,
    };
    publish();
    return published;
  };

  return {
    start: () =>
      (starting = start().catch((error: unknown) => {
        throw failure ?? error;
      })),
    stop: async () => {
      stopping.abort();
      await starting?.catch(() => {}); // whoever called `start` has its error
      await Promise.all(services.map((part) => part.stop()));
      await Promise.all(servers.map((part) => part.stop()));
      if (folder) {
        removeDevStackFile(folder.path);
        folder.unlock();
      }
    },
  };
}

/** Waits for all, also when one fails: what runs must be known, to be stopped. */
async function allStarted(starts: Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(starts);
  await Promise.all(starts);
}
