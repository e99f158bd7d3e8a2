import { errorBody } from '@points/contracts/http';
import type { z } from 'zod';

type ErrorStatus = 400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503 | 504;

const DESCRIPTIONS: Readonly<Record<ErrorStatus, string>> = {
  400: 'A parameter is wrong; `data.field` names it',
  401: 'No valid bearer token',
  403: 'The role does not allow this',
  404: 'There is nothing at this address',
  413: 'The body is too large',
  415: 'The body is not JSON',
  429: 'Too many of these run already; try again after `Retry-After` seconds',
  500: 'Something went wrong on our side',
  503: 'A part of the system is not available; `data.part` names it',
  504: 'It took too long',
};

/** The documented errors of a route; all have the same body. */
export function errorResponses(...statuses: ErrorStatus[]): Record<number, z.ZodType> {
  return Object.fromEntries(
    statuses.map((status) => [status, errorBody.describe(DESCRIPTIONS[status])]),
  );
}
