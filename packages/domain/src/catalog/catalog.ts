import type { FirstAnswer } from '../account/account.ts';
import type { EventContext } from '../account/events.ts';
import { type PersistentMap, emptyMap, mapDelete, mapGet, mapSet } from '../persistent-map.ts';
import { rememberCommand } from '../remembered-commands.ts';
import type { ModelEvent, TaskType } from './events.ts';

/** All models, folded from every `aiModel-*` stream. Immutable. */
export interface Catalog {
  readonly models: PersistentMap<string, Model>;
  /** model_id by model_name, of models that are not removed. */
  readonly byName: PersistentMap<string, string>;
  /** model_id by platform and model_type, of models that are not removed. */
  readonly byPlatform: PersistentMap<string, string>;
}

export interface Model {
  readonly modelId: string;
  /** Revision of the model stream's last event. */
  readonly revision: number;
  readonly modelName: string;
  readonly displayName: string;
  readonly description: string;
  readonly pointsCost: number;
  readonly platform: string;
  readonly providerType: string;
  readonly modelType: string;
  readonly taskType: TaskType;
  readonly isEnabled: boolean;
  readonly isRemoved: boolean;
  readonly extendedConfig: Readonly<Record<string, unknown>>;
  /** Those of the last 8 days. */
  readonly commands: PersistentMap<string, FirstAnswer>;
}

export function emptyCatalog(): Catalog {
  return { models: emptyMap(), byName: emptyMap(), byPlatform: emptyMap() };
}

export function findModel(catalog: Catalog, modelId: string): Model | undefined {
  return mapGet(catalog.models, modelId);
}

export function findModelByName(catalog: Catalog, modelName: string): Model | undefined {
  const modelId = mapGet(catalog.byName, modelName);
  return modelId === undefined ? undefined : findModel(catalog, modelId);
}

export function findModelByPlatform(
  catalog: Catalog,
  platform: string,
  modelType: string,
): Model | undefined {
  const modelId = mapGet(catalog.byPlatform, platformKey(platform, modelType));
  return modelId === undefined ? undefined : findModel(catalog, modelId);
}

/** Folds one model event. Throws when it cannot follow this state (a damaged log). */
export function evolveCatalog(catalog: Catalog, event: ModelEvent, context: EventContext): Catalog {
  const before = findModel(catalog, event.data.model_id);
  const after = remember(evolveModel(before, event), before, context);
  return index(catalog, before, after);
}

function evolveModel(before: Model | undefined, event: ModelEvent): Model {
  if (event.type === 'ModelRegistered') {
    if (before !== undefined) throw new Error(`model registered twice: ${event.data.model_id}`);
    return {
      modelId: event.data.model_id,
      revision: -1,
      modelName: event.data.model_name,
      displayName: event.data.display_name,
      description: event.data.description,
      pointsCost: event.data.points_cost,
      platform: event.data.platform,
      providerType: event.data.provider_type,
      modelType: event.data.model_type,
      taskType: event.data.task_type,
      isEnabled: event.data.is_enabled,
      isRemoved: false,
      extendedConfig: event.data.extended_config,
      commands: emptyMap(),
    };
  }
  if (before === undefined)
    throw new Error(`${event.type} of an unknown model: ${event.data.model_id}`);
  switch (event.type) {
    case 'ModelPriced':
      return { ...before, pointsCost: event.data.points_cost };
    case 'ModelDescribed':
      return {
        ...before,
        displayName: event.data.display_name ?? before.displayName,
        description: event.data.description ?? before.description,
        platform: event.data.platform ?? before.platform,
        providerType: event.data.provider_type ?? before.providerType,
        modelType: event.data.model_type ?? before.modelType,
        taskType: event.data.task_type ?? before.taskType,
        extendedConfig: event.data.extended_config ?? before.extendedConfig,
      };
    case 'ModelEnabled':
      return { ...before, isEnabled: true };
    case 'ModelDisabled':
      return { ...before, isEnabled: false };
    case 'ModelRemoved':
      return { ...before, isEnabled: false, isRemoved: true };
    default:
      return event satisfies never;
  }
}

function remember(model: Model, before: Model | undefined, context: EventContext): Model {
  const revision = (before?.revision ?? -1) + 1;
  const answer: FirstAnswer = {
    requestHash: context.request_hash,
    revision: revision - context.index,
  };
  return { ...model, revision, commands: rememberCommand(model.commands, context, answer) };
}

function index(catalog: Catalog, before: Model | undefined, after: Model): Catalog {
  const { modelId } = after;
  let { byName, byPlatform } = catalog;
  if (before !== undefined && !before.isRemoved) {
    byName = release(byName, before.modelName, modelId);
    byPlatform = release(byPlatform, platformKey(before.platform, before.modelType), modelId);
  }
  if (!after.isRemoved) {
    byName = claim(byName, after.modelName, modelId);
    if (after.platform !== '')
      byPlatform = claim(byPlatform, platformKey(after.platform, after.modelType), modelId);
  }
  return { models: mapSet(catalog.models, modelId, after), byName, byPlatform };
}

type Names = PersistentMap<string, string>;

/**
 * Two streams cannot refuse each other, so two models may take one name at the same moment. The first in the log keeps
 * it: no event of one model ever changes what the name of another one costs.
 */
function claim(names: Names, name: string, modelId: string): Names {
  return mapGet(names, name) === undefined ? mapSet(names, name, modelId) : names;
}

function release(names: Names, name: string, modelId: string): Names {
  return mapGet(names, name) === modelId ? mapDelete(names, name) : names;
}

/** U+0000 cannot stand in either name. */
function platformKey(platform: string, modelType: string): string {
  return `${platform}\u0000${modelType}`;
}
