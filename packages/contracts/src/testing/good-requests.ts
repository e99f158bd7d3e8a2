import type { Endpoint } from '../ledger-requests.ts';

export const COMMAND = '019a9d3c-7a02-7c1e-8f2a-5b6c7d8e9f02';
export const HOLD = '019a9d3c-7a03-7c1e-8f2a-5b6c7d8e9f03';
export const toAccount = { command_id: COMMAND, account_id: 'test_user' };

type Body = Readonly<Record<string, unknown>>;

/** For every verb: the least and the most that it takes. */
export const GOOD: Readonly<Record<Endpoint, readonly Body[]>> = {
  'cmd.hold': [
    { ...toAccount, hold_id: HOLD, amount: 10 },
    { ...toAccount, hold_id: HOLD, source_type: 'tts', estimated_duration: 12.5 },
    { ...toAccount, hold_id: HOLD, platform: 'dify', model_type: 'chat' },
    {
      ...toAccount,
      metadata: { scene: '片头' },
      hold_id: HOLD,
      amount: 1,
      source_type: 'tts',
      model: 'sora_image',
      platform: 'dify',
      model_type: 'chat',
      quantity: 3,
      estimated_duration: 0.001,
      biz_type: 'order',
      biz_id: '1',
      ttl_ms: 1_000,
      overage: 'cap',
      max_amount: 0,
      description: 'two\nlines',
    },
  ],
  'cmd.confirm': [
    { ...toAccount, hold_id: HOLD },
    { ...toAccount, record_id: 374912034816001, actual_amount: 0 },
    { ...toAccount, metadata: {}, hold_id: HOLD, actual_duration: 0, description: '' },
    { ...toAccount, hold_id: HOLD, actual_quantity: 1e12 },
  ],
  'cmd.cancel': [
    { ...toAccount, hold_id: HOLD },
    { ...toAccount, metadata: {}, record_id: 1, reason: 'failed', note: 'x' },
  ],
  'cmd.consume': [
    { ...toAccount, source_type: 'script' },
    {
      ...toAccount,
      metadata: {},
      hold_id: HOLD,
      model: 'm',
      quantity: 2,
      ttl_ms: 86_400_000,
      actual_quantity: 1,
      max_amount: 5,
      description: 'd',
    },
  ],
  'cmd.recharge': [
    { ...toAccount, source: 'order', source_ref: 'o-1', points: 1 },
    {
      ...toAccount,
      metadata: {},
      source: 'reward',
      source_ref: 'r-1',
      points: 1e12,
      bonus_points: 0,
      validity_days: 1,
      description: 'd',
      order_no: 'n',
    },
    { ...toAccount, source: 'admin', source_ref: 'a-1', points: 5, expires_at: null },
    {
      ...toAccount,
      source: 'import',
      source_ref: 'i-1',
      points: 5,
      expires_at: '2027-01-01T00:00:00+08:00',
    },
  ],
  'cmd.register_model': [
    {
      command_id: COMMAND,
      model_id: 'm',
      model_name: 'm',
      provider_type: 'openai',
      task_type: 'llm',
      points_cost: 0,
    },
    {
      command_id: COMMAND,
      metadata: {},
      model_id: 'm',
      model_name: 'm',
      display_name: 'M',
      description: '',
      platform: '',
      provider_type: 'openai',
      model_type: '',
      task_type: 'other',
      points_cost: 1e12,
      is_enabled: false,
      extended_config: { a: [1, { b: null }] },
    },
  ],
  'cmd.price_model': [{ command_id: COMMAND, model_id: 'm', points_cost: 3 }],
  'cmd.describe_model': [
    { command_id: COMMAND, model_id: 'm', display_name: 'M' },
    {
      command_id: COMMAND,
      metadata: {},
      model_id: 'm',
      description: 'd',
      platform: 'p',
      provider_type: 'q',
      model_type: 't',
      task_type: 'llm',
      extended_config: {},
    },
  ],
  'cmd.enable_model': [{ command_id: COMMAND, model_id: 'm' }],
  'cmd.disable_model': [{ command_id: COMMAND, model_id: 'm' }],
  'cmd.remove_model': [{ command_id: COMMAND, model_id: 'm', metadata: { why: 'old' } }],
  'cmd.reload_config': [{ command_id: COMMAND }, { command_id: COMMAND, metadata: {} }],
  'qry.balance': [{ account_id: 'test_user' }],
  'qry.hold': [
    { account_id: 'test_user', hold_id: HOLD },
    { account_id: 'test_user', record_id: 1 },
    { account_id: 'test_user', hold_id: '5b5cfb6e-2c7a-5d1f-9c3e-0a1b2c3d4e5f' },
  ],
  'qry.quote': [
    { account_id: 'test_user', amount: 1 },
    { account_id: 'test_user', source_type: 'tts', estimated_duration: 1.5, quantity: 1 },
  ],
  'qry.price': [
    { source_type: 'tts' },
    { model: 'm', quantity: 2 },
    { platform: 'p', model_type: 't' },
  ],
  'qry.command': [{ account_id: 'test_user', command_id: COMMAND }],
  'qry.health': [{}],
};

export function bytes(body: unknown): Uint8Array {
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
}
