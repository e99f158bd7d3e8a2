import type { FirstAnswer } from '../account/account.ts';
import type { Refusal } from '../account/commands.ts';
import { mapGet } from '../persistent-map.ts';
import { type Catalog, findModel, findModelByName, findModelByPlatform } from './catalog.ts';
import type { ModelDescribed, ModelEvent, ModelRegistered } from './events.ts';

export interface ModelCommandContext {
  readonly commandId: string;
  readonly requestHash: string;
}

/** What an admin can ask of the catalog. */
export type ModelCommand = { readonly context: ModelCommandContext } & (
  | { readonly kind: 'RegisterModel'; readonly model: ModelRegistered }
  | { readonly kind: 'PriceModel'; readonly modelId: string; readonly pointsCost: number }
  | { readonly kind: 'DescribeModel'; readonly changes: ModelDescribed }
  | { readonly kind: 'EnableModel' | 'DisableModel' | 'RemoveModel'; readonly modelId: string }
);

export type ModelDecision =
  | { readonly outcome: 'accepted'; readonly event: ModelEvent }
  | { readonly outcome: 'duplicate'; readonly answer: FirstAnswer }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

/**
 * Decides one catalog command. Pure and total. Names and platform/type pairs are unique among models that are not
 * removed; a removed model's id is never used again.
 */
export function decideModel(command: ModelCommand, catalog: Catalog): ModelDecision {
  const model = findModel(catalog, modelIdOf(command));
  const known = model === undefined ? undefined : mapGet(model.commands, command.context.commandId);
  if (known !== undefined) {
    return known.requestHash === command.context.requestHash
      ? { outcome: 'duplicate', answer: known }
      : refused('command_id_reused');
  }
  if (command.kind === 'RegisterModel') {
    if (model !== undefined) return refused('invalid_argument', 'model_id');
    return (
      clash(catalog, command.model) ?? accepted({ type: 'ModelRegistered', data: command.model })
    );
  }
  if (model === undefined || model.isRemoved) return refused('price_not_found');
  switch (command.kind) {
    case 'PriceModel':
      return accepted({
        type: 'ModelPriced',
        data: {
          model_id: model.modelId,
          points_cost: command.pointsCost,
          previous_points_cost: model.pointsCost,
        },
      });
    case 'DescribeModel': {
      const described = {
        model_id: model.modelId,
        platform: command.changes.platform ?? model.platform,
        model_type: command.changes.model_type ?? model.modelType,
      };
      return (
        clash(catalog, described) ?? accepted({ type: 'ModelDescribed', data: command.changes })
      );
    }
    case 'EnableModel':
      return accepted({ type: 'ModelEnabled', data: { model_id: model.modelId } });
    case 'DisableModel':
      return accepted({ type: 'ModelDisabled', data: { model_id: model.modelId } });
    case 'RemoveModel':
      return accepted({ type: 'ModelRemoved', data: { model_id: model.modelId } });
    default:
      return command satisfies never;
  }
}

export function modelIdOf(command: ModelCommand): string {
  if (command.kind === 'RegisterModel') return command.model.model_id;
  return command.kind === 'DescribeModel' ? command.changes.model_id : command.modelId;
}

interface Named {
  readonly model_id: string;
  readonly model_name?: string;
  readonly platform: string;
  readonly model_type: string;
}

function clash(catalog: Catalog, named: Named): ModelDecision | null {
  if (named.model_name !== undefined && findModelByName(catalog, named.model_name) !== undefined)
    return refused('invalid_argument', 'model_name');
  const other =
    named.platform === ''
      ? undefined
      : findModelByPlatform(catalog, named.platform, named.model_type);
  return other !== undefined && other.modelId !== named.model_id
    ? refused('invalid_argument', 'platform')
    : null;
}

function accepted(event: ModelEvent): ModelDecision {
  return { outcome: 'accepted', event };
}

function refused(code: Refusal['code'], field?: string): ModelDecision {
  return {
    outcome: 'refused',
    refusal: field === undefined ? { code } : { code, details: { field } },
  };
}
