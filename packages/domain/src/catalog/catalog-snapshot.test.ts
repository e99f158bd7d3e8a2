import { describe, expect, it } from 'vitest';
import { catalogOf, registered } from '../testing/pricing.ts';
import { decodeCatalog, encodeCatalog } from './catalog-snapshot.ts';
import {
  type Catalog,
  evolveCatalog,
  findModel,
  findModelByName,
  findModelByPlatform,
} from './catalog.ts';
import { decideModel } from './decide.ts';
import type { ModelEvent } from './events.ts';

/** Two models under one name and one pair, one removed, one with an odd config. */
const EVENTS: readonly ModelEvent[] = [
  registered(),
  registered({ model_id: 'rival', display_name: 'Rival' }),
  registered({
    model_id: 'odd',
    model_name: 'odd',
    platform: '',
    extended_config: { nested: { list: [1, null, 'x'] } },
  }),
  registered({ model_id: 'gone', model_name: 'gone', model_type: 'video' }),
  { type: 'ModelRemoved', data: { model_id: 'gone' } },
  { type: 'ModelPriced', data: { model_id: 'rival', points_cost: 3, previous_points_cost: 11 } },
];

function reopened(catalog: Catalog): Catalog {
  return decodeCatalog(JSON.parse(JSON.stringify(encodeCatalog(catalog))));
}

function view(catalog: Catalog): unknown {
  return [
    ...['sora', 'rival', 'odd', 'gone'].map((modelId) => {
      const { commands: _, ...model } = findModel(catalog, modelId) ?? { commands: null };
      return model;
    }),
    findModelByName(catalog, 'sora_image')?.modelId,
    findModelByName(catalog, 'gone')?.modelId,
    findModelByPlatform(catalog, 'runninghub', 'image')?.modelId,
    findModelByPlatform(catalog, 'runninghub', 'video')?.modelId,
  ];
}

describe('a catalog saved and read again', () => {
  it('is the same, also who has a contested name', () => {
    const catalog = catalogOf(...EVENTS);
    expect(view(reopened(catalog))).toEqual(view(catalog));
    expect(findModelByName(reopened(catalog), 'sora_image')?.modelId).toBe('sora');
  });

  it('goes on as the one it was made of', () => {
    const next: ModelEvent = { type: 'ModelRemoved', data: { model_id: 'sora' } };
    const context = {
      command_id: 'c',
      request_hash: 'h',
      index: 0,
      occurred_at: '2026-01-01T00:00:00.000Z',
    };
    const catalog = catalogOf(...EVENTS);
    const saved = reopened(catalog);
    expect(view(evolveCatalog(saved, next, context))).toEqual(
      view(evolveCatalog(catalog, next, context)),
    );
  });

  it('still knows the commands that made it', () => {
    const context = { commandId: 'c-1', requestHash: 'h-1' };
    const command = { kind: 'PriceModel', modelId: 'sora', pointsCost: 5, context } as const;
    const decision = decideModel(command, catalogOf(...EVENTS));
    if (decision.outcome !== 'accepted') throw new Error('refused');
    const catalog = evolveCatalog(catalogOf(...EVENTS), decision.event, {
      command_id: 'c-1',
      request_hash: 'h-1',
      index: 0,
      occurred_at: '2026-01-01T00:00:00.000Z',
    });
    expect(decideModel(command, reopened(catalog))).toEqual({
      outcome: 'duplicate',
      answer: { requestHash: 'h-1', revision: 1 },
    });
  });

  it.each(['models', 'byName', 'byPlatform'])('is refused without its %s', (part) => {
    const saved = { ...encodeCatalog(catalogOf(...EVENTS)), [part]: undefined };
    expect(() => decodeCatalog(JSON.parse(JSON.stringify(saved)))).toThrow(TypeError);
  });
});
