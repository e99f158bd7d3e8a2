import { hash } from 'node:crypto';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { JsonObject } from '@points/event-store/event-log';

/** Stands where no request was hashed: the sweep, and the pricing file as an event. */
export const NO_REQUEST = '0'.repeat(64);

/**
 * What a command asked, as one number: SHA-256 (hex) of the RFC 8785 JSON of {client, verb, body}, the body as it was
 * sent without `command_id` and `metadata`. The same id with another hash is another command.
 */
export function requestHash(client: string, verb: string, body: object): string {
  const {
    command_id: _,
    metadata: __,
    ...rest
  } = body as JsonObject & { command_id?: string; metadata?: JsonObject };
  return hash('sha256', canonicalJson({ client, verb, body: rest }), 'hex');
}
