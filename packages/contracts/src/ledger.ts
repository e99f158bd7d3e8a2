import { dotted, firstProblem, type Problem } from './first-problem.ts';
import { type Endpoint, type Request, REQUESTS } from './ledger-requests.ts';
import { isId } from './text.ts';

/**
 * The ledger on NATS: `ledger.v1.cmd.<client>.<verb>` changes something, `ledger.v1.qry.<client>.<verb>` asks. The
 * server's permissions make sure that `<client>` is who it says.
 */
export const LEDGER_VERSION = 'v1';
/** All replicas of the ledger share the work. */
export const LEDGER_QUEUE = 'ledger';
/** Numeric status and English text of an error, as NATS services have them (ADR-32). */
export const ERROR_CODE_HEADER = 'Nats-Service-Error-Code';
export const ERROR_HEADER = 'Nats-Service-Error';
export const MAX_REQUEST_BYTES = 16_384;

export const ENDPOINTS = Object.keys(REQUESTS).filter(isEndpoint);

export interface LedgerSubject {
  readonly endpoint: Endpoint;
  readonly client: string;
}

/** The subject on which `client` asks for `endpoint`. Throws RangeError when the client's name cannot be part of one. */
export function subjectOf(endpoint: Endpoint, client: string): string {
  if (!isId(client)) throw new RangeError(`not a client name: ${JSON.stringify(client)}`);
  return subject(endpoint, client);
}

/** The same for all clients, to subscribe to. */
export function subjectPattern(endpoint: Endpoint): string {
  return subject(endpoint, '*');
}

/** What a subject asks and who asks, or null when it is none of ours. */
export function parseSubject(text: string): LedgerSubject | null {
  const [ledger, version, kind, client, verb, ...more] = text.split('.');
  const endpoint = `${kind}.${verb}`;
  if (ledger !== 'ledger' || version !== LEDGER_VERSION || client === undefined || more.length > 0)
    return null;
  return isEndpoint(endpoint) && isId(client) ? { endpoint, client } : null;
}

export function isEndpoint(text: string): text is Endpoint {
  return Object.hasOwn(REQUESTS, text);
}

/** Where replies to a client go; a request with any other reply subject is dropped. */
export function inboxPrefix(client: string): string {
  return `_INBOX.${client}`;
}

export type ParsedRequest<Name extends Endpoint> =
  | { readonly ok: true; readonly value: Request<Name> }
  | ({
      readonly ok: false;
      /** Set when the body could be read that far. */ readonly commandId?: string;
    } & Problem);

/**
 * Reads a request's bytes. Never throws: whatever arrives, the answer is a value or the first wrong field by its path
 * (`body` for the whole). Ids come back in lower case; nothing else is changed or filled in.
 */
export function parseRequest<Name extends Endpoint>(
  endpoint: Name,
  bytes: Uint8Array,
): ParsedRequest<Name> {
  if (bytes.length > MAX_REQUEST_BYTES) return problem(`is larger than ${MAX_REQUEST_BYTES} bytes`);
  const text = decodeUtf8(bytes);
  if (text === null) return problem('is not UTF-8');
  const body = parseJson(text);
  if (body === undefined) return problem('is not JSON');
  const bad = badKey(text);
  if (bad !== null) return bad;
  const parsed = REQUESTS[endpoint].safeParse(body);
  // The schema of this endpoint has just passed on the value.
  if (parsed.success) return { ok: true, value: parsed.data as Request<Name> };
  const commandId = commandIdOf(body);
  return {
    ok: false,
    ...firstProblem(parsed.error, 'body'),
    ...(commandId === undefined ? {} : { commandId }),
  };
}

function problem(message: string): { readonly ok: false } & Problem {
  return { ok: false, field: 'body', message };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** undefined = not JSON. Zero has no sign: `-0` becomes `0`. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => (value === 0 ? 0 : value));
  } catch {
    return undefined;
  }
}

/** Strings (group 1: the text of one that is a key) and braces of a text that is known to be JSON. */
const KEYS_AND_BRACES = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]/g;

/**
 * JSON itself lets a key stand twice, and readers differ in which one counts: the caller may have meant the other.
 * `__proto__` has no place in any request, and would be lost or worse on its way through objects.
 */
function badKey(text: string): ({ readonly ok: false } & Problem) | null {
  const open: Set<string>[] = [];
  for (const [token, quoted, colon] of text.matchAll(KEYS_AND_BRACES)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (quoted !== undefined && colon !== undefined) {
      const key: unknown = JSON.parse(quoted);
      const keys = open.at(-1);
      if (typeof key !== 'string' || keys === undefined) continue;
      if (key === '__proto__') return { ok: false, field: key, message: 'is not a known field' };
      if (keys.has(key))
        return { ok: false, field: dotted([key], 'body'), message: 'is given twice' };
      keys.add(key);
    }
  }
  return null;
}

/** So that even a refused request can be answered with its id. */
function commandIdOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('command_id' in body)) return undefined;
  const parsed = REQUESTS['qry.command'].shape.command_id.safeParse(body.command_id);
  return parsed.success ? parsed.data : undefined;
}

function subject(endpoint: Endpoint, client: string): string {
  const [kind, verb] = endpoint.split('.');
  return `ledger.${LEDGER_VERSION}.${kind}.${client}.${verb}`;
}
