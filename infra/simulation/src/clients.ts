import { isEndpoint } from '@points/contracts/ledger';
import { ADMIN } from './ledger.ts';
import type { Call, Network, Reply } from './network.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface Clients {
  /** No new work; what was begun is tried until it is answered. */
  stop(): void;
  busy(): boolean;
}

/** Few, so that they are always fought over. */
const ACCOUNTS = ['a', 'b'];
const CLIENTS = ['ai-one', 'ai-two', ADMIN];
const PAUSE_MAX_MS = 200;
const RETRY_PAUSE_MAX_MS = 1_000;
/** As in the SDK: the same command again until it is answered, and then it is given up. */
const ATTEMPTS_MAX = 6;

/**
 * AI services and an operator at work: they place holds, settle them, repeat themselves, forget, quarrel. Answers that
 * get lost are asked for again with the same command id.
 */
export function startClients(deps: {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly onGivenUp: (call: Call) => void;
}): Clients {
  const { scheduler, network } = deps;
  const { random } = scheduler;
  /** All know each other's commands, so that strangers try, too. */
  const calls: Call[] = [];
  let stopping = false;
  let running = 0;

  const pause = (maxMs: number, who: string) =>
    new Promise<void>((resolve) => {
      scheduler.after(random.integer(0, maxMs), `${who} goes on`, resolve);
    });

  async function ask(call: Call): Promise<Reply | null> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const reply = await network.request(call);
      if (reply !== null && (reply.ok || !reply.error.retryable)) return reply;
      await pause(RETRY_PAUSE_MAX_MS, call.client);
    }
    deps.onGivenUp(call);
    return null;
  }

  async function live(client: string): Promise<void> {
    while (!stopping) {
      await pause(PAUSE_MAX_MS, client);
      const call = nextCall({ client, calls, random, nowMs: scheduler.now() });
      if (call === null) continue;
      if (call.endpoint.startsWith('cmd.')) calls.push(call);
      const queueable = call.endpoint === 'cmd.confirm' || call.endpoint === 'cmd.cancel';
      if (queueable && random.chance(0.3)) network.enqueue(call);
      // A confirm that comes on both paths at once charges once.
      if (!queueable || random.chance(0.8)) await ask(call);
    }
  }

  const run = (client: string) => {
    running += 1;
    void live(client).finally(() => {
      running -= 1;
    });
  };
  // Two hands each, so that commands of one client race, too.
  for (const client of [...CLIENTS, ...CLIENTS]) run(client);
  return {
    stop() {
      stopping = true;
    },
    busy: () => running > 0,
  };
}

interface Mind {
  readonly client: string;
  /** Of all clients, the latest last. */
  readonly calls: readonly Call[];
  readonly random: Random;
  readonly nowMs: number;
}

/** How often each thing is done by an AI service and by the operator. */
const HABITS = {
  ai: {
    'cmd.hold': 10,
    'cmd.confirm': 8,
    'cmd.cancel': 3,
    'cmd.extend': 1,
    'cmd.consume': 4,
    'qry.balance': 2,
    'qry.hold': 1,
    'qry.quote': 1,
    'qry.command': 1,
    again: 3,
    'other content': 1,
  },
  operator: {
    'cmd.recharge': 10,
    'cmd.reward': 2,
    'cmd.reverse_recharge': 1,
    'cmd.refund': 3,
    'cmd.adjust': 2,
    'cmd.freeze': 0.15,
    'cmd.unfreeze': 1,
    'cmd.grant_membership': 1,
    'cmd.revoke_membership': 0.2,
    'cmd.confirm': 1,
    'cmd.cancel': 1,
    'qry.balance': 1,
    again: 2,
    'other content': 0.5,
  },
};

function nextCall(mind: Mind): Call | null {
  const { client, calls, random, nowMs } = mind;
  const habits: Readonly<Record<string, number>> = client === ADMIN ? HABITS.operator : HABITS.ai;
  const what = random.weighted(habits);
  if (what === 'again' || what === 'other content') {
    const call = recent(random, ofClient(calls, client), 30);
    if (call === null || what === 'again') return call;
    return { ...call, body: { ...call.body, description: 'another' } };
  }
  if (!isEndpoint(what)) return null;
  const account_id = random.pick(ACCOUNTS);
  const command_id = random.uuid(nowMs);
  const about = bodyOf(what, account_id, mind);
  if (about === null) return null;
  const body = what.startsWith('cmd.')
    ? { command_id, account_id, ...about }
    : { account_id, ...about };
  return { client, endpoint: what, body };
}

function bodyOf(
  endpoint: string,
  account_id: string,
  { client, calls, random, nowMs }: Mind,
): object | null {
  const own = client === ADMIN || random.chance(0.15) ? calls : ofClient(calls, client);
  const hold = (): object =>
    named(recent(random, own.filter(isHold), 6)) ?? { account_id, hold_id: random.uuid(nowMs) };
  const points = (max: number) => random.integer(1, max);
  const byHand = { reason: 'because', operator: 'ada' };
  switch (endpoint) {
    case 'cmd.hold': {
      const place = { hold_id: random.uuid(nowMs), ...(random.chance(0.05) ? hold() : {}) };
      return { ...place, ttl_ms: random.integer(1_000, 20_000), ...useOf(random) };
    }
    case 'cmd.consume':
      return { ...useOf(random), ...actualOf(random) };
    case 'cmd.confirm':
      return { ...hold(), ...actualOf(random) };
    case 'cmd.cancel':
      return { ...hold(), reason: random.pick(['caller', 'failed', 'client_abort']) };
    case 'cmd.extend':
      return { ...hold(), ttl_ms: random.integer(1_000, 30_000) };
    case 'cmd.recharge':
      return {
        source: random.pick(['order', 'admin', 'import']),
        source_ref: `ref-${random.integer(1, 60)}`,
        points: points(40),
        bonus_points: random.integer(0, 5),
        ...expiryOf(random, nowMs),
      };
    case 'cmd.reward':
      return {
        source_ref: `ref-${random.integer(1, 60)}`,
        points: points(10),
        ...expiryOf(random, nowMs),
      };
    case 'cmd.reverse_recharge':
      return reversalOf(calls, random, byHand);
    case 'cmd.refund': {
      const charged = named(recent(random, calls.filter(isConfirm), 8)) ?? hold();
      return { ...charged, ...(random.chance(0.5) ? { points: points(6) } : {}), ...byHand };
    }
    case 'cmd.adjust': {
      const delta = random.pick([-1, 1]) * points(8);
      return { delta, forced: random.chance(0.3), ...byHand };
    }
    case 'cmd.freeze':
    case 'cmd.unfreeze':
    case 'cmd.revoke_membership':
      return byHand;
    case 'cmd.grant_membership':
      return {
        membership_type: 'month',
        duration_days: points(31),
        order_no: `order-${points(20)}`,
      };
    case 'qry.balance':
      return {};
    case 'qry.hold':
      return hold();
    case 'qry.quote':
      return { source_type: 'script' };
    case 'qry.command': {
      const call = recent(random, calls, 20);
      if (call === null) return null;
      const { account_id: asked, command_id } = call.body;
      return { account_id: asked, command_id };
    }
    default:
      return null;
  }
}

function reversalOf(calls: readonly Call[], random: Random, byHand: object): object | null {
  const call = recent(
    random,
    calls.filter(({ endpoint }) => endpoint === 'cmd.recharge'),
    10,
  );
  if (call === null) return null;
  const { account_id, source_ref } = call.body;
  return { account_id, source_ref, ...byHand };
}

function ofClient(calls: readonly Call[], client: string): Call[] {
  return calls.filter((call) => call.client === client);
}

function isHold({ endpoint }: Call): boolean {
  return endpoint === 'cmd.hold';
}

function isConfirm({ endpoint }: Call): boolean {
  return endpoint === 'cmd.confirm';
}

/** One of the last so many, if there are any. */
function recent(random: Random, calls: readonly Call[], most: number): Call | null {
  const latest = calls.slice(-most);
  return latest.length === 0 ? null : random.pick(latest);
}

/** The hold that a call is about, with its account. */
function named(call: Call | null): object | null {
  if (call === null) return null;
  const { account_id, hold_id } = call.body;
  return { account_id, hold_id };
}

function useOf(random: Random): object {
  const overage = random.pick(['debt', 'debt', 'cap', 'reject']);
  switch (random.weighted({ points: 5, script: 1, image: 2, tts: 3, caption: 1 })) {
    case 'points':
      return { amount: random.integer(1, 15), overage };
    case 'script':
      return { source_type: 'script', overage, ...(random.chance(0.2) ? { max_amount: 3 } : {}) };
    case 'image':
      return { source_type: 'image', quantity: random.integer(1, 3) };
    case 'tts':
      return { source_type: 'tts', estimated_duration: random.integer(1, 20_000) / 1_000, overage };
    case 'caption':
      return { source_type: 'caption' };
  }
}

function actualOf(random: Random): object {
  switch (random.weighted({ held: 3, points: 5, quantity: 1, duration: 2 })) {
    case 'held':
      return {};
    case 'points':
      return { actual_amount: random.integer(0, 25) };
    case 'quantity':
      return { actual_quantity: random.integer(0, 4) };
    case 'duration':
      return { actual_duration: random.integer(0, 30_000) / 1_000 };
  }
}

function expiryOf(random: Random, nowMs: number): object {
  switch (random.weighted({ never: 1, soon: 5, days: 1 })) {
    case 'never':
      return { expires_at: null };
    case 'soon':
      return { expires_at: new Date(nowMs + random.integer(1_000, 60_000)).toISOString() };
    case 'days':
      return { validity_days: random.integer(1, 9) };
  }
}
