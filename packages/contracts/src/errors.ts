import type { RefusalCode } from '@points/domain/account/commands';

/**
 * Every error that leaves this system, once. Codes and numbers are public: never renamed, never reused.
 * `docs/errors.md` is generated from this list.
 */

/** Refusals and troubles of the ledger and of billing; each has a seven-digit number. */
export type LedgerErrorCode =
  | RefusalCode
  | 'contention'
  | 'order_not_found'
  | 'payment_verification_failed'
  | 'payment_mismatch'
  | 'duration_unknown'
  | 'upstream_failed'
  | 'overloaded'
  | 'store_unavailable'
  | 'deadline_exceeded'
  | 'outcome_unknown'
  | 'command_unknown';

/** Errors that only HTTP knows; their number is the HTTP status. */
export type HttpErrorCode =
  | 'bad_request'
  | 'unauthorized'
  | 'access_denied'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'request_timeout'
  | 'payload_too_large'
  | 'uri_too_long'
  | 'unsupported_media_type'
  | 'too_many_requests'
  | 'headers_too_large'
  | 'internal_error'
  | 'service_unavailable';

export type ErrorCode = LedgerErrorCode | HttpErrorCode;

/** Whether anything may have been written when the caller sees the error. */
export type Applied = 'no' | 'unknown';

export interface ErrorDefinition {
  /** Public number: 1001001… for the ledger, the HTTP status otherwise. */
  readonly number: number;
  /** HTTP status; also the NATS header `Nats-Service-Error-Code`. */
  readonly status: number;
  /** Whether sending the identical request again (same command_id) soon can succeed without anything else changing. */
  readonly retryable: boolean;
  readonly applied: Applied;
  readonly zh: string;
  readonly en: string;
  /** Names of the details that come with it, for the caller's program. */
  readonly details: readonly string[];
}

export const LEDGER_ERRORS = {
  insufficient_points: refusal(1001001, 402, '积分不足', 'Not enough points', [
    'required',
    'available',
    'balance',
    'shortfall',
  ]),
  price_not_found: refusal(1001002, 404, '积分配置不存在', 'No price is configured for this'),
  contention: trouble(
    1001003,
    503,
    '积分扣减失败，请重试',
    'The account is being changed too often right now; try again',
  ),
  hold_not_found: refusal(1001004, 404, '预扣记录不存在', 'There is no such hold'),
  hold_already_confirmed: refusal(1001005, 409, '预扣已确认', 'The hold is already confirmed', [
    'requested_amount',
  ]),
  hold_already_canceled: refusal(1001005, 409, '预扣已取消', 'The hold is already canceled', [
    'reason',
  ]),
  hold_expired: refusal(1001006, 410, '预扣已过期', 'The hold has expired', [
    'reason',
    'required',
    'available',
  ]),
  command_id_reused: refusal(
    1001007,
    409,
    '命令编号已被其他请求使用',
    'The command_id was used for a different request',
  ),
  hold_id_reused: refusal(
    1001007,
    409,
    '预扣编号已被其他请求使用',
    'The hold_id was used for a different request',
  ),
  source_ref_reused: refusal(
    1001007,
    409,
    '来源编号已被其他请求使用',
    'The source_ref was used for a different request',
    ['source_ref'],
  ),
  account_frozen: refusal(1001008, 403, '账户已冻结', 'The account is frozen'),
  order_not_found: refusal(1001010, 404, '订单不存在', 'There is no such order'),
  payment_verification_failed: refusal(
    1001011,
    400,
    '支付验签失败',
    'The payment notice could not be verified',
  ),
  payment_mismatch: refusal(
    1001012,
    400,
    '支付信息与订单不符',
    'The payment does not match the order',
  ),
  duration_unknown: refusal(1001013, 422, '无法识别时长', 'The duration could not be determined'),
  upstream_failed: trouble(1001014, 502, '上游服务失败', 'An upstream service failed'),
  model_disabled: refusal(1001015, 409, '模型已停用', 'The model is disabled', ['model']),
  price_changed: refusal(1001016, 409, '价格已变动', 'The price is above max_amount', [
    'amount',
    'max_amount',
  ]),
  usage_cap_reached: refusal(1001017, 429, '已达使用上限', 'The usage cap is reached', [
    'per_day',
    'per_month',
  ]),
  invalid_argument: refusal(1001018, 400, '参数错误', 'An argument is invalid', ['field']),
  command_too_old: refusal(
    1001019,
    400,
    '命令编号已过期',
    'The command_id is more than 7 days old',
  ),
  hold_id_too_old: refusal(1001019, 400, '预扣编号已过期', 'The hold_id is more than 7 days old'),
  id_in_future: refusal(
    1001019,
    400,
    '编号时间超前',
    'The id is more than 5 minutes ahead of the clock',
    ['field'],
  ),
  forbidden: refusal(1001020, 403, '无权操作', 'Only the client that placed the hold may do this'),
  too_many_open_holds: refusal(
    1001021,
    429,
    '未完成的预扣过多',
    'The account has too many open holds',
    ['limit'],
  ),
  overage_rejected: refusal(
    1001022,
    422,
    '实际用量超过预扣',
    'The actual use is above the held amount',
    ['held_amount', 'requested_amount'],
  ),
  refund_exceeds_charge: refusal(
    1001023,
    409,
    '退款超过已扣积分',
    'The refund is above what is left of the charge',
    ['refundable'],
  ),
  recharge_not_found: refusal(1001024, 404, '充值记录不存在', 'There is no such recharge'),
  overloaded: trouble(
    1001025,
    503,
    '系统繁忙，请稍后重试',
    'Too many requests are waiting; try again later',
  ),
  store_unavailable: trouble(
    1001026,
    503,
    '存储暂不可用，请稍后重试',
    'The event store or the read tables cannot be reached; nothing was written',
  ),
  deadline_exceeded: trouble(
    1001027,
    504,
    '请求已超时',
    'The deadline passed before the work began; nothing was written',
  ),
  outcome_unknown: {
    ...trouble(
      1001028,
      500,
      '结果未知，请用同一命令编号重试',
      'It is not known yet whether this was written; retry with the same command_id',
    ),
    applied: 'unknown',
  },
  command_unknown: refusal(1001029, 404, '命令不存在', 'No such command changed this account'),
} as const satisfies Record<LedgerErrorCode, ErrorDefinition>;

export const HTTP_ERRORS = {
  bad_request: httpError(400, '请求格式错误', 'The request cannot be read'),
  unauthorized: httpError(401, '未登录或登录已失效', 'A valid bearer token is required'),
  access_denied: httpError(403, '没有访问权限', 'Your role does not allow this'),
  not_found: httpError(404, '资源不存在', 'There is nothing at this address'),
  method_not_allowed: httpError(405, '请求方法不支持', 'This address does not support the method'),
  not_acceptable: httpError(406, '无法提供请求的格式', 'The requested format is not available'),
  request_timeout: httpError(408, '请求超时', 'The request took too long to arrive'),
  payload_too_large: httpError(413, '请求体过大', 'The request body is too large'),
  uri_too_long: httpError(414, '请求地址过长', 'The address is too long'),
  unsupported_media_type: httpError(415, '请求体类型不支持', 'The content type is not supported'),
  too_many_requests: { ...httpError(429, '请求过于频繁', 'Too many requests'), retryable: true },
  headers_too_large: httpError(431, '请求头过大', 'The request headers are too large'),
  internal_error: httpError(500, '系统内部错误', 'Something went wrong on our side'),
  service_unavailable: {
    ...httpError(
      503,
      '服务暂不可用，请稍后重试',
      'A part of the system is not available; try again later',
    ),
    retryable: true,
  },
} as const satisfies Record<HttpErrorCode, ErrorDefinition>;

/** Looks up any error by its code. */
export function errorDefinition(code: ErrorCode): ErrorDefinition {
  return isLedgerErrorCode(code) ? LEDGER_ERRORS[code] : HTTP_ERRORS[code];
}

export function isLedgerErrorCode(code: string): code is LedgerErrorCode {
  return Object.hasOwn(LEDGER_ERRORS, code);
}

function refusal(
  number: number,
  status: number,
  zh: string,
  en: string,
  details: readonly string[] = [],
): ErrorDefinition {
  return { number, status, retryable: false, applied: 'no', zh, en, details };
}

/** Not the request's fault: the same request may succeed a moment later. */
function trouble(number: number, status: number, zh: string, en: string): ErrorDefinition {
  return { number, status, retryable: true, applied: 'no', zh, en, details: [] };
}

function httpError(status: number, zh: string, en: string): ErrorDefinition {
  return { number: status, status, retryable: false, applied: 'no', zh, en, details: [] };
}
