import { isTaskType, providerName, TASK_TYPE_NAMES } from '@points/contracts/display-names';
import type { GroupedModel, ModelItem, ModelStats } from '@points/contracts/http';
import type { ReadTables } from '@points/read-model/tables';
import type { Kysely } from 'kysely';

type TaskType = ModelItem['taskType'];

export interface ModelsFilter {
  readonly taskTypes?: readonly TaskType[] | undefined;
  readonly provider?: string | undefined;
  readonly enabledOnly: boolean;
}

/** Models in the order of their registration. Removed ones are never shown. */
export async function selectModels(
  db: Kysely<ReadTables>,
  filter: ModelsFilter,
): Promise<ModelItem[]> {
  const { taskTypes, provider, enabledOnly } = filter;
  let query = db.selectFrom('ai_models').selectAll().where('deleted_at', 'is', null).orderBy('id');
  if (taskTypes !== undefined) query = query.where('task_type', 'in', taskTypes);
  if (provider !== undefined) query = query.where('provider_type', '=', provider);
  if (enabledOnly) query = query.where('is_enabled', '=', true);
  const rows = await query.execute();
  return rows.map((row) => ({
    id: Number(row.id),
    modelName: row.model_name,
    displayName: row.display_name,
    description: row.description,
    pointsCost: row.points_cost,
    providerType: row.provider_type,
    taskType: toTaskType(row.task_type),
    isEnabled: row.is_enabled,
    extendedConfig: row.extended_config,
  }));
}

/** Groups in the order in which the task types are always listed; types without a model are absent. */
export function groupByType(models: readonly ModelItem[]) {
  return TASK_TYPES.flatMap((taskType) => {
    const group = models.filter((model) => model.taskType === taskType).map(toGroupedModel);
    return group.length === 0
      ? []
      : [{ taskType, taskTypeName: TASK_TYPE_NAMES[taskType], models: group, count: group.length }];
  });
}

/** Groups in the order of their provider's code. */
export function groupByProvider(models: readonly ModelItem[]) {
  return providersOf(models).map((providerType) => {
    const group = models.filter((model) => model.providerType === providerType).map(toGroupedModel);
    return {
      providerType,
      providerName: providerName(providerType),
      models: group,
      count: group.length,
    };
  });
}

/** The counts by type and by provider are of enabled models only. */
export function countModels(models: readonly ModelItem[]): ModelStats {
  const enabled = models.filter((model) => model.isEnabled);
  return {
    totalModels: models.length,
    enabledModels: enabled.length,
    countByType: Object.fromEntries(
      groupByType(enabled).map(({ taskType, count }) => [taskType, count]),
    ),
    countByProvider: Object.fromEntries(
      groupByProvider(enabled).map(({ providerType, count }) => [providerType, count]),
    ),
  };
}

const TASK_TYPES: readonly TaskType[] = Object.keys(TASK_TYPE_NAMES).filter(isTaskType);

/** A type that only a newer version knows is shown as `other` until this one is replaced. */
function toTaskType(text: string): TaskType {
  return isTaskType(text) ? text : 'other';
}

function providersOf(models: readonly ModelItem[]): string[] {
  return [...new Set(models.map((model) => model.providerType))].sort();
}

function toGroupedModel(model: ModelItem): GroupedModel {
  const { id, modelName, displayName, pointsCost, providerType, taskType, isEnabled } = model;
  return { id, modelName, displayName, pointsCost, providerType, taskType, isEnabled };
}
