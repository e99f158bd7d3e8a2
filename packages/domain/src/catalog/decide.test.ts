import { describe, expect, it } from 'vitest';
import { catalogOf, model, registered } from '../testing/pricing.ts';
import { type ModelCommand, type ModelDecision, decideModel } from './decide.ts';
import type { ModelEvent } from './events.ts';

const CONTEXT = { commandId: 'c', requestHash: 'h' };

function outcomeOf(decision: ModelDecision): string {
  switch (decision.outcome) {
    case 'accepted':
      return decision.event.type;
    case 'duplicate':
      return `dup of ${decision.answer.revision}`;
    case 'refused':
      return [decision.refusal.code, decision.refusal.details?.['field']].filter(Boolean).join(' ');
    default:
      return decision satisfies never;
  }
}

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

const register = (over: Parameters<typeof model>[0] = {}): ModelCommand => ({
  context: CONTEXT,
  kind: 'RegisterModel',
  model: model(over),
});
const describeModel = (changes: object, model_id = 'sora'): ModelCommand => ({
  context: CONTEXT,
  kind: 'DescribeModel',
  changes: { model_id, ...changes },
});
const priceModel = (modelId: string): ModelCommand => ({
  context: CONTEXT,
  kind: 'PriceModel',
  modelId,
  pointsCost: 12,
});
const change = (
  kind: 'EnableModel' | 'DisableModel' | 'RemoveModel',
  modelId = 'sora',
): ModelCommand => ({ context: CONTEXT, kind, modelId });

describe('decideModel', () => {
  it.each<{ what: string; given: readonly ModelEvent[]; command: ModelCommand; outcome: string }>([
    { what: 'register', given: [], command: register(), outcome: 'ModelRegistered' },
    {
      what: 'register a known id',
      given: SORA,
      command: register({ model_name: 'x', platform: '' }),
      outcome: 'invalid_argument model_id',
    },
    {
      what: 'register a removed id',
      given: REMOVED,
      command: register(),
      outcome: 'invalid_argument model_id',
    },
    {
      what: 'register a live name',
      given: SORA,
      command: register({ model_id: 'n', platform: 'p' }),
      outcome: 'invalid_argument model_name',
    },
    {
      what: 'register the name of a disabled model',
      given: DISABLED,
      command: register({ model_id: 'n', platform: 'p' }),
      outcome: 'invalid_argument model_name',
    },
    {
      what: 'register a removed name and place',
      given: REMOVED,
      command: register({ model_id: 'n' }),
      outcome: 'ModelRegistered',
    },
    {
      what: 'register a live platform and type',
      given: SORA,
      command: register({ model_id: 'n', model_name: 'n' }),
      outcome: 'invalid_argument platform',
    },
    {
      what: 'register another type of a platform',
      given: SORA,
      command: register({ model_id: 'n', model_name: 'n', model_type: 'video' }),
      outcome: 'ModelRegistered',
    },
    {
      what: 'register a second model without a platform',
      given: [registered({ platform: '' })],
      command: register({ model_id: 'n', model_name: 'n', platform: '' }),
      outcome: 'ModelRegistered',
    },
    { what: 'price', given: SORA, command: priceModel('sora'), outcome: 'ModelPriced' },
    {
      what: 'price a disabled one',
      given: DISABLED,
      command: priceModel('sora'),
      outcome: 'ModelPriced',
    },
    {
      what: 'price an unknown one',
      given: SORA,
      command: priceModel('none'),
      outcome: 'price_not_found',
    },
    {
      what: 'price a removed one',
      given: REMOVED,
      command: priceModel('sora'),
      outcome: 'price_not_found',
    },
    {
      what: 'describe',
      given: SORA,
      command: describeModel({ description: 'd' }),
      outcome: 'ModelDescribed',
    },
    {
      what: 'describe, keeping its own place',
      given: SORA,
      command: describeModel({ platform: 'runninghub' }),
      outcome: 'ModelDescribed',
    },
    {
      what: 'describe, into the place of another',
      given: OTHER,
      command: describeModel({ model_type: 'video' }),
      outcome: 'invalid_argument platform',
    },
    {
      what: 'describe, out of any place',
      given: OTHER,
      command: describeModel({ platform: '', model_type: 'video' }),
      outcome: 'ModelDescribed',
    },
    {
      what: 'describe an unknown one',
      given: [],
      command: describeModel({}),
      outcome: 'price_not_found',
    },
    {
      what: 'describe a removed one',
      given: REMOVED,
      command: describeModel({}),
      outcome: 'price_not_found',
    },
    { what: 'enable', given: DISABLED, command: change('EnableModel'), outcome: 'ModelEnabled' },
    { what: 'disable', given: SORA, command: change('DisableModel'), outcome: 'ModelDisabled' },
    { what: 'remove', given: SORA, command: change('RemoveModel'), outcome: 'ModelRemoved' },
    {
      what: 'enable a removed one',
      given: REMOVED,
      command: change('EnableModel'),
      outcome: 'price_not_found',
    },
    {
      what: 'disable a removed one',
      given: REMOVED,
      command: change('DisableModel'),
      outcome: 'price_not_found',
    },
    {
      what: 'remove a removed one',
      given: REMOVED,
      command: change('RemoveModel'),
      outcome: 'price_not_found',
    },
    {
      what: 'remove an unknown one',
      given: SORA,
      command: change('RemoveModel', 'none'),
      outcome: 'price_not_found',
    },
  ])('$what: $outcome', ({ given, command, outcome }) => {
    expect(outcomeOf(decideModel(command, catalogOf(...given)))).toBe(outcome);
  });

  it('the event of a price change tells the price before', () => {
    expect(decideModel(priceModel('sora'), catalogOf(...SORA))).toEqual({
      outcome: 'accepted',
      event: {
        type: 'ModelPriced',
        data: { model_id: 'sora', points_cost: 12, previous_points_cost: 11 },
      },
    });
  });

  // `catalogOf` remembers `command n` with `hash n` for the n-th event.
  it.each([
    { commandId: 'command 0', requestHash: 'hash 0', outcome: 'dup of 0' },
    { commandId: 'command 1', requestHash: 'hash 1', outcome: 'dup of 1' },
    { commandId: 'command 1', requestHash: 'hash 0', outcome: 'command_id_reused' },
    { commandId: 'command 2', requestHash: 'hash 1', outcome: 'price_not_found' },
  ])('$commandId with $requestHash again: $outcome', ({ outcome, ...context }) => {
    for (const command of [
      register(),
      describeModel({}),
      priceModel('sora'),
      change('RemoveModel'),
    ]) {
      const expected =
        outcome === 'price_not_found' && command.kind === 'RegisterModel'
          ? 'invalid_argument model_id'
          : outcome;
      expect(outcomeOf(decideModel({ ...command, context }, catalogOf(...REMOVED)))).toBe(expected);
    }
  });
});
