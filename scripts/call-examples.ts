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
  'cmd.extend': {
    client: 'ai-demo',
    body: { account_id: 'test_user', hold_id: HOLD_ID, ttl_ms: 600_000 },
  },
  'cmd.consume': { client: 'ai-demo', body: { account_id: 'test_user', model: 'sora_image' } },
  'cmd.recharge': {
    client: 'admin',
    body: { account_id: 'test_user', source: 'admin', source_ref: 'gift-1', points: 50 },
  },
  'cmd.reward': {
    client: 'admin',
    body: { account_id: 'test_user', source_ref: 'welcome', points: 20, validity_days: 30 },
  },
  'cmd.reverse_recharge': {
    client: 'admin',
    body: {
      account_id: 'test_user',
      source_ref: 'gift-1',
      reason: 'given by mistake',
      operator: 'ann',
    },
  },
  'cmd.refund': {
    client: 'admin',
    body: {
      account_id: 'test_user',
      hold_id: HOLD_ID,
      points: 3,
      reason: 'bad picture',
      operator: 'ann',
    },
  },
  'cmd.adjust': {
    client: 'admin',
    body: { account_id: 'test_user', delta: -5, reason: 'counted twice', operator: 'ann' },
  },
  'cmd.freeze': {
    client: 'admin',
    body: { account_id: 'test_user', reason: 'under review', operator: 'ann' },
  },
  'cmd.unfreeze': {
    client: 'admin',
    body: { account_id: 'test_user', reason: 'review is over', operator: 'ann' },
  },
  'cmd.grant_membership': {
    client: 'admin',
    body: {
      account_id: 'test_user',
      membership_type: 'monthly',
      duration_days: 30,
      order_no: 'order-1',
    },
  },
  'cmd.revoke_membership': {
    client: 'admin',
    body: { account_id: 'test_user', reason: 'order was refunded', operator: 'ann' },
  },
  'cmd.list_price': {
    client: 'admin',
    body: {
      kind: 'credits',
      price_id: 'credits_2000',
      name: '2000',
      price_fen: 20_000,
      points: 2000,
      bonus: 800,
    },
  },
  'cmd.change_price': {
    client: 'admin',
    body: { kind: 'credits', price_id: 'credits_2000', bonus: 900 },
  },
  'cmd.retire_price': {
    client: 'admin',
    body: { kind: 'credits', price_id: 'credits_2000' },
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
