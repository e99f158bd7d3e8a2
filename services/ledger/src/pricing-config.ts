import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type PricingConfig, parsePricingConfig } from '@points/contracts/pricing-config';
import { encodeMetadata } from '@points/contracts/stored-events';
import { PRICING_CONFIG_STREAM } from '@points/contracts/streams';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { EventLog } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { REAL_TIMERS } from '@points/event-store/timers';
import { LineCounter, isNode, parseDocument } from 'yaml';
import { toJson } from './account-fold.ts';
import { mintCommandId } from './ids.ts';
import type { FollowedPrices } from './price-sources.ts';
import { NO_REQUEST } from './request-hash.ts';

/** The pricing config cannot be used; the message names file, line and key. */
export class PricingConfigError extends Error {
  override readonly name = 'PricingConfigError';
  readonly field: string;
  constructor(message: string, field: string, options?: ErrorOptions) {
    super(message, options);
    this.field = field;
  }
}

export interface LoadedConfig {
  readonly version: string;
  /** False when the log held the same content already. */
  readonly changed: boolean;
}

/** Another replica may load at the same moment: look again, so often. */
const ATTEMPTS_MAX = 5;

/** Reads and checks the file. Throws `PricingConfigError`. */
export async function readPricingConfig(file: string): Promise<PricingConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new PricingConfigError(`${file} cannot be read`, 'file', { cause });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const wrong = document.errors[0];
  if (wrong !== undefined)
    throw new PricingConfigError(
      `${file}:${wrong.linePos?.[0].line ?? 1}: ${wrong.message}`,
      'file',
    );
  const parsed = parsePricingConfig(document.toJS());
  if (parsed.ok) return parsed.value;
  const line = lineOf(document, lines, parsed.field);
  throw new PricingConfigError(`${file}:${line}: ${parsed.field} ${parsed.message}`, parsed.field);
}

/**
 * Loads the file into the log when it differs from what the log holds. Throws `PricingConfigError`, and what the event
 * log throws.
 */
export async function loadPricingConfig(deps: {
  readonly file: string;
  readonly log: EventLog;
  readonly prices: FollowedPrices;
  readonly nowMs: number;
  readonly actorId: string;
  readonly commandId?: string;
}): Promise<LoadedConfig> {
  const content = await readPricingConfig(deps.file);
  const version = hash('sha256', canonicalJson(toJson(content)), 'hex');
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    await deps.prices.refresh();
    const current = deps.prices.config();
    if (current?.version === version) return { version, changed: attempt > 1 };
    const commandId = deps.commandId ?? mintCommandId(deps.nowMs, REAL_TIMERS);
    const metadata = encodeMetadata({
      eventType: 'ConfigLoaded',
      context: {
        command_id: commandId,
        request_hash: NO_REQUEST,
        index: 0,
        occurred_at: new Date(deps.nowMs).toISOString(),
      },
      commandName: 'reload_config',
      actorType: deps.actorId === 'ledger' ? 'system' : 'client',
      actorId: deps.actorId,
      correlationId: commandId,
      causationId: commandId,
    });
    const draft = { type: 'ConfigLoaded', data: { version, content: toJson(content) }, metadata };
    const revision = current === null ? 0 : current.revision + 1;
    const events = chainEvents(PRICING_CONFIG_STREAM, revision, current?.hash ?? GENESIS_HASH, [
      draft,
    ]);
    await deps.log.append(
      PRICING_CONFIG_STREAM,
      events,
      current === null ? 'no_stream' : current.revision,
    );
    // Appended or not, the next look at the log tells what is in force.
  }
  throw new PricingConfigError('another replica keeps loading another config', 'file');
}

/** The line of the key that a dotted path names, or of its nearest ancestor that is there. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  field: string,
): number {
  const path = field.split('.');
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return lines.linePos(node.range[0]).line;
  }
  return 1;
}
