/**
 * The events of the model catalog, one stream `aiModel-<modelId>` per model. Storage format: never renamed.
 * `points_cost` is integer points per unit of quantity; 0 = free.
 */
export type ModelEvent =
  | { readonly type: 'ModelRegistered'; readonly data: ModelRegistered }
  | { readonly type: 'ModelPriced'; readonly data: ModelPriced }
  | { readonly type: 'ModelDescribed'; readonly data: ModelDescribed }
  | { readonly type: 'ModelEnabled'; readonly data: ModelSwitched }
  | { readonly type: 'ModelDisabled'; readonly data: ModelSwitched }
  | { readonly type: 'ModelRemoved'; readonly data: ModelSwitched };

export type ModelEventType = ModelEvent['type'];

export const TASK_TYPES = [
  'text_to_image',
  'image_to_image',
  'text_to_video',
  'image_to_video',
  'llm',
  'text_to_audio',
  'image_to_text',
  'other',
] as const;

export type TaskType = (typeof TASK_TYPES)[number];

export interface ModelRegistered {
  readonly model_id: string;
  /** Unique among models that are not removed. */
  readonly model_name: string;
  readonly display_name: string;
  readonly description: string;
  readonly points_cost: number;
  /** With `model_type` the second way to name a model in a hold; empty = cannot be named so. */
  readonly platform: string;
  readonly provider_type: string;
  readonly model_type: string;
  readonly task_type: TaskType;
  readonly is_enabled: boolean;
  readonly extended_config: Readonly<Record<string, unknown>>;
}

export interface ModelPriced {
  readonly model_id: string;
  readonly points_cost: number;
  readonly previous_points_cost: number;
}

/** Only the fields that change are present. */
export interface ModelDescribed {
  readonly model_id: string;
  readonly display_name?: string;
  readonly description?: string;
  readonly platform?: string;
  readonly provider_type?: string;
  readonly model_type?: string;
  readonly task_type?: TaskType;
  readonly extended_config?: Readonly<Record<string, unknown>>;
}

export interface ModelSwitched {
  readonly model_id: string;
}
