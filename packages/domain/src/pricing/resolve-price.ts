import type { ActualUse, Refusal } from '../account/commands.ts';
import type { ChargeMode, FailurePolicy, HoldPrice, OveragePolicy } from '../account/events.ts';
import {
  type Catalog,
  type Model,
  findModelByName,
  findModelByPlatform,
} from '../catalog/catalog.ts';
import { SECOND_MS } from '../time.ts';
import type { Operation, PricingConfig } from './config.ts';
import { priceUse } from './price-use.ts';

/** The price and the policies of a hold, resolved once and then stored in it. */
export interface HoldTerms {
  readonly price: HoldPrice;
  /** Points to reserve. */
  readonly amount: number;
  /** What the use would cost if it were not free. */
  readonly listPrice: number;
  readonly chargeMode: ChargeMode;
  /** Costs a member nothing. */
  readonly memberFree: boolean;
  readonly overage: OveragePolicy;
  readonly debtFloor: number | null;
  readonly failurePolicy: FailurePolicy;
  readonly ttlMs: number;
  readonly description: string;
  readonly refundDescription?: string;
}

/** What the caller says it is about to use. */
export interface PriceRequest {
  /** Points, from a trusted service: then the rest only labels the hold. */
  readonly amount?: number | undefined;
  readonly sourceType?: string | undefined;
  readonly model?: string | undefined;
  readonly platform?: string | undefined;
  readonly modelType?: string | undefined;
  readonly quantity?: number | undefined;
  readonly estimatedDurationMs?: number | undefined;
  readonly overage?: OveragePolicy | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface PriceSources {
  readonly catalog: Catalog;
  readonly config: PricingConfig;
  /** Version of `config`. */
  readonly configVersion: string;
}

/**
 * Resolves a price; first match wins: the given amount → the named catalog model → the operation. A named model never
 * falls through to an operation. Pure: same sources and request, same terms.
 */
export function resolvePrice(request: PriceRequest, sources: PriceSources): HoldTerms | Refusal {
  const operation =
    request.sourceType === undefined ? undefined : operationOf(sources.config, request.sourceType);
  if (request.amount !== undefined) {
    const price = {
      ...FREE,
      mode: 'amount' as const,
      unit_price: String(request.amount),
      source: 'amount',
    };
    return terms(request, sources, operation, price, { points: request.amount, label: '' });
  }
  if (request.model !== undefined || request.platform !== undefined) {
    const model =
      request.model !== undefined
        ? findModelByName(sources.catalog, request.model)
        : findModelByPlatform(sources.catalog, request.platform ?? '', request.modelType ?? '');
    if (model === undefined) return { code: 'price_not_found' };
    if (!model.isEnabled) return { code: 'model_disabled', details: { model: model.modelName } };
    return priced(request, sources, operation, modelPrice(model, sources), model.displayName);
  }
  if (operation === undefined || operation.mode === 'catalog') return { code: 'price_not_found' };
  return priced(
    request,
    sources,
    operation,
    operationPrice(operation, request.sourceType ?? '', sources),
    '',
  );
}

/** An own property: a source_type such as `constructor` is not an operation. */
function operationOf(config: PricingConfig, sourceType: string): Operation | undefined {
  if (config.free_services.includes(sourceType)) return { mode: 'free' };
  return Object.hasOwn(config.operations, sourceType) ? config.operations[sourceType] : undefined;
}

const FREE: HoldPrice = {
  mode: 'free',
  unit: 'call',
  unit_price: '0',
  min_points: 0,
  rounding: 'ceil',
  source: '',
  config_version: '',
};

function modelPrice(model: Model, sources: PriceSources): HoldPrice {
  const source = `model:${model.modelId}`;
  const config_version = sources.configVersion;
  if (model.pointsCost === 0) return { ...FREE, source, config_version };
  return {
    ...FREE,
    mode: 'fixed',
    unit: 'quantity',
    unit_price: String(model.pointsCost),
    source,
    config_version,
  };
}

function operationPrice(
  operation: Exclude<Operation, { mode: 'catalog' }>,
  sourceType: string,
  sources: PriceSources,
): HoldPrice {
  const base: HoldPrice = {
    ...FREE,
    source: `operation:${sourceType}`,
    config_version: sources.configVersion,
  };
  switch (operation.mode) {
    case 'free':
      return base;
    case 'fixed':
      return operation.points === 0
        ? base
        : {
            ...base,
            mode: 'fixed',
            unit: operation.per,
            unit_price: String(operation.points),
          };
    case 'duration':
      return {
        ...base,
        mode: 'duration',
        unit: 'second',
        unit_price: String(operation.points_per_second),
        min_points: operation.min_points,
        rounding: operation.rounding,
      };
    default:
      return operation satisfies never;
  }
}

/** The caller named a price by use: what does the estimate cost, and in which unit? */
function priced(
  request: PriceRequest,
  sources: PriceSources,
  operation: Operation | undefined,
  price: HoldPrice,
  label: string,
): HoldTerms | Refusal {
  const use: Exclude<ActualUse, { kind: 'as_held' }> =
    price.unit === 'second'
      ? { kind: 'duration', durationMs: request.estimatedDurationMs ?? 0 }
      : { kind: 'quantity', quantity: request.quantity ?? 1 };
  const cost = priceUse(price, use);
  if (!cost.ok)
    return {
      code: 'invalid_argument',
      details: { field: use.kind === 'duration' ? 'estimated_duration' : 'quantity' },
    };
  return terms(request, sources, operation, price, { points: cost.points, label });
}

function terms(
  request: PriceRequest,
  sources: PriceSources,
  operation: Operation | undefined,
  price: HoldPrice,
  cost: { readonly points: number; readonly label: string },
): HoldTerms {
  const free = price.mode === 'free';
  const refundDescription = operation?.refund_description;
  return {
    price,
    // A charged hold reserves at least one point: an estimate of nothing is no estimate.
    amount: free ? 0 : Math.max(1, cost.points),
    listPrice: cost.points,
    chargeMode: free ? 'free' : 'charged',
    // Points that a trusted service names are charged as told.
    memberFree: price.mode !== 'amount' && operation?.member_free === true,
    overage: request.overage ?? operation?.overage ?? 'debt',
    debtFloor: sources.config.overdraft.floor,
    failurePolicy: operation?.failure_policy ?? 'cancel',
    ttlMs: (operation?.hold_ttl_seconds ?? sources.config.holds.ttl_seconds) * SECOND_MS,
    description: fillIn(operation?.description ?? cost.label, request.metadata),
    ...(refundDescription === undefined
      ? {}
      : { refundDescription: fillIn(refundDescription, request.metadata) }),
  };
}

const PLACEHOLDER = /\{([A-Za-z0-9_]{1,64})\}/g;
const MAX_DESCRIPTION_CODE_POINTS = 500;

function fillIn(template: string, metadata: Readonly<Record<string, string>>): string {
  const filled = template.replace(PLACEHOLDER, (_, key: string) =>
    Object.hasOwn(metadata, key) ? (metadata[key] ?? '') : '',
  );
  return Array.from(filled).slice(0, MAX_DESCRIPTION_CODE_POINTS).join('');
}
