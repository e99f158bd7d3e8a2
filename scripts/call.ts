import { text } from 'node:stream/consumers';
import { type Endpoint, REQUESTS } from '@points/contracts/ledger-requests';
import { isEndpoint, subjectOf } from '@points/contracts/ledger';
import { createLog } from '@points/runtime/log';
import { connectNats, NatsRequestError } from '@points/runtime/nats';
import { v7 as uuidV7 } from 'uuid';
import { z } from 'zod';
import { EXAMPLES } from './call-examples.ts';
import { accessOf, CommandLineError } from './nats-access.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const EXIT = { ok: 0, refused: 1, notAsked: 2 };

/** `npm run call -- <client> <verb> '<json>'`: asks the ledger over NATS and prints its reply. */
async function main(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (args.length === 0 || args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help());
    return args.length === 0 ? EXIT.notAsked : EXIT.ok;
  }
  const [client = '', verb = '', json = '{}', ...more] = args;
  if (more.length > 0)
    throw new CommandLineError('Put the JSON into one argument, in single quotes.');
  const endpoint = endpointOf(verb);
  const body = withIds(endpoint, parseBody(json === '-' ? await text(process.stdin) : json));
  const access = accessOf(client, env);
  const log = createLog('call', 'silent');
  const nats = await connectNats({ ...access, name: 'call', log, waitForServer: false });
  try {
    const data = Buffer.from(JSON.stringify(body));
    const reply = await nats.request(subjectOf(endpoint, access.user), data, {
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    return print(Buffer.from(reply.data).toString('utf8'));
  } finally {
    await nats.close();
  }
}

/** `hold` is a command and a query; the query is `qry.hold`. */
function endpointOf(verb: string): Endpoint {
  const endpoint = [verb, `cmd.${verb}`, `qry.${verb}`].find(isEndpoint);
  if (endpoint) return endpoint;
  throw new CommandLineError(
    `There is no verb "${verb}". npm run call -- --help shows all of them.`,
  );
}

function parseBody(json: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(json));
  } catch {
    throw new CommandLineError(`The body must be a JSON object in single quotes, not ${json}`);
  }
}

/** Fills in the ids that a program would make itself. What is given stays as it is, right or wrong. */
function withIds(endpoint: Endpoint, body: Record<string, unknown>): Record<string, unknown> {
  const isCommand = endpoint.startsWith('cmd.');
  const placesHold = endpoint === 'cmd.hold' || endpoint === 'cmd.consume';
  return {
    ...(isCommand && { command_id: uuidV7() }),
    ...(placesHold && { hold_id: uuidV7() }),
    ...body,
  };
}

function print(answer: string): number {
  const reply: unknown = JSON.parse(answer);
  process.stdout.write(`${JSON.stringify(reply, null, 2)}\n`);
  return reply instanceof Object && 'ok' in reply && reply.ok === true ? EXIT.ok : EXIT.refused;
}

function help(): string {
  const lines = Object.keys(REQUESTS).map((name) => {
    const [kind, verb = ''] = name.split('.');
    const example = isEndpoint(name) ? EXAMPLES[name] : { client: '', body: {} };
    const typed = kind === 'qry' && `cmd.${verb}` in REQUESTS ? name : verb;
    return `  npm run call -- ${example.client} ${typed} '${JSON.stringify(example.body)}'`;
  });
  return `Asks the ledger over NATS and prints its reply.

  npm run call -- <client> <verb> '<json>'     ("-" instead of the JSON: read it from standard input)

command_id is made up when it is not given, for hold and consume hold_id as well.
Exit code: 0 the reply is ok, 1 the ledger refused, 2 the ledger could not be asked.
The running stack is found by DATA_DIR (default .data); another server by NATS_URL, NATS_USER, NATS_PASS.

Every verb with an example:
${lines.join('\n')}
`;
}

main(process.argv.slice(2), process.env)
  .then((code) => (process.exitCode = code))
  .catch((error: unknown) => {
    const isPlain = error instanceof CommandLineError || error instanceof NatsRequestError;
    const message =
      error instanceof Error ? (isPlain ? error.message : error.stack) : String(error);
    process.stderr.write(`call: ${message}\n`);
    process.exitCode = EXIT.notAsked;
  });
