import { describe, expect, it } from 'vitest';
import { catalogOf, registered } from '../testing/pricing.ts';
import {
  type Catalog,
  emptyCatalog,
  evolveCatalog,
  findModel,
  findModelByName,
  findModelByPlatform,
} from './catalog.ts';
import type { ModelEvent } from './events.ts';

const SORA: readonly ModelEvent[] = [registered()];
const OTHER: readonly ModelEvent[] = [
  ...SORA,
  registered({ model_id: 'two', model_name: 'two', model_type: 'video' }),
];
const REMOVED: readonly ModelEvent[] = [
  ...SORA,
  { type: 'ModelRemoved', data: { model_id: 'sora' } },
];
const DISABLED: readonly ModelEvent[] = [
  ...SORA,
  { type: 'ModelDisabled', data: { model_id: 'sora' } },
];

describe('evolveCatalog', () => {
  const found = (catalog: Catalog) => ({
    byName: findModelByName(catalog, 'sora_image')?.modelId,
    byPlatform: findModelByPlatform(catalog, 'runninghub', 'image')?.modelId,
  });

  it('a model is found by id, by name, and by platform and type', () => {
    const catalog = catalogOf(...OTHER);
    expect(found(catalog)).toEqual({ byName: 'sora', byPlatform: 'sora' });
    expect(findModelByPlatform(catalog, 'runninghub', 'video')?.modelId).toBe('two');
    expect(findModelByPlatform(catalog, '', '')).toBeUndefined();
    expect(findModel(catalog, 'sora')).toMatchObject({
      revision: 0,
      modelName: 'sora_image',
      displayName: 'Sora',
      pointsCost: 11,
      isEnabled: true,
      isRemoved: false,
      taskType: 'text_to_image',
    });
  });

  it.each<{ event: ModelEvent; then: object }>([
    {
      event: {
        type: 'ModelPriced',
        data: { model_id: 'sora', points_cost: 0, previous_points_cost: 11 },
      },
      then: { pointsCost: 0 },
    },
    {
      event: { type: 'ModelDisabled', data: { model_id: 'sora' } },
      then: { isEnabled: false, isRemoved: false },
    },
    {
      event: { type: 'ModelRemoved', data: { model_id: 'sora' } },
      then: { isEnabled: false, isRemoved: true },
    },
    {
      event: {
        type: 'ModelDescribed',
        data: { model_id: 'sora', description: 'new', extended_config: { a: 1 } },
      },
      then: {
        description: 'new',
        extendedConfig: { a: 1 },
        displayName: 'Sora',
        platform: 'runninghub',
        taskType: 'text_to_image',
      },
    },
    {
      event: {
        type: 'ModelDescribed',
        data: { model_id: 'sora', display_name: 'D', provider_type: 'p', task_type: 'llm' },
      },
      then: { displayName: 'D', providerType: 'p', taskType: 'llm', description: '' },
    },
  ])('$event.type changes what it names and nothing else', ({ event, then }) => {
    const before = findModel(catalogOf(...SORA), 'sora');
    const after = findModel(catalogOf(...SORA, event), 'sora');
    expect({ ...after, commands: null }).toEqual({
      ...before,
      ...then,
      revision: 1,
      commands: null,
    });
  });

  it('enabling undoes disabling', () => {
    const catalog = catalogOf(...DISABLED, { type: 'ModelEnabled', data: { model_id: 'sora' } });
    expect(findModel(catalog, 'sora')).toMatchObject({ isEnabled: true, revision: 2 });
  });

  it('a moved model leaves its old place', () => {
    const catalog = catalogOf(...SORA, {
      type: 'ModelDescribed',
      data: { model_id: 'sora', platform: 'dify', model_type: 'chat' },
    });
    expect(found(catalog)).toEqual({ byName: 'sora', byPlatform: undefined });
    expect(findModelByPlatform(catalog, 'dify', 'chat')?.modelId).toBe('sora');
  });

  it('a removed model is found by id only, and its name and place are free again', () => {
    expect(found(catalogOf(...REMOVED))).toEqual({ byName: undefined, byPlatform: undefined });
    expect(findModel(catalogOf(...REMOVED), 'sora')?.isRemoved).toBe(true);
    const again = catalogOf(...REMOVED, registered({ model_id: 'next' }));
    expect(found(again)).toEqual({ byName: 'next', byPlatform: 'next' });
  });

  it('of two models that took one name at the same time, the first keeps it, whatever happens to the other', () => {
    const raced = [...SORA, registered({ model_id: 'late' })];
    expect(found(catalogOf(...raced))).toEqual({ byName: 'sora', byPlatform: 'sora' });
    const priced: ModelEvent = {
      type: 'ModelPriced',
      data: { model_id: 'late', points_cost: 1, previous_points_cost: 11 },
    };
    expect(found(catalogOf(...raced, priced))).toEqual({ byName: 'sora', byPlatform: 'sora' });
    const removed: ModelEvent = { type: 'ModelRemoved', data: { model_id: 'late' } };
    expect(found(catalogOf(...raced, removed))).toEqual({ byName: 'sora', byPlatform: 'sora' });
  });

  it('earlier catalogs stay readable', () => {
    const before = catalogOf(...SORA);
    const after = evolveCatalog(
      before,
      { type: 'ModelRemoved', data: { model_id: 'sora' } },
      { command_id: 'c', request_hash: 'h', index: 0, occurred_at: '2026-01-01T00:00:00.000Z' },
    );
    expect(found(after)).toEqual({ byName: undefined, byPlatform: undefined });
    expect(found(before)).toEqual({ byName: 'sora', byPlatform: 'sora' });
  });

  it.each<{ what: string; events: readonly ModelEvent[]; message: string }>([
    {
      what: 'a second registration',
      events: [...SORA, ...SORA],
      message: 'model registered twice: sora',
    },
    {
      what: 'a change before the registration',
      events: [{ type: 'ModelEnabled', data: { model_id: 'x' } }],
      message: 'ModelEnabled of an unknown model: x',
    },
  ])('$what is a damaged log', ({ events, message }) => {
    expect(() => catalogOf(...events)).toThrow(message);
  });

  it('an empty catalog has nothing', () => {
    expect(findModelByName(emptyCatalog(), 'constructor')).toBeUndefined();
  });
});
