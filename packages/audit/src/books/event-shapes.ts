import type {
  AccountEvent,
  AccountEventType,
  HoldPrice,
  RecordedAccountEvent,
} from '@points/domain/account/events';

/**
 * Whether data have every field of that event type, each of its type, as the schemas of contracts demand it: the same
 * answer some ten times as fast, for the events that are as they should be. `false` says nothing but "ask the schema".
 */
export function hasShape(type: string, data: unknown): boolean {
  if (!isObject(data) || !hasBalances(data)) return false;
  switch (type as AccountEventType) {
    case 'PointsRecharged':
      return isRecharged(data);
    case 'RechargeReversed':
      return isReversed(data);
    case 'PointsHeld':
      return isHeld(data);
    case 'HoldConfirmed':
      return isConfirmed(data);
    case 'HoldCanceled':
      return isCanceled(data);
    case 'HoldExtended':
      return isExtended(data);
    case 'BatchExpired':
      return isExpired(data);
    case 'PointsRefunded':
      return isRefunded(data);
    case 'PointsAdjusted':
      return isAdjusted(data);
    case 'AccountFrozen':
    case 'AccountUnfrozen':
      return isFrozen(data);
    case 'MembershipGranted':
      return isGranted(data);
    case 'MembershipRevoked':
      return isRevoked(data);
    default:
      return false;
  }
}

/** The fields of a type, of which nothing is known yet. */
type Unread<Data> = { readonly [Key in keyof Data]?: unknown };
type Data<Type extends AccountEventType> = Unread<Extract<AccountEvent, { type: Type }>['data']>;

function hasBalances(data: Unread<RecordedAccountEvent['event']['data']>): boolean {
  return (
    isInt(data.balance_before) &&
    isInt(data.balance_after) &&
    isInt(data.available_after) &&
    isInt(data.debt_after)
  );
}

function isRecharged(data: Data<'PointsRecharged'>): boolean {
  return (
    isOneOf(data.source, 'order', 'reward', 'admin', 'import') &&
    isText(data.source_ref) &&
    isList(data.batches, isNewBatch) &&
    isList(data.debt_repaid, isRepayment) &&
    isText(data.description) &&
    isTextOrAbsent(data, 'order_no')
  );
}

function isReversed(data: Data<'RechargeReversed'>): boolean {
  return (
    isText(data.source_ref) &&
    isInt(data.points) &&
    isInt(data.expired_not_owed) &&
    isList(data.allocations, isAllocation) &&
    isInt(data.debt_added) &&
    isText(data.debt_ref) &&
    isText(data.reason) &&
    isText(data.operator)
  );
}

function isHeld(data: Data<'PointsHeld'>): boolean {
  return (
    isText(data.hold_id) &&
    isInt(data.record_id) &&
    isInt(data.amount) &&
    isList(data.allocations, isAllocation) &&
    isObject(data.price) &&
    isPrice(data.price) &&
    isOneOf(data.charge_mode, 'charged', 'free', 'member_free') &&
    isInt(data.list_price) &&
    isTextOrAbsent(data, 'source_type') &&
    isTextOrAbsent(data, 'model') &&
    isTextOrAbsent(data, 'biz_type') &&
    isTextOrAbsent(data, 'biz_id') &&
    isText(data.task_no) &&
    isIntOrAbsent(data, 'quantity') &&
    isIntOrAbsent(data, 'estimated_duration_ms') &&
    isOneOf(data.overage, 'debt', 'cap', 'reject') &&
    (data.debt_floor === null || isInt(data.debt_floor)) &&
    isOneOf(data.failure_policy, 'cancel', 'charge_then_refund') &&
    isOneOf(data.late_confirm, 'if_available', 'reject') &&
    isTextOrAbsent(data, 'late_of') &&
    isText(data.description) &&
    isTextOrAbsent(data, 'refund_description') &&
    isTextMap(data.metadata) &&
    isTime(data.expires_at) &&
    isTime(data.max_expires_at) &&
    isText(data.owner)
  );
}

function isPrice(price: Unread<HoldPrice>): boolean {
  return (
    isOneOf(price.mode, 'fixed', 'duration', 'free', 'amount') &&
    isOneOf(price.unit, 'call', 'quantity', 'second') &&
    isText(price.unit_price) &&
    isInt(price.min_points) &&
    isOneOf(price.rounding, 'ceil', 'floor', 'half_up') &&
    isText(price.source) &&
    isText(price.config_version)
  );
}

function isConfirmed(data: Data<'HoldConfirmed'>): boolean {
  return (
    isText(data.hold_id) &&
    isInt(data.held_amount) &&
    isInt(data.requested_amount) &&
    isInt(data.actual_amount) &&
    isList(data.allocations, isAllocation) &&
    isInt(data.released) &&
    isInt(data.overage) &&
    isInt(data.debt_added) &&
    isInt(data.waived) &&
    isList(data.debt_repaid, isRepayment) &&
    isTextOrAbsent(data, 'late_of') &&
    isIntOrAbsent(data, 'quantity') &&
    isIntOrAbsent(data, 'duration_ms') &&
    isText(data.description)
  );
}

function isCanceled(data: Data<'HoldCanceled'>): boolean {
  return (
    isText(data.hold_id) &&
    isOneOf(data.reason, 'caller', 'failed', 'client_abort', 'expired', 'admin', 'tombstone') &&
    isTextOrAbsent(data, 'note') &&
    isInt(data.released) &&
    isList(data.debt_repaid, isRepayment) &&
    isList(data.grace, isGrace)
  );
}

function isExtended(data: Data<'HoldExtended'>): boolean {
  return isText(data.hold_id) && isTime(data.previous_expires_at) && isTime(data.expires_at);
}

function isExpired(data: Data<'BatchExpired'>): boolean {
  return (
    isText(data.batch_id) &&
    isInt(data.points) &&
    isTime(data.expired_at) &&
    isInt(data.pinned_left)
  );
}

function isRefunded(data: Data<'PointsRefunded'>): boolean {
  return (
    isText(data.hold_id) &&
    isInt(data.points) &&
    isInt(data.refunded_total) &&
    isList(data.returns, isReturn) &&
    isList(data.grace, isGrace) &&
    isList(data.reopened, isReopened) &&
    isInt(data.debt_canceled) &&
    isList(data.debt_repaid, isRepayment) &&
    typeof data.as_failure === 'boolean' &&
    isText(data.reason) &&
    isTextOrAbsent(data, 'operator') &&
    isText(data.description)
  );
}

function isAdjusted(data: Data<'PointsAdjusted'>): boolean {
  return (
    isInt(data.delta) &&
    isText(data.reason) &&
    isText(data.operator) &&
    typeof data.forced === 'boolean' &&
    (data.batch === null || (isObject(data.batch) && isNewBatch(data.batch))) &&
    isList(data.allocations, isAllocation) &&
    isInt(data.debt_added) &&
    isText(data.debt_ref) &&
    isList(data.debt_repaid, isRepayment)
  );
}

function isFrozen(data: Data<'AccountFrozen'>): boolean {
  return isText(data.reason) && isText(data.operator);
}

function isGranted(data: Data<'MembershipGranted'>): boolean {
  return (
    isText(data.membership_type) &&
    isTime(data.starts_at) &&
    isTime(data.ends_at) &&
    (data.previous_ends_at === null || isTime(data.previous_ends_at)) &&
    isText(data.order_no)
  );
}

function isRevoked(data: Data<'MembershipRevoked'>): boolean {
  return isText(data.reason) && isText(data.operator) && isTime(data.ended_at);
}

type Part = Readonly<Record<string, unknown>>;

function isAllocation(part: Part): boolean {
  return isText(part['batch_id']) && isInt(part['points']);
}

function isRepayment(part: Part): boolean {
  return isText(part['debt_ref']) && isAllocation(part);
}

function isNewBatch(part: Part): boolean {
  return (
    isAllocation(part) &&
    isOneOf(part['kind'], 'paid', 'bonus', 'reward', 'grace', 'adjust') &&
    (part['expires_at'] === null || isTime(part['expires_at']))
  );
}

function isGrace(part: Part): boolean {
  return (
    isAllocation(part) &&
    isTime(part['expires_at']) &&
    isText(part['origin_batch_id']) &&
    isTextOrAbsent(part, 'source_ref')
  );
}

function isReopened(part: Part): boolean {
  return (
    isNewBatch(part) &&
    isTime(part['created_at']) &&
    isTextOrAbsent(part, 'source_ref') &&
    isTextOrAbsent(part, 'origin_batch_id')
  );
}

function isReturn(part: Part): boolean {
  return isText(part['from']) && isText(part['to']) && isInt(part['points']);
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Fixed width, so the order of the texts is the order of the times. */
export function isTime(value: unknown): boolean {
  return typeof value === 'string' && TIME.test(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isInt(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isTextOrAbsent<Fields extends object>(data: Fields, key: keyof Fields): boolean {
  const value = data[key];
  return typeof value === 'string' || (value === undefined && !Object.hasOwn(data, key));
}

function isIntOrAbsent<Fields extends object>(data: Fields, key: keyof Fields): boolean {
  const value = data[key];
  return Number.isSafeInteger(value) || (value === undefined && !Object.hasOwn(data, key));
}

function isOneOf(value: unknown, ...known: readonly string[]): boolean {
  return typeof value === 'string' && known.includes(value);
}

function isList(value: unknown, isPart: (part: Part) => boolean): boolean {
  if (!Array.isArray(value)) return false;
  for (const part of value) if (!isObject(part) || !isPart(part)) return false;
  return true;
}

function isTextMap(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key in value) if (typeof value[key] !== 'string') return false;
  return true;
}

function isObject(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
