import type { Request } from '@points/contracts/ledger-requests';
import type { Result } from '@points/contracts/ledger-replies';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import { aiModelStream } from '@points/contracts/streams';
import { type Model, emptyCatalog, evolveCatalog, findModel } from '@points/domain/catalog/catalog';
import { type ModelCommand, decideModel, modelIdOf } from '@points/domain/catalog/decide';
import { PricingConfigError } from '@points/runtime/pricing-config-file';
import { type ResultInLog, changeFollowed } from './followed-command.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { loadPricingConfig } from './pricing-config.ts';
import { type Outcome, refused } from './reply.ts';
import { requestHash } from './request-hash.ts';
import type { Caller } from './submit-command.ts';

type CatalogVerb =
  | 'register_model'
  | 'price_model'
  | 'describe_model'
  | 'enable_model'
  | 'disable_model'
  | 'remove_model';

/** Carries out a catalog command. */
export function changeModel<Verb extends CatalogVerb>(
  verb: Verb,
  body: Request<`cmd.${Verb}`>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const context = {
    commandId: body.command_id,
    requestHash: requestHash(caller.client, verb, body),
  };
  const command = { ...toCommand({ verb, body } as CatalogRequest), context };
  const modelId = modelIdOf(command);
  return changeFollowed(
    {
      verb,
      stream: aiModelStream(modelId),
      ...context,
      decide: () => decideModel(command, deps.prices.catalog()),
      revision: () => findModel(deps.prices.catalog(), modelId)?.revision ?? -1,
      resultAt: (revision) => modelAt(modelId, revision, deps),
    },
    caller,
    deps,
  );
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

/** The model as it stood right after the event at `revision`. */
async function modelAt(modelId: string, revision: number, deps: LedgerDeps): Promise<ResultInLog> {
  const stream = aiModelStream(modelId);
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
  const model = findModel(catalog, modelId);
  if (model === undefined) throw new Error(`model ${modelId} is not in its own stream`);
  return { result: modelResult(model), position, atMs };
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
