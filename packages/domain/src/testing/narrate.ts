import type {
  AccountCommand,
  CommandContext,
  Expiry,
  HoldReference,
  HoldRequest,
} from '../account/commands.ts';
import { SECOND_MS } from '../time.ts';
import { START_MS, uuidOf } from './book.ts';
import type { By, Expires, History, Named, Placed, Step } from './history.ts';

export interface Narrator {
  nowMs: number;
  /** The command that the step stands for; null = it only moved the clock or the watermark. */
  next(step: Step): AccountCommand | null;
}

/** Turns steps into commands. Deterministic: the same steps give the same ids. */
export function narrate(history: History): Narrator {
  const { scaleMs, limits } = history;
  const commands: AccountCommand[] = [];
  const holdIds: string[] = [];
  let watermarkBehindMs: number | null = null;
  let ids = 0;

  // Scattered numbers, so that the order of ids is not the order of time.
  const newId = (): string => uuidOf(narrator.nowMs, (++ids * 7_919) % 65_536);
  const context = (payload: object, who: By = 'owner'): CommandContext => ({
    ...moment(),
    commandId: newId(),
    requestHash: JSON.stringify(payload),
    client: who === 'owner' ? 'ai-demo' : who,
    admin: who === 'admin',
  });
  const moment = () => ({
    nowMs: narrator.nowMs,
    receivedMs: narrator.nowMs,
    watermarkMs: watermarkBehindMs === null ? null : narrator.nowMs - watermarkBehindMs,
    limits,
  });
  const newHoldId = (): string => {
    const made = newId();
    holdIds.push(made);
    return made;
  };
  const latestHoldId = (number: number): string =>
    holdIds.at(-1 - (number % Math.max(1, holdIds.length))) ?? newHoldId();
  const reference = (hold: Named): HoldReference => {
    if (hold === 'unknown') return { holdId: newHoldId() };
    return 'record' in hold ? { recordId: hold.record } : { holdId: latestHoldId(hold.latest) };
  };
  const request = (placing: Placed, id: string): HoldRequest => ({
    holdId: id,
    recordId: placing.record,
    terms: placing.terms === 'price_not_found' ? { code: 'price_not_found' } : placing.terms,
    ...(placing.ttlUnits === null ? {} : { ttlMs: placing.ttlUnits * scaleMs }),
    ...(placing.maxAmount === null ? {} : { maxAmount: placing.maxAmount }),
    metadata: {},
  });
  const expires = (when: Expires): Expiry => {
    if (when === 'never') return { kind: 'never' };
    if ('days' in when) return { kind: 'days', days: when.days };
    return { kind: 'at', atMs: narrator.nowMs + when.units * scaleMs };
  };
  const again = (back: number, as: 'same' | 'new id' | 'other payload'): AccountCommand | null => {
    const command = commands.at(-1 - (back % Math.max(1, commands.length)));
    if (command === undefined) return null;
    const changes = {
      same: {},
      'new id': { commandId: newId() },
      'other payload': { requestHash: `other than ${command.context.requestHash}` },
    };
    return { ...command, context: { ...command.context, ...moment(), ...changes[as] } };
  };

  const commandOf = (step: Step): AccountCommand | null => {
    switch (step.do) {
      case 'wait':
        narrator.nowMs += step.units * scaleMs;
        return null;
      case 'clock back':
        narrator.nowMs -= step.seconds * SECOND_MS;
        return null;
      case 'watermark':
        watermarkBehindMs = step.unitsBehind === null ? null : step.unitsBehind * scaleMs;
        return null;
      case 'recharge': {
        const { points: paid, bonusPoints, source } = step;
        const command = {
          source,
          sourceRef: `ref-${step.ref}`,
          points: paid,
          bonusPoints,
          description: '',
        };
        return {
          kind: 'Recharge',
          context: context(step),
          ...command,
          expiry: expires(step.expiry),
        };
      }
      case 'hold': {
        const id = step.latest === null ? newHoldId() : latestHoldId(step.latest);
        return { kind: 'HoldPoints', context: context({ ...step, id }), hold: request(step, id) };
      }
      case 'consume': {
        const id = step.latest === null ? newHoldId() : latestHoldId(step.latest);
        return {
          kind: 'Consume',
          context: context({ ...step, id }),
          hold: request(step, id),
          actual: step.actual,
        };
      }
      case 'confirm':
        return {
          kind: 'ConfirmHold',
          context: context(step, step.by),
          hold: reference(step.hold),
          actual: step.actual,
          late: { holdId: newId(), recordId: ids },
        };
      case 'cancel':
        return {
          kind: 'CancelHold',
          context: context(step, step.by),
          hold: reference(step.hold),
          reason: step.reason,
        };
      case 'sweep':
        return { kind: 'ExpireDue', context: context(step, 'admin') };
      case 'again':
        return again(step.back, step.as);
      default:
        return step satisfies never;
    }
  };

  const narrator: Narrator = {
    nowMs: START_MS,
    next(each) {
      const command = commandOf(each);
      if (command !== null) commands.push(command);
      return command;
    },
  };
  return narrator;
}
