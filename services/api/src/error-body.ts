import type { Socket } from 'node:net';
import { type ErrorCode, errorDefinition, type HttpErrorCode } from '@points/contracts/errors';
import type { ErrorBody } from '@points/contracts/http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Language, preferredLanguage, type Text } from './language.ts';

/** How long a caller should wait before it tries again what failed for want of a part of the system. */
const RETRY_AFTER_SECONDS = 1;

export interface HttpErrorOptions {
  /** Replaces the text that the error has in the list of errors. */
  readonly text?: Text;
  /** For the caller's program; becomes part of `data`. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer that is not the one that was asked for: what the caller did wrong, or what is out of order here. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: ErrorCode;
  readonly text: Text;
  readonly details: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, options: HttpErrorOptions = {}) {
    const { zh, en } = errorDefinition(code);
    const text = options.text ?? { zh, en };
    super(text.en, { cause: options.cause });
    this.code = code;
    this.text = text;
    this.details = options.details ?? {};
    this.headers = options.headers ?? {};
  }
}

/** 400 that names the wrong field; `reason` completes "the field …". */
export function invalidArgument(field: string, reason: Text): HttpError {
  const { zh, en } = errorDefinition('invalid_argument');
  const text = { zh: `${zh}：${field} ${reason.zh}`, en: `${en}: ${field} ${reason.en}` };
  return new HttpError('invalid_argument', { text, details: { field, reason: reason.en } });
}

/** 503 that names the part of the system that is missing. */
export function partUnavailable(part: string, cause: unknown): HttpError {
  const { zh, en } = errorDefinition('service_unavailable');
  const text = { zh: `${zh}（${part}）`, en: `${en} (${part})` };
  return new HttpError('service_unavailable', { text, details: { part }, cause });
}

/** The one error handler: every error of every route leaves through here. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const httpError = toHttpError(error);
  const { status, retryable } = errorDefinition(httpError.code);
  if (status >= 500) request.log.error({ err: error }, httpError.message);
  reply.removeHeader('content-disposition');
  if (retryable) reply.header('retry-after', RETRY_AFTER_SECONDS);
  const body = errorBodyOf(httpError, preferredLanguage(request.headers['accept-language']));
  void reply
    .code(status)
    .headers(httpError.headers)
    .type('application/json; charset=utf-8')
    .send(body);
}

/** For requests that never became one: what arrived was not HTTP, or too much of it, or too slow. */
export function answerConnectionError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const httpError = new HttpError(CONNECTION_ERRORS.get(error.code ?? '') ?? 'bad_request');
  const body = JSON.stringify(errorBodyOf(httpError, 'zh'));
  const { status } = errorDefinition(httpError.code);
  socket.end(
    `HTTP/1.1 ${status} ${httpError.code}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

const CONNECTION_ERRORS: ReadonlyMap<string, HttpErrorCode> = new Map([
  ['HPE_HEADER_OVERFLOW', 'headers_too_large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request_timeout'],
]);

/** One text under three names, so that each family of clients finds it under its own. */
export function errorBodyOf(error: HttpError, language: Language): ErrorBody {
  const text = error.text[language];
  const data = { error: error.code, ...error.details };
  return { code: errorDefinition(error.code).number, message: text, msg: text, detail: text, data };
}

export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (!(error instanceof Error)) return new HttpError('internal_error', { cause: error });
  return validationError(error) ?? fastifyError(error);
}

/** What a schema refused: its first issue. A schema of ours brings the reason in both languages as `params`. */
const refusedBySchema = z.object({
  validationContext: z.enum(['params', 'querystring', 'headers', 'body']),
  validation: z
    .array(
      z.object({
        instancePath: z.string(),
        message: z.string(),
        params: z.object({
          params: z.object({ zh: z.string(), name: z.string().optional() }).optional(),
        }),
      }),
    )
    .min(1),
});

function validationError(error: Error): HttpError | null {
  const refused = refusedBySchema.safeParse(error);
  const issue = refused.data?.validation[0];
  if (refused.data === undefined || issue === undefined) return null;
  const own = issue.params.params;
  const path = issue.instancePath.split('/').filter((step) => step !== '');
  const field = own?.name ?? (path.length === 0 ? refused.data.validationContext : path.join('.'));
  return invalidArgument(field, { zh: own?.zh ?? '无效', en: issue.message });
}

const STATUS_CODES: ReadonlyMap<number, HttpErrorCode> = new Map([
  [400, 'bad_request'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [406, 'not_acceptable'],
  [408, 'request_timeout'],
  [413, 'payload_too_large'],
  [414, 'uri_too_long'],
  [415, 'unsupported_media_type'],
  [429, 'too_many_requests'],
  [431, 'headers_too_large'],
]);

/** Errors of Fastify and its plugins carry a status; any other 4xx of theirs is a request that cannot be read. */
function fastifyError(error: Error & Partial<Pick<FastifyError, 'statusCode'>>): HttpError {
  const status = error.statusCode ?? 500;
  const code =
    STATUS_CODES.get(status) ?? (status >= 400 && status < 500 ? 'bad_request' : 'internal_error');
  return new HttpError(code, { cause: error });
}
