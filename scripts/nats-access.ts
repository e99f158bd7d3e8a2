import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

/** The command line is wrong or nobody can be asked; `message` is a sentence for the user. */
export class CommandLineError extends Error {
  override name = 'CommandLineError';
}

type Access = { url: string; user: string; pass: string };

/**
 * How a command of the shell reaches NATS as `client`: from the environment if NATS_URL is set, else
 * from the running stack of DATA_DIR. Throws CommandLineError.
 */
export function accessOf(client: string, env: NodeJS.ProcessEnv): Access {
  if (env['NATS_URL']) {
    return { url: env['NATS_URL'], user: env['NATS_USER'] || client, pass: env['NATS_PASS'] ?? '' };
  }
  const file = join(resolve(env['DATA_DIR'] || '.data'), 'dev-stack.json');
  const { nats } = readStackFile(file);
  const credentials = nats.clients[client];
  if (credentials) return { url: nats.url, ...credentials };
  const names = Object.keys(nats.clients).join(', ');
  throw new CommandLineError(`There is no client "${client}"; this stack has ${names}.`);
}

const stackFile = z.object({
  nats: z.object({
    url: z.string(),
    clients: z.record(z.string(), z.object({ user: z.string(), pass: z.string() })),
  }),
});

function readStackFile(file: string): z.output<typeof stackFile> {
  try {
    return stackFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new CommandLineError(
      isMissing
        ? `No stack runs here (${file} is missing): start it with npm start, name its folder in DATA_DIR, ` +
            'or a NATS server in NATS_URL, NATS_USER and NATS_PASS.'
        : `${file} cannot be read: ${String(error)}`,
    );
  }
}
