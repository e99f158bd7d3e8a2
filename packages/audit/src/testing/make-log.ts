import { hash } from 'node:crypto';
import { encodeMetadata } from '@points/contracts/stored-events';
import type { LedgerEvent } from '@points/contracts/stored-events';
import {
  PRICING_CONFIG_STREAM,
  accountStream,
  aiModelStream,
  priceListStream,
} from '@points/contracts/streams';
import { decide } from '@points/domain/account/decide';
import { emptyCatalog, evolveCatalog } from '@points/domain/catalog/catalog';
import type { ModelEvent } from '@points/domain/catalog/events';
import { DAY_MS, MINUTE_MS, formatTime } from '@points/domain/time';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { JsonObject } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import type { AuditEvent } from '../audit-event.ts';
import { type AccountLife, type Cause, openLife } from './account-life.ts';
import { DEAR_MODEL, LOG_MODELS, LOG_PACKAGES, LOG_PRICES } from './log-prices.ts';
import { seededRandom } from './random.ts';

export interface LogOptions {
  /** Ids are `user_1` to `user_<accounts>`; each has at least one event when there are enough of them. */
  readonly accounts: number;
  /** Events of the log at least: it ends with a whole command. */
  readonly events: number;
  readonly seed: number;
}

/**
 * For tests and benches: the events of a whole ledger in the order of its log, as the ledger would have written them,
 * made by the domain's own `decide` and sealed. Prices, models and packages come first, then accounts in turns, each
 * with the usual traffic: some 45 % PointsHeld and 42 % HoldConfirmed, the rest of every kind there is.
 *
 * The same options give the same bytes. In memory are the accounts.
 */
export function* makeLog(options: LogOptions): Generator<AuditEvent, void> {
  let made = 0;
  for (const append of appends(options)) {
    yield* append;
    made += append.length;
    if (made >= options.events) return;
  }
}

/** What the ledger appends at a time: the events of one command. */
function* appends({ accounts, events, seed }: LogOptions): Generator<AuditEvent[], never> {
  const random = seededRandom(seed);
  const heads = new Map<string, Head>();
  const gapMs = Math.min(MAX_GAP_MS, Math.ceil(SPAN_MS / events));
  let nowMs = START_MS;
  let position = 2_048n;
  let catalog = emptyCatalog();

  function append(stream: string, cause: Cause, facts: readonly Fact[]): AuditEvent[] {
    const head = heads.get(stream) ?? { revision: -1, hash: GENESIS_HASH };
    const drafts = facts.map(({ event, context }) => ({
      type: event.type,
      data: event.data as JsonObject,
      metadata: encodeMetadata({
        eventType: event.type,
        context,
        ...cause,
        causationId: context.command_id,
      }),
    }));
    const sealed = chainEvents(stream, head.revision + 1, head.hash, drafts).map((event) => {
      position += BigInt(random.between(900, 1_500));
      head.revision += 1;
      head.hash = event.metadata['hash'] ?? '';
      return { ...event, stream, revision: head.revision, position };
    });
    heads.set(stream, head);
    return sealed;
  }

  function byAdmin(stream: string, commandName: string, event: Fact['event']): AuditEvent[] {
    const command_id = random.uuidV7(nowMs);
    const request_hash = random.hex(64);
    const context = { command_id, request_hash, index: 0, occurred_at: formatTime(nowMs) };
    if (isOfModel(event)) catalog = evolveCatalog(catalog, event, context);
    nowMs += random.between(1, gapMs);
    return append(stream, { ...ADMIN, commandName, correlationId: command_id }, [
      { event, context },
    ]);
  }

  const version = hash('sha256', canonicalJson(LOG_PRICES as unknown as JsonObject), 'hex');
  yield byAdmin(PRICING_CONFIG_STREAM, 'reload_config', {
    type: 'ConfigLoaded',
    data: { version, content: LOG_PRICES },
  });
  for (const data of LOG_MODELS)
    yield byAdmin(aiModelStream(data.model_id), 'register_model', {
      type: 'ModelRegistered',
      data,
    });
  for (const data of LOG_PACKAGES)
    yield byAdmin(priceListStream(data.kind), 'list_price', { type: 'PriceListed', data });

  const lives = new Map<number, AccountLife>();
  let nextAccount = 0;
  const enter = (): AccountLife => {
    const number = nextAccount % accounts;
    nextAccount += 1;
    const life = lives.get(number) ?? openLife(accountStream(`user_${number + 1}`), random);
    lives.set(number, life);
    return life;
  };
  const active = Array.from({ length: Math.min(accounts, ACTIVE_ACCOUNTS) }, enter);
  let modelCost = DEAR_MODEL.points_cost;
  for (;;) {
    nowMs += random.between(1, 2 * gapMs);
    if (random.chance(PRICE_CHANGES)) {
      const previous_points_cost = modelCost;
      modelCost = (previous_points_cost % 6) + 2;
      yield byAdmin(aiModelStream(DEAR_MODEL.model_id), 'price_model', {
        type: 'ModelPriced',
        data: { model_id: DEAR_MODEL.model_id, points_cost: modelCost, previous_points_cost },
      });
    }
    const place = random.between(0, active.length - 1);
    if (random.chance(LEAVES)) active[place] = enter();
    const life = active[place];
    if (life === undefined) throw new Error('nobody is there');
    const sources = { catalog, config: LOG_PRICES, configVersion: version };
    const asked = life.next({ nowMs, sources });
    const decision = decide(asked.command, life.account);
    life.learn(asked, decision);
    if (decision.outcome === 'accepted' && decision.events.length > 0)
      yield append(life.stream, asked.cause, decision.events);
  }
}

type Fact = Pick<LedgerEvent, 'event' | 'context'>;

interface Head {
  revision: number;
  hash: string;
}

function isOfModel(event: Fact['event']): event is ModelEvent {
  return event.type.startsWith('Model');
}

const ADMIN = { actorType: 'client', actorId: 'admin' } as const;
const START_MS = Date.UTC(2026, 0, 5);
/** How long a large log goes on; a small one is shorter, for nobody waits longer than this. */
const SPAN_MS = 60 * DAY_MS;
const MAX_GAP_MS = 4 * MINUTE_MS;
/** Accounts that are used at a time; now and then one leaves, and the next comes. */
const ACTIVE_ACCOUNTS = 32;
const LEAVES = 0.04;
const PRICE_CHANGES = 0.001;
