import type { ModelRegistered } from '@points/domain/catalog/events';
import { describe, expect, it } from 'vitest';
import type { LedgerWriter } from '../testing/ledger-writer.ts';
import { eventsOf, pick, projected } from '../testing/projected.ts';
import { ProjectionError } from '../working-set.ts';

describe('ai_models', () => {
  const changes = (events: Parameters<LedgerWriter['model']>[0][]) =>
    eventsOf(async (writer) => {
      for (const event of events) await writer.model(event);
    });

  it('follows a model through its life', async () => {
    const named = { model_id: 'sora' };
    const events = await changes([
      { type: 'ModelRegistered', data: SORA },
      { type: 'ModelPriced', data: { ...named, points_cost: 12, previous_points_cost: 11 } },
      {
        type: 'ModelDescribed',
        data: { ...named, display_name: 'Sora 2', extended_config: { size: 'L' } },
      },
      { type: 'ModelDisabled', data: named },
      { type: 'ModelEnabled', data: named },
    ]);
    const row = {
      ...SORA,
      id: String(events[0]?.position),
      points_cost: 12,
      display_name: 'Sora 2',
      extended_config: { size: 'L' },
      ledger_version: 4,
      deleted_at: null,
    };
    expect(projected(events).models.find('sora')).toEqual(row);
    expect(projected(events.slice(0, 4)).models.find('sora')?.is_enabled).toBe(false);
  });

  it('keeps a removed model with the time of its removal', async () => {
    const events = await changes([
      { type: 'ModelRegistered', data: SORA },
      { type: 'ModelRemoved', data: { model_id: 'sora' } },
    ]);
    expect(projected(events).models.find('sora')).toMatchObject({
      is_enabled: false,
      deleted_at: events[1]?.metadata['occurred_at'],
    });
  });

  it.each([
    ['left out', [0, 2]],
    ['given twice', [0, 1, 1]],
    ['first', [1]],
  ])('refuses an event that is %s', async (_, order) => {
    const named = { model_id: 'sora' };
    const events = await changes([
      { type: 'ModelRegistered', data: SORA },
      { type: 'ModelDisabled', data: named },
      { type: 'ModelEnabled', data: named },
    ]);
    expect(() => projected(pick(events, order))).toThrow(ProjectionError);
  });
});

const SORA: ModelRegistered = {
  model_id: 'sora',
  model_name: 'sora_image',
  display_name: 'Sora',
  description: '',
  points_cost: 11,
  platform: '',
  provider_type: 'openai',
  model_type: '',
  task_type: 'text_to_image',
  is_enabled: true,
  extended_config: {},
};
