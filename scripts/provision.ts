import { JetStreamError } from '@points/runtime/jetstream';
import { createLog } from '@points/runtime/log';
import { connectNats, NatsRequestError } from '@points/runtime/nats';
import { ProvisionError, provisionStreams } from '../infra/nats/provision.ts';
import { accessOf, CommandLineError } from './nats-access.ts';

const EXIT = { ok: 0, failed: 1, notAsked: 2 };

/** `npm run provision`: makes the streams of a NATS server what infra/nats/streams.ts says. */
async function main(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (args.length > 0) {
    process.stdout.write(HELP);
    return args[0] === '--help' || args[0] === '-h' ? EXIT.ok : EXIT.notAsked;
  }
  const log = createLog('provision', 'silent');
  const access = accessOf('provision', env);
  const nats = await connectNats({ ...access, name: 'provision', log, waitForServer: false });
  try {
    const { serverVersion, outdated, done } = await provisionStreams(nats);
    const lines = done.map(({ what, how }) => `${how.padEnd(9)} ${what}\n`);
    process.stdout.write(`nats-server ${serverVersion}\n${lines.join('')}`);
    if (outdated)
      process.stderr.write('This server is too old for production: run 2.12 or later there.\n');
    return EXIT.ok;
  } finally {
    await nats.close();
  }
}

const HELP = `Creates the streams and consumers of the ledger on a NATS server, or changes them to what they should be.
What they hold stays; it may run as often as you like, also beside a running system.

  npm run provision

The running stack is found by DATA_DIR (default .data); another server by NATS_URL, NATS_USER (default provision), NATS_PASS.
Exit code: 0 all is as it should be, 1 the server refused something, 2 the server could not be asked.
`;

main(process.argv.slice(2), process.env)
  .then((code) => (process.exitCode = code))
  .catch((error: unknown) => {
    const isPlain =
      error instanceof ProvisionError ||
      error instanceof JetStreamError ||
      error instanceof CommandLineError ||
      error instanceof NatsRequestError;
    const message =
      error instanceof Error ? (isPlain ? error.message : error.stack) : String(error);
    process.stderr.write(`provision: ${message}\n`);
    process.exitCode = error instanceof ProvisionError ? EXIT.failed : EXIT.notAsked;
  });
