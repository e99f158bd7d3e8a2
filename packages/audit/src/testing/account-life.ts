import { type Account, freshAccount } from '@points/domain/account/account';
import type {
  AccountCommand,
  ActualUse,
  CancelHold,
  CommandContext,
  HoldRequest,
} from '@points/domain/account/commands';
import { DEFAULT_LIMITS } from '@points/domain/account/commands';
import type { Decision } from '@points/domain/account/decide';
import type { OveragePolicy } from '@points/domain/account/events';
import type { PriceRequest, PriceSources } from '@points/domain/pricing/resolve-price';
import { resolvePrice } from '@points/domain/pricing/resolve-price';
import { HOUR_MS, RECORD_EPOCH_MS, RECORD_IDS_PER_MS } from '@points/domain/time';
import type { Random } from './random.ts';

/** What the user of one account, the services and the admins do with it, one command after another. */
export interface AccountLife {
  readonly stream: string;
  account: Account;
  next(moment: Moment): Asked;
  /** The decision on the latest command. */
  learn(asked: Asked, decision: Decision): void;
}

export interface Moment {
  readonly nowMs: number;
  readonly sources: PriceSources;
}

export interface Asked {
  readonly command: AccountCommand;
  readonly cause: Cause;
}

export interface Cause {
  readonly commandName: string;
  readonly actorType: 'client' | 'system';
  readonly actorId: string;
  readonly correlationId: string;
}

export function openLife(stream: string, random: Random): AccountLife {
  let open: Placed[] = [];
  let settled: Placed[] = [];
  let expired: Placed[] = [];
  let sources: string[] = [];
  let orders = 0;
  /** Was refused for points last time: recharges now. */
  let isPoor = true;
  let now: Moment;

  function context(client: string, over: Partial<CommandContext> = {}): CommandContext {
    const { nowMs } = now;
    return {
      commandId: random.uuidV7(nowMs),
      requestHash: random.hex(64),
      client,
      admin: client !== AI_SERVICE && client !== CHAT,
      nowMs,
      receivedMs: nowMs,
      watermarkMs: null,
      limits: DEFAULT_LIMITS,
      ...over,
    };
  }

  function ask(
    commandName: string,
    command: AccountCommand,
    correlationId = command.context.commandId,
  ): Asked {
    const { client } = command.context;
    const actorType = client === 'ledger' ? 'system' : 'client';
    return { command, cause: { commandName, actorType, actorId: client, correlationId } };
  }

  function use(holdId: string, client: string): HoldRequest {
    const { request, label } = client === CHAT ? random.pick(CHAT_USES) : random.pick(SERVICE_USES);
    const metadata = random.pick(METADATA);
    const asked: PriceRequest & Use['request'] = {
      ...request,
      ...measured(request.sourceType),
      metadata,
    };
    const overage: OveragePolicy | undefined = random.chance(0.02)
      ? random.pick(['cap', 'reject'])
      : undefined;
    const { sourceType, model, quantity, estimatedDurationMs } = asked;
    return {
      sourceType,
      ...(model === undefined ? {} : { model }),
      ...(quantity === undefined ? {} : { quantity }),
      ...(estimatedDurationMs === undefined ? {} : { estimatedDurationMs }),
      holdId,
      recordId: (now.nowMs - RECORD_EPOCH_MS) * RECORD_IDS_PER_MS + random.between(0, 4_095),
      terms: resolvePrice({ ...asked, overage }, now.sources),
      ...(random.chance(0.1) ? { ttlMs: random.between(1, 24) * HOUR_MS } : {}),
      bizType: label,
      bizId: `${label}-${random.between(1_000, 9_999_999)}`,
      metadata,
    };
  }

  function measured(sourceType: string | undefined) {
    if (sourceType === 'tts') return { estimatedDurationMs: random.between(1, 60_000) };
    if (sourceType === 'video') return { estimatedDurationMs: random.between(5, 90) * 1_000 };
    if (sourceType === 'image') return { quantity: random.between(1, 4) };
    return {};
  }

  function actual({ request }: Placed): ActualUse {
    const { sourceType, model, terms } = request;
    // More than anybody has: waived, or debt.
    const isCapped = !('code' in terms) && terms.overage === 'cap';
    if (random.chance(isCapped ? 0.03 : 0.002))
      return { kind: 'points', points: random.between(2_000, 6_000) };
    if (random.chance(0.03)) return { kind: 'points', points: random.between(0, 40) };
    if (
      (sourceType === 'tts' || sourceType === 'video') &&
      model === undefined &&
      random.chance(0.9)
    ) {
      const estimate = request.estimatedDurationMs ?? 0;
      return { kind: 'duration', durationMs: Math.round(estimate * (0.3 + 0.8 * random.next())) };
    }
    if (sourceType === 'image' && random.chance(0.8))
      return { kind: 'quantity', quantity: random.between(0, request.quantity ?? 1) };
    if (random.chance(0.02)) return { kind: 'points', points: random.between(40, 200) };
    return { kind: 'as_held' };
  }

  function hold(): Asked {
    const client = random.chance(0.25) ? CHAT : AI_SERVICE;
    const command = {
      kind: 'HoldPoints' as const,
      context: context(client),
      hold: use(random.uuidV7(now.nowMs), client),
    };
    return ask('hold', command);
  }

  function consume(): Asked {
    const made = context(CHAT);
    const request = use(asVersion5(made.commandId), CHAT);
    return ask('consume', {
      kind: 'Consume',
      context: made,
      hold: request,
      actual: { kind: 'as_held' },
    });
  }

  function confirm(placed: Placed): Asked {
    const recordId = placed.request.recordId + 7;
    const late = { holdId: asVersion5(placed.request.holdId), recordId };
    const reference = random.chance(0.2)
      ? { recordId: placed.recordId }
      : { holdId: placed.request.holdId };
    const command = { hold: reference, actual: actual(placed), late };
    return ask(
      'confirm',
      { kind: 'ConfirmHold', context: context(placed.client), ...command },
      placed.correlationId,
    );
  }

  function cancel(placed: Placed, reason: CancelHold['reason']): Asked {
    const note = reason === 'failed' ? { note: 'upstream timeout' } : {};
    const client = reason === 'admin' ? 'admin' : placed.client;
    const reference = { holdId: placed.request.holdId };
    return ask(
      'cancel',
      { kind: 'CancelHold', context: context(client), hold: reference, reason, ...note },
      placed.correlationId,
    );
  }

  function recharge(): Asked {
    const source = random.pick(['order', 'order', 'order', 'admin', 'reward'] as const);
    const [points, bonusPoints] =
      source === 'order' ? random.pick(BOUGHT) : [random.between(5, 120), 0];
    const sourceRef = `${source}-${random.hex(12)}`;
    const isShort = source === 'reward' && random.chance(0.5);
    const command = {
      kind: 'Recharge' as const,
      context: context(source === 'order' ? 'billing' : 'admin'),
      source,
      sourceRef,
      points,
      bonusPoints,
      description: source === 'order' ? `${points}积分` : '',
      ...(source === 'order' ? { orderNo: sourceRef } : {}),
    };
    if (isShort) {
      const atMs = now.nowMs + random.between(1, 72) * HOUR_MS;
      return ask('reward', { ...command, expiry: { kind: 'at', atMs } });
    }
    const days = random.pick([7, 30, 365, 365]);
    return ask(source === 'reward' ? 'reward' : 'recharge', {
      ...command,
      expiry: random.chance(0.1) ? { kind: 'never' } : { kind: 'days', days },
    });
  }

  function seldom(): Asked {
    const byHand = () => ({ context: context('admin'), ...BY_HAND });
    const charge = settled[random.between(0, settled.length - 1)];
    const source = sources[random.between(0, sources.length - 1)];
    const first = open[0];
    switch (random.pick(SELDOM)) {
      case 'refund': {
        if (charge === undefined) return hold();
        const part = random.chance(0.5) ? { points: random.between(1, 6) } : {};
        const reference = { holdId: charge.request.holdId };
        return ask('refund', { kind: 'RefundCharge', ...byHand(), hold: reference, ...part });
      }
      case 'reverse':
        if (source === undefined || random.chance(0.6)) return hold();
        return ask('reverse_recharge', { kind: 'ReverseRecharge', ...byHand(), sourceRef: source });
      case 'up':
        return adjust(random.between(1, 50), false);
      case 'down':
        return adjust(-random.between(1, 30), random.chance(0.2));
      case 'freeze':
        return ask('freeze', { kind: 'Freeze', ...byHand() });
      case 'grant': {
        orders += 1;
        const membership = { membershipType: 'vip', durationDays: 30, orderNo: `vip-${orders}` };
        return ask('grant_membership', {
          kind: 'GrantMembership',
          ...membership,
          context: context('billing'),
        });
      }
      case 'revoke':
        return ask('revoke_membership', { kind: 'RevokeMembership', ...byHand() });
      case 'extend': {
        if (first === undefined) return hold();
        const reference = { holdId: first.request.holdId };
        const made = { context: context(first.client), hold: reference, ttlMs: 2 * HOUR_MS };
        return ask('extend', { kind: 'ExtendHold', ...made }, first.correlationId);
      }
      case 'sweep': {
        const made = context('ledger', { watermarkMs: now.nowMs });
        return ask('expire_due', { kind: 'ExpireDue', context: made });
      }
      case 'late': {
        const late = expired.pop();
        return late === undefined ? hold() : confirm(late);
      }
      case 'tombstone': {
        const request = use(random.uuidV7(now.nowMs), AI_SERVICE);
        const placed = { request, recordId: 0, client: AI_SERVICE, correlationId: request.holdId };
        return cancel(placed, 'client_abort');
      }
      default:
        throw new Error('no such thing');
    }
  }

  function adjust(delta: number, forced: boolean): Asked {
    return ask('adjust', { kind: 'Adjust', context: context('admin'), ...BY_HAND, delta, forced });
  }

  const life: AccountLife = {
    stream,
    // Few, so that a log of many accounts is made in little memory; a command that needs more is passed over.
    account: freshAccount(REMEMBERED_IDS),
    next(moment) {
      now = moment;
      if (life.account.frozen && random.chance(0.3))
        return ask('unfreeze', { kind: 'Unfreeze', context: context('admin'), ...BY_HAND });
      if (isPoor || random.chance(0.02)) return recharge();
      if (random.chance(0.1)) return seldom();
      if (random.chance(0.08)) return consume();
      const placed = open[0];
      if (placed === undefined || (open.length < 3 && random.chance(0.5))) return hold();
      return random.chance(0.06) ? cancel(placed, random.pick(CANCELS)) : confirm(placed);
    },
    learn({ command, cause }, decision) {
      isPoor = false;
      if (decision.outcome !== 'accepted') {
        // Whatever may be tried again and again goes.
        if (command.kind === 'ConfirmHold' || command.kind === 'CancelHold') open = open.slice(1);
        isPoor = decision.outcome === 'refused' && decision.refusal.code === 'insufficient_points';
        return;
      }
      life.account = decision.account;
      for (const { event } of decision.events) {
        if (event.type === 'PointsRecharged')
          sources = [...sources, event.data.source_ref].slice(-KEPT);
        else if (event.type === 'PointsHeld' && 'hold' in command && 'terms' in command.hold)
          open.push({
            request: command.hold,
            recordId: event.data.record_id,
            client: event.data.owner,
            correlationId: cause.correlationId,
          });
        else if (event.type === 'HoldConfirmed') settled = move(event.data.hold_id, settled);
        else if (event.type === 'HoldCanceled' && event.data.reason === 'expired')
          expired = move(event.data.hold_id, expired);
        else if (event.type === 'HoldCanceled') move(event.data.hold_id, []);
      }
    },
  };
  return life;

  function move(holdId: string, to: readonly Placed[]): Placed[] {
    const moved = open.filter(({ request }) => request.holdId === holdId);
    open = open.filter(({ request }) => request.holdId !== holdId);
    return [...to, ...moved].slice(-KEPT);
  }
}

interface Placed {
  readonly request: HoldRequest;
  readonly recordId: number;
  readonly client: string;
  readonly correlationId: string;
}

/** As the service names what it makes up for a command that named nothing. */
function asVersion5(uuid: string): string {
  return `${uuid.slice(0, 14)}5${uuid.slice(15)}`;
}

const REMEMBERED_IDS = 256;
const KEPT = 8;
const AI_SERVICE = 'ai-demo';
const CHAT = 'ai-gateway';
const BY_HAND = { reason: 'ticket 4711', operator: 'ada' };
const BOUGHT = [
  [100, 0],
  [500, 50],
  [2_000, 300],
] as const;
const CANCELS = ['caller', 'caller', 'failed', 'failed', 'client_abort', 'admin'] as const;
const METADATA: readonly Readonly<Record<string, string>>[] = [
  {},
  { tool_type: '小红书文案', scene: '片头' },
  { tool_type: '周报', take: '2' },
];
const SERVICE_USES = [
  { request: { sourceType: 'script' }, label: 'script' },
  { request: { sourceType: 'polish' }, label: 'polish' },
  { request: { sourceType: 'tts' }, label: 'voice_over' },
  { request: { sourceType: 'tts' }, label: 'voice_over' },
  { request: { sourceType: 'video' }, label: 'video' },
  { request: { sourceType: 'image' }, label: 'picture' },
  { request: { sourceType: 'image', model: 'sora_image' }, label: 'picture' },
  { request: { sourceType: 'image', platform: 'sora', modelType: 'image' }, label: 'picture' },
  { request: { sourceType: 'ai_writing' }, label: 'writing' },
  { request: { sourceType: 'caption' }, label: 'caption' },
  { request: { sourceType: 'help' }, label: 'help' },
  { request: { sourceType: 'script', amount: 17 }, label: 'campaign' },
] as const satisfies readonly Use[];
const CHAT_USES = [
  { request: { sourceType: 'dify_chat', model: 'qwen-max' }, label: 'chat' },
  { request: { sourceType: 'dify_chat', model: 'qwen-turbo' }, label: 'chat' },
  { request: { sourceType: 'dify_chat', model: 'intro-chat' }, label: 'chat' },
] as const satisfies readonly Use[];

interface Use {
  readonly request: {
    readonly sourceType: string;
    readonly model?: string;
    readonly platform?: string;
    readonly modelType?: string;
    readonly amount?: number;
  };
  readonly label: string;
}
const SELDOM = [
  'refund',
  'refund',
  'refund',
  'refund',
  'up',
  'down',
  'freeze',
  'grant',
  'revoke',
  'extend',
  'extend',
  'sweep',
  'sweep',
  'late',
  'late',
  'tombstone',
  'reverse',
] as const;
