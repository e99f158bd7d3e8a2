import type { Request } from '@points/contracts/ledger-requests';
import type { Result } from '@points/contracts/ledger-replies';
import { decodeStoredEvent, encodeMetadata } from '@points/contracts/stored-events';
import { aiModelStream } from '@points/contracts/streams';
import {
  type Catalog,
  type Model,
  emptyCatalog,
  evolveCatalog,
  findModel,
} from '@points/domain/catalog/catalog';
import { type ModelCommand, decideModel, modelIdOf } from '@points/domain/catalog/decide';
import type { ModelEvent } from '@points/domain/catalog/events';
import type { AppendResult } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import type { Caller } from './account-endpoints.ts';
import { toJson } from './account-fold.ts';
import { type LedgerDeps, notReady } from './ledger-deps.ts';
import { PricingConfigError, loadPricingConfig } from './pricing-config.ts';
import { type Outcome, refused } from './reply.ts';
import { requestHash } from './request-hash.ts';

export type CatalogVerb =
  | 'register_model'
  | 'price_model'
  | 'describe_model'
  | 'enable_model'
  | 'disable_model'
  | 'remove_model';

/** Decisions of one command: first try, and again after each conflict with another replica. */
const ATTEMPTS_MAX = 5;

/**
 * Carries out a catalog command. The catalog is followed from the log, so before a refusal, and after an append, it is
 * read on to the log's end: the answer is never older than the log, and the next hold on this replica sees the change.
 */
export function changeModel<Verb extends CatalogVerb>(
  verb: Verb,
  body: Request<`cmd.${Verb}`>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  return deps.catalogTurn(() => changeInTurn(verb, body, caller, deps));
}

async function changeInTurn<Verb extends CatalogVerb>(
  verb: Verb,
  body: Request<`cmd.${Verb}`>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  if (!deps.prices.hasRead()) return notReady(deps);
  const command = {
    ...toCommand({ verb, body } as CatalogRequest),
    context: { commandId: body.command_id, requestHash: requestHash(caller.client, verb, body) },
  };
  const stream = aiModelStream(modelIdOf(command));
  let fresh = false;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const decision = decideModel(command, deps.prices.catalog());
    if (decision.outcome === 'duplicate') {
      const past = await readCatalog(stream, decision.answer.revision, deps);
      return answer(past.catalog, command, past.position, true, past.atMs);
    }
    if (decision.outcome === 'refused' && fresh)
      return refused(decision.refusal.code, decision.refusal.details);
    if (decision.outcome === 'accepted') {
      const nowMs = deps.clock.now();
      const appended = await append(stream, verb, command, decision.event, caller, nowMs, deps);
      if (appended.outcome === 'appended') {
        await deps.prices.refresh();
        const written = await readCatalog(stream, appended.revision, deps);
        return answer(written.catalog, command, appended.position, false, nowMs);
      }
    }
    await deps.prices.refresh();
    fresh = true;
  }
  return refused('contention');
}

/** Reads the pricing file again. */
export async function reloadConfig(
  body: Request<'cmd.reload_config'>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const nowMs = deps.clock.now();
  try {
    const loaded = await loadPricingConfig({
      file: deps.configFile,
      log: deps.log,
      prices: deps.prices,
      nowMs,
      actorId: caller.client,
      commandId: body.command_id,
    });
    return {
      ok: true,
      result: { ...loaded },
      duplicate: false,
      atMs: nowMs,
    };
  } catch (error) {
    if (error instanceof PricingConfigError)
      return refused('invalid_argument', { field: error.field }, error.message);
    throw error;
  }
}

async function append(
  stream: string,
  verb: CatalogVerb,
  command: ModelCommand,
  event: ModelEvent,
  caller: Caller,
  nowMs: number,
  deps: LedgerDeps,
): Promise<AppendResult> {
  const last = await deps.log.readLast(stream);
  const known = findModel(deps.prices.catalog(), modelIdOf(command))?.revision ?? -1;
  if ((last?.revision ?? -1) !== known) return { outcome: 'conflict' };
  const { commandId, requestHash: request_hash } = command.context;
  const metadata = encodeMetadata({
    eventType: event.type,
    context: {
      command_id: commandId,
      request_hash,
      index: 0,
      occurred_at: new Date(nowMs).toISOString(),
    },
    commandName: verb,
    actorType: 'client',
    actorId: caller.client,
    correlationId: caller.correlationId ?? commandId,
    causationId: commandId,
  });
  const draft = { type: event.type, data: toJson(event.data), metadata };
  const events = chainEvents(stream, known + 1, last?.metadata['hash'] ?? GENESIS_HASH, [draft]);
  return deps.log.append(stream, events, known < 0 ? 'no_stream' : known);
}

/** The model as it stood right after the event at `revision`. */
async function readCatalog(stream: string, revision: number, deps: LedgerDeps) {
  let catalog = emptyCatalog();
  let position: bigint | null = null;
  let atMs = 0;
  for await (const stored of deps.log.readStream(stream, {
    fromRevision: 0,
    maxCount: revision + 1,
  })) {
    const decoded = decodeStoredEvent(stored);
    if (decoded.category !== 'aiModel') throw new Error(`${stream} is not a model`);
    catalog = evolveCatalog(catalog, decoded.event, decoded.context);
    position = stored.position;
    atMs = Date.parse(decoded.context.occurred_at);
  }
  return { catalog, position, atMs };
}

function answer(
  catalog: Catalog,
  command: ModelCommand,
  position: bigint | null,
  duplicate: boolean,
  atMs: number,
): Outcome {
  const model = findModel(catalog, modelIdOf(command));
  if (model === undefined) throw new Error(`model ${modelIdOf(command)} is not in its own stream`);
  return { ok: true, result: modelResult(model), duplicate, position, atMs };
}

function modelResult(model: Model): Result {
  return {
    model_id: model.modelId,
    model_name: model.modelName,
    display_name: model.displayName,
    description: model.description,
    points_cost: model.pointsCost,
    platform: model.platform,
    provider_type: model.providerType,
    model_type: model.modelType,
    task_type: model.taskType,
    is_enabled: model.isEnabled,
    extended_config: { ...model.extendedConfig },
    removed: model.isRemoved,
  };
}

type CatalogRequest = {
  [Verb in CatalogVerb]: { readonly verb: Verb; readonly body: Request<`cmd.${Verb}`> };
}[CatalogVerb];
type WithoutContext<Command> = Command extends ModelCommand ? Omit<Command, 'context'> : never;

function toCommand({ verb, body }: CatalogRequest): WithoutContext<ModelCommand> {
  switch (verb) {
    case 'register_model':
      return {
        kind: 'RegisterModel',
        model: {
          model_id: body.model_id,
          model_name: body.model_name,
          display_name: body.display_name ?? body.model_name,
          description: body.description ?? '',
          points_cost: body.points_cost,
          platform: body.platform ?? '',
          provider_type: body.provider_type,
          model_type: body.model_type ?? '',
          task_type: body.task_type,
          is_enabled: body.is_enabled ?? true,
          extended_config: body.extended_config ?? {},
        },
      };
    case 'price_model':
      return { kind: 'PriceModel', modelId: body.model_id, pointsCost: body.points_cost };
    case 'describe_model': {
      const { command_id: _, metadata: __, ...changes } = body;
      return { kind: 'DescribeModel', changes };
    }
    case 'enable_model':
      return { kind: 'EnableModel', modelId: body.model_id };
    case 'disable_model':
      return { kind: 'DisableModel', modelId: body.model_id };
    case 'remove_model':
      return { kind: 'RemoveModel', modelId: body.model_id };
    default:
      return verb satisfies never;
  }
}
