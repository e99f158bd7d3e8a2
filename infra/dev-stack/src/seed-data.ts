import type { Request } from '@points/contracts/ledger-requests';

type Body<Name extends 'cmd.recharge' | 'cmd.register_model'> = Omit<Request<Name>, 'command_id'>;

/** Points that the users of the development login begin with. */
export const SEED_RECHARGES: Body<'cmd.recharge'>[] = [
  recharge('test_user', 100),
  recharge('admin', 1000),
];

/** The catalog to try things with, in the order in which it is listed. */
export const SEED_MODELS: Body<'cmd.register_model'>[] = [
  model('sora_image', 'Sora高质量图片生成', 11, 'openai', 'text_to_image'),
  model('sora_video', 'Sora视频生成', 60, 'openai', 'text_to_video'),
  model('gpt_chat', 'GPT对话', 2, 'openai', 'llm'),
  model('flux_image', 'Flux图片生成', 8, 'runninghub', 'text_to_image'),
  model('wan_video', '万相视频生成', 30, 'runninghub', 'text_to_video'),
  model('hunyuan_video', '混元视频生成', 40, 'runninghub', 'text_to_video'),
  model('ltx_video', 'LTX快速视频生成', 20, 'runninghub', 'text_to_video'),
  model('wan_image_to_video', '万相图生视频', 35, 'runninghub', 'image_to_video'),
  {
    ...model('flux_image_to_image', 'Flux图生图', 9, 'runninghub', 'image_to_image'),
    is_enabled: false,
  },
  { ...model('voice_maker', '文生音频', 6, 'runninghub', 'text_to_audio'), is_enabled: false },
];

function recharge(accountId: string, points: number): Body<'cmd.recharge'> {
  return {
    account_id: accountId,
    source: 'import',
    source_ref: `seed:${accountId}`,
    points,
    validity_days: 365,
    description: '初始积分',
  };
}

function model(
  name: string,
  displayName: string,
  pointsCost: number,
  provider: string,
  taskType: Body<'cmd.register_model'>['task_type'],
): Body<'cmd.register_model'> {
  return {
    model_id: name,
    model_name: name,
    display_name: displayName,
    description: displayName,
    points_cost: pointsCost,
    provider_type: provider,
    task_type: taskType,
  };
}
