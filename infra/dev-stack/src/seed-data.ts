import type { Request } from '@points/contracts/ledger-requests';

type Seeded = 'cmd.recharge' | 'cmd.register_model' | 'cmd.list_price' | 'cmd.grant_membership';
type Body<Name extends Seeded> = WithoutId<Request<Name>>;
type WithoutId<Command> = Command extends unknown ? Omit<Command, 'command_id'> : never;

/** Points that the users of the development login begin with. */
export const SEED_RECHARGES: Body<'cmd.recharge'>[] = [
  recharge('test_user', 100),
  recharge('admin', 1000),
];

/** Days of membership that the admin has: until the end of 2026. Null = they are over. */
export function seedMembership(nowMs: number): Body<'cmd.grant_membership'> | null {
  const days = Math.floor((MEMBER_UNTIL_MS - nowMs) / DAY_MS);
  if (days < 1) return null;
  return {
    account_id: 'admin',
    membership_type: 'yearly',
    duration_days: days,
    order_no: 'seed:admin',
  };
}

const DAY_MS = 86_400_000;
/** 2026-12-31 in Shanghai is over. */
const MEMBER_UNTIL_MS = Date.UTC(2026, 11, 31, 16);

/** What can be bought, in the order in which it is listed. */
export const SEED_PRICES: Body<'cmd.list_price'>[] = [
  credits(10, 100, 0),
  credits(100, 1_000, 10),
  credits(500, 5_000, 100),
  credits(1_000, 10_000, 300),
  membership('monthly', '月会员', 990, 30, 1_990, 1),
  membership('quarterly', '季会员', 2_500, 90, 5_970, 2),
  membership('yearly', '年会员', 8_800, 365, 23_880, 3),
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

function credits(points: number, priceFen: number, bonus: number): Body<'cmd.list_price'> {
  return {
    kind: 'credits',
    price_id: `credits_${points}`,
    name: `${points}积分`,
    price_fen: priceFen,
    points,
    bonus,
    validity_days: 365,
    sort_order: points,
  };
}

function membership(
  type: string,
  name: string,
  priceFen: number,
  days: number,
  originalPriceFen: number,
  sortOrder: number,
): Body<'cmd.list_price'> {
  return {
    kind: 'membership',
    price_id: type,
    name,
    price_fen: priceFen,
    membership_type: type,
    duration_days: days,
    original_price_fen: originalPriceFen,
    sort_order: sortOrder,
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
