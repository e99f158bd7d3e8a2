import type { TaskType } from '@points/domain/catalog/events';

/** Kinds of rows in a statement, with the names that users see. */
export const CHANGE_TYPE_NAMES = {
  recharge: '充值',
  consume: '消费',
  refund: '退款',
  admin_adjust: '管理员调整',
  reward: '奖励',
  expire: '过期',
} as const;

export type ChangeType = keyof typeof CHANGE_TYPE_NAMES;

export const TASK_TYPE_NAMES = {
  text_to_image: '文生图',
  image_to_image: '图生图',
  text_to_video: '文生视频',
  image_to_video: '图生视频',
  llm: '大语言模型',
  text_to_audio: '文生音频',
  image_to_text: '图生文',
  other: '其他',
} as const satisfies Record<TaskType, string>;

/** The coarse categories of older callers and the task types that each stands for. */
export const COARSE_TASK_TYPES = {
  image: ['text_to_image', 'image_to_image'],
  video: ['text_to_video', 'image_to_video'],
  audio: ['text_to_audio'],
  text: ['llm', 'image_to_text'],
} as const satisfies Record<string, readonly TaskType[]>;

export type CoarseTaskType = keyof typeof COARSE_TASK_TYPES;

const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  openai: 'OpenAI',
  runninghub: 'RunningHub',
  qwen: '通义千问',
  dify: 'Dify',
};

/** A provider's name as users see it; one we have no name for goes by its type. */
export function providerName(providerType: string): string {
  return Object.hasOwn(PROVIDER_NAMES, providerType)
    ? (PROVIDER_NAMES[providerType] ?? providerType)
    : providerType;
}

/** The task types that a fine or coarse name stands for, or null when it is neither. */
export function taskTypesNamed(name: string): readonly TaskType[] | null {
  if (isCoarse(name)) return COARSE_TASK_TYPES[name];
  return isTaskType(name) ? [name] : null;
}

export function isTaskType(name: string): name is TaskType {
  return Object.hasOwn(TASK_TYPE_NAMES, name);
}

function isCoarse(name: string): name is CoarseTaskType {
  return Object.hasOwn(COARSE_TASK_TYPES, name);
}
