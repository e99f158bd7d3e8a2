import type { ModelEvent, ModelEventType } from '@points/domain/catalog/events';
import type { ModelRow } from '../rows.ts';
import { ProjectionError } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';

export type ModelData = {
  [Type in ModelEventType]: Extract<ModelEvent, { type: Type }>['data'];
};

type ModelProjection = {
  readonly [Type in ModelEventType]: (
    set: WorkingSet,
    data: ModelData[Type],
    place: ModelPlace,
  ) => void;
};

/** Where a model event stands. */
export interface ModelPlace {
  readonly modelId: string;
  /** Log position. */
  readonly position: bigint;
  readonly revision: number;
  /** ISO-8601 UTC. */
  readonly occurredAt: string;
}

/** `ai_models`: the catalog. A removed model keeps its row, with the time of its removal. */
export const models: ModelProjection = {
  ModelRegistered(set, data, { modelId, position, revision }) {
    if (revision !== 0) throw new ProjectionError(`model ${modelId} is registered at ${revision}`);
    set.models.add(modelId, {
      model_id: modelId,
      id: String(position),
      model_name: data.model_name,
      display_name: data.display_name,
      description: data.description,
      points_cost: data.points_cost,
      platform: data.platform,
      provider_type: data.provider_type,
      model_type: data.model_type,
      task_type: data.task_type,
      is_enabled: data.is_enabled,
      extended_config: data.extended_config,
      ledger_version: revision,
      deleted_at: null,
    });
  },
  ModelPriced(set, data, place) {
    nextRevision(set, place).points_cost = data.points_cost;
  },
  ModelDescribed(set, data, place) {
    const model = nextRevision(set, place);
    model.display_name = data.display_name ?? model.display_name;
    model.description = data.description ?? model.description;
    model.platform = data.platform ?? model.platform;
    model.provider_type = data.provider_type ?? model.provider_type;
    model.model_type = data.model_type ?? model.model_type;
    model.task_type = data.task_type ?? model.task_type;
    model.extended_config = data.extended_config ?? model.extended_config;
  },
  ModelEnabled(set, _data, place) {
    nextRevision(set, place).is_enabled = true;
  },
  ModelDisabled(set, _data, place) {
    nextRevision(set, place).is_enabled = false;
  },
  ModelRemoved(set, _data, place) {
    const model = nextRevision(set, place);
    model.is_enabled = false;
    model.deleted_at = place.occurredAt;
  },
};

function nextRevision(set: WorkingSet, { modelId, revision }: ModelPlace): ModelRow {
  const model = set.models.change(modelId);
  if (revision !== model.ledger_version + 1) {
    throw new ProjectionError(
      `gap: the last event applied of this model is ${model.ledger_version}, not ${revision - 1}`,
    );
  }
  model.ledger_version = revision;
  return model;
}
