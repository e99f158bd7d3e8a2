import { isId } from '@points/contracts/text';
import type { Clock } from '@points/runtime/clock';
import type { FastifyRequest } from 'fastify';
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
  SignJWT,
} from 'jose';
import { HttpError, partUnavailable } from './error-body.ts';

/** How far the clock of whoever makes the tokens may be ahead of or behind ours. */
const CLOCK_TOLERANCE_SECONDS = 5;
const JWKS_TIMEOUT_MS = 3_000;
/** Keys that verify what anybody may sign (HS…) must never come from a public key set. */
const JWKS_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const SECRET_ALGORITHM = 'HS256';
const DEV_TOKEN_LIFETIME_SECONDS = 24 * 3_600;

/** Who a request comes from. */
export interface Principal {
  readonly accountId: string;
  readonly roles: readonly string[];
}

/** Where the keys of bearer tokens come from: a shared HS256 secret, or the key set of an identity provider. */
export type TokenKeys =
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  | { readonly kind: 'jwks'; readonly url: URL };

export interface AuthenticationDeps {
  readonly keys: TokenKeys;
  readonly clock: Clock;
  /** When given, the tokens' `iss` and `aud` must be these. */
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

export interface Authentication {
  /** An onRequest hook: 401 without a valid token, 403 without the role. */
  readonly requireRole: (role: string) => (request: FastifyRequest) => Promise<void>;
  /** Who `requireRole` let pass. */
  readonly principalOf: (request: FastifyRequest) => Principal;
}

/**
 * Bearer tokens (RFC 6750) that are JWTs: `sub` is the account id, `roles` a list, by default `["user"]`; `exp` must
 * be there. An admin is also a user.
 */
export function createAuthentication(deps: AuthenticationDeps): Authentication {
  const verify = createVerifier(deps);
  const principals = new WeakMap<FastifyRequest, Principal>();
  return {
    requireRole: (role) => async (request) => {
      const token = bearerToken(request.headers.authorization);
      const principal = principalFrom(await verify(token));
      if (!principal.roles.includes(role) && !principal.roles.includes('admin')) {
        throw new HttpError('access_denied', { details: { role } });
      }
      principals.set(request, principal);
    },
    principalOf: (request) => {
      const principal = principals.get(request);
      if (principal === undefined) throw new Error('principalOf on a route without requireRole');
      return principal;
    },
  };
}

/** A token of the dev login, valid for a day. */
export function signDevToken(
  principal: Principal,
  secret: Uint8Array,
  clock: Clock,
): Promise<string> {
  const nowSeconds = Math.floor(clock.now() / 1_000);
  return new SignJWT({ roles: [...principal.roles] })
    .setProtectedHeader({ alg: SECRET_ALGORITHM, typ: 'JWT' })
    .setSubject(principal.accountId)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + DEV_TOKEN_LIFETIME_SECONDS)
    .sign(secret);
}

function createVerifier({
  keys,
  clock,
  issuer,
  audience,
}: AuthenticationDeps): (token: string) => Promise<JWTPayload> {
  const options = (): JWTVerifyOptions => ({
    algorithms: keys.kind === 'secret' ? [SECRET_ALGORITHM] : JWKS_ALGORITHMS,
    requiredClaims: ['sub', 'exp'],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    currentDate: new Date(clock.now()),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  });
  if (keys.kind === 'secret') {
    return (token) =>
      jwtVerify(token, keys.secret, options()).then(({ payload }) => payload, refuse);
  }
  const keySet = createRemoteJWKSet(keys.url, { timeoutDuration: JWKS_TIMEOUT_MS });
  return (token) => jwtVerify(token, keySet, options()).then(({ payload }) => payload, refuse);
}

/** A key set that cannot be had is our trouble; everything else is the token's fault. */
function refuse(error: unknown): never {
  const isKeySetTrouble =
    !(error instanceof errors.JOSEError) ||
    KEY_SET_TROUBLES.has(error.code) ||
    error.code === errors.JOSEError.code;
  if (isKeySetTrouble) throw partUnavailable('jwks', error);
  throw unauthorized(
    error.code === errors.JWTExpired.code ? 'the token has expired' : 'the token is not valid',
    error,
  );
}

const KEY_SET_TROUBLES: ReadonlySet<string> = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
]);

function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined)
    throw new HttpError('unauthorized', { headers: { 'www-authenticate': 'Bearer' } });
  const match = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization);
  if (match?.[1] === undefined)
    throw unauthorized('the Authorization header is not "Bearer <token>"');
  return match[1];
}

function principalFrom(payload: JWTPayload): Principal {
  const { sub, roles } = payload;
  if (sub === undefined || !isId(sub))
    throw unauthorized('the subject of the token is not an account id');
  return { accountId: sub, roles: rolesFrom(roles) };
}

function rolesFrom(roles: unknown): string[] {
  if (roles === undefined) return ['user'];
  const list: unknown[] = Array.isArray(roles) ? roles : [roles];
  return list.filter((role) => typeof role === 'string');
}

function unauthorized(description: string, cause?: unknown): HttpError {
  const challenge = `Bearer error="invalid_token", error_description="${description.replaceAll('"', "'")}"`;
  return new HttpError('unauthorized', {
    details: { reason: description },
    headers: { 'www-authenticate': challenge },
    cause,
  });
}
