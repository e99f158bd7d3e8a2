import type { Endpoint } from '@points/contracts/ledger-requests';

const HOLD_ID = '019a9b1c-2d3e-7f40-8a51-b2c3d4e5f607';

/** One request per verb as a person would type it; `client` is one that may ask it. */
export const EXAMPLES: Record<Endpoint, { client: string; body: object }> = {
  'cmd.hold': {
    client: 'ai-demo',
    body: { account_id: 'test_user', amount: 10, description: 'draw a cat' },
  },
  'cmd.confirm': {
    client: 'ai-demo',
    body: { account_id: 'test_user', hold_id: HOLD_ID, actual_amount: 7 },
  },
  'cmd.cancel': {
    client: 'ai-demo',
    body: { account_id: 'test_user', hold_id: HOLD_ID, reason: 'failed' },
  },
  'cmd.consume': { client: 'ai-demo', body: { account_id: 'test_user', model: 'sora_image' } },
  'cmd.recharge': {
    client: 'admin',
    body: { account_id: 'test_user', source: 'admin', source_ref: 'gift-1', points: 50 },
  },
  'cmd.register_model': {
    client: 'admin',
    body: {
      model_id: 'my_model',
      model_name: 'my_model',
      provider_type: 'openai',
      task_type: 'llm',
      points_cost: 3,
    },
  },
  'cmd.price_model': { client: 'admin', body: { model_id: 'my_model', points_cost: 4 } },
  'cmd.describe_model': { client: 'admin', body: { model_id: 'my_model', display_name: 'Mine' } },
  'cmd.enable_model': { client: 'admin', body: { model_id: 'my_model' } },
  'cmd.disable_model': { client: 'admin', body: { model_id: 'my_model' } },
  'cmd.remove_model': { client: 'admin', body: { model_id: 'my_model' } },
  'cmd.reload_config': { client: 'admin', body: {} },
  'qry.balance': { client: 'ai-demo', body: { account_id: 'test_user' } },
  'qry.hold': { client: 'ai-demo', body: { account_id: 'test_user', hold_id: HOLD_ID } },
  'qry.quote': { client: 'ai-demo', body: { account_id: 'test_user', source_type: 'script' } },
  'qry.price': { client: 'ai-demo', body: { model: 'sora_image' } },
  'qry.command': { client: 'ai-demo', body: { account_id: 'test_user', command_id: HOLD_ID } },
  'qry.health': { client: 'admin', body: {} },
};
