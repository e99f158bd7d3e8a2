import type {
  AccountCommand,
  CommandContext,
  ConfirmHold,
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

const BY_HAND = { reason: 'because', operator: 'ada' };

/** The ids of a late hold follow from how the hold was named that it is late for; no version 7, as in the service. */
function lateIds(hold: HoldReference): ConfirmHold['late'] {
  const holdId = 'holdId' in hold ? hold.holdId : uuidOf(0, hold.recordId);
  return { holdId: `${holdId.slice(0, 14)}5${holdId.slice(15)}`, recordId: 1 };
}

/** Turns steps into commands. Deterministic: the same steps give the same ids. */
export function narrate(history: History): Narrator {
  const { scaleMs, limits } = history;
  const commands: AccountCommand[] = [];
  const holdIds: string[] = [];
  const refs: string[] = [];
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
      case 'reopen':
        return null;
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
        refs.push(`ref-${step.ref}`);
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
      case 'confirm': {
        const hold = reference(step.hold);
        return {
          kind: 'ConfirmHold',
          context: context(step, step.by),
          hold,
          actual: step.actual,
          late: lateIds(hold),
        };
      }
      case 'cancel':
        return {
          kind: 'CancelHold',
          context: context(step, step.by),
          hold: reference(step.hold),
          reason: step.reason,
        };
      case 'extend':
        return {
          kind: 'ExtendHold',
          context: context(step, step.by),
          hold: reference(step.hold),
          ttlMs: step.ttlUnits * scaleMs,
        };
      case 'refund':
        return {
          kind: 'RefundCharge',
          context: context(step, 'admin'),
          hold: reference(step.hold),
          ...(step.points === null ? {} : { points: step.points }),
          ...BY_HAND,
        };
      case 'reverse':
        return {
          kind: 'ReverseRecharge',
          context: context(step, 'admin'),
          sourceRef: refs.at(-1 - (step.latest % Math.max(1, refs.length))) ?? 'unknown',
          ...BY_HAND,
        };
      case 'adjust': {
        const { delta, forced } = step;
        return { kind: 'Adjust', context: context(step, 'admin'), delta, forced, ...BY_HAND };
      }
      case 'freeze':
        return { kind: 'Freeze', context: context(step, 'admin'), ...BY_HAND };
      case 'unfreeze':
        return { kind: 'Unfreeze', context: context(step, 'admin'), ...BY_HAND };
      case 'grant':
        return {
          kind: 'GrantMembership',
          context: context(step, 'admin'),
          membershipType: 'vip',
          durationDays: step.days,
          orderNo: `order-${step.order}`,
        };
      case 'revoke':
        return { kind: 'RevokeMembership', context: context(step, 'admin'), ...BY_HAND };
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
