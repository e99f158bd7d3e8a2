import { setTimeout as sleep } from 'node:timers/promises';
import { subjectOf } from '@points/contracts/ledger';
import { createLog } from '@points/runtime/log';
import { connectNats, type Nats, NatsRequestError } from '@points/runtime/nats';
import { v7 as uuidV7 } from 'uuid';
import { z } from 'zod';
import type { DevStackFile } from './dev-stack-file.ts';
import { SEED_MODELS, SEED_PRICES, SEED_RECHARGES, seedMembership } from './seed-data.ts';
import { StartError } from './start-error.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const TRY_FOR_MS = 30_000;
const RETRY_EVERY_MS = 200;

const reply = z.union([
  z.object({ ok: z.literal(true), position: z.string().nullish() }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      code: z.string(),
      message: z.string(),
      retryable: z.boolean(),
      details: z.object({ field: z.string().optional() }).optional(),
    }),
  }),
]);

/**
 * Gives the development users their points and fills the catalog and the price lists, as `admin`. What is there already
 * stays as it is, also when somebody changed it since. Returns the log position of the last change
 * made or found, '0' when none was told. Throws StartError.
 */
export async function seed(server: DevStackFile['nats'], signal: AbortSignal): Promise<string> {
  const { user, pass } = server.clients['admin'] ?? { user: 'admin', pass: '' };
  const log = createLog('seed', 'silent');
  const nats = await connectNats({
    url: server.url,
    user,
    pass,
    name: 'dev-stack',
    log,
    waitForServer: false,
  });
  try {
    return await sendAll(nats, signal);
  } finally {
    await nats.close();
  }
}

type SeedVerb = 'recharge' | 'register_model' | 'list_price' | 'grant_membership';

async function sendAll(nats: Nats, signal: AbortSignal): Promise<string> {
  let last = 0n;
  const send = async (verb: SeedVerb, body: object): Promise<void> => {
    const position = await sendUntilAnswered(nats, verb, { command_id: uuidV7(), ...body }, signal);
    if (position > last) last = position;
  };
  // One after another: the catalog is listed in the order of registration.
  for (const model of SEED_MODELS) await send('register_model', model);
  for (const price of SEED_PRICES) await send('list_price', price);
  for (const recharge of SEED_RECHARGES) await send('recharge', recharge);
  const membership = seedMembership(Date.now());
  if (membership !== null) await send('grant_membership', membership);
  return last.toString();
}

async function sendUntilAnswered(
  nats: Nats,
  verb: SeedVerb,
  body: object,
  signal: AbortSignal,
): Promise<bigint> {
  const subject = subjectOf(`cmd.${verb}`, 'admin');
  const data = Buffer.from(JSON.stringify(body));
  const deadline = Date.now() + TRY_FOR_MS;
  let trouble = 'no answer';
  while (Date.now() < deadline && !signal.aborted) {
    try {
      const { data: bytes } = await nats.request(subject, data, { timeoutMs: REQUEST_TIMEOUT_MS });
      const answer = reply.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
      if (answer.ok) return BigInt(answer.position ?? 0);
      const { code, message, retryable, details } = answer.error;
      if (isThere(code, details?.field)) return 0n;
      trouble = `${code}: ${message}`;
      if (!retryable) break;
    } catch (error) {
      if (!(error instanceof NatsRequestError)) throw error;
      trouble = error.message;
      if (error.code === 'not_permitted') break;
    }
    await sleep(RETRY_EVERY_MS); // the same command_id again
  }
  throw new StartError(`The seed data could not be written (${verb}: ${trouble}).`);
}

/** Names that can be given once. */
const TAKEN = new Set(['model_id', 'model_name', 'price_id', 'membership_type']);

/** The answers to what an earlier start has written under another command_id. */
function isThere(code: string, field: string | undefined): boolean {
  if (code === 'source_ref_reused') return true;
  return code === 'invalid_argument' && TAKEN.has(field ?? '');
}
