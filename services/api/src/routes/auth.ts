import { createHash, timingSafeEqual } from 'node:crypto';
import { loginRequest, loginResponse } from '@points/contracts/http';
import type { Clock } from '@points/runtime/clock';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { signDevToken } from '../auth.ts';
import { HttpError } from '../error-body.ts';
import { success } from '../success.ts';
import { errorResponses } from './error-responses.ts';

export interface DevLoginDeps {
  readonly secret: Uint8Array;
  readonly clock: Clock;
}

interface DevUser {
  readonly password: string;
  readonly roles: readonly string[];
}

/** For development only: the names are the account ids, the passwords are in the README. */
const DEV_USERS: ReadonlyMap<string, DevUser> = new Map([
  ['test_user', { password: 'test123456', roles: ['user'] }],
  ['admin', { password: 'admin123456', roles: ['user', 'admin', 'finance'] }],
  ['finance', { password: 'finance123456', roles: ['finance'] }],
]);

const WRONG_LOGIN = { zh: '用户名或密码错误', en: 'The username or the password is wrong' };

/** A login with fixed users. Must not be registered outside development. */
export function devLoginRoutes({ secret, clock }: DevLoginDeps): FastifyPluginCallbackZod {
  return (app, _, done) => {
    app.post(
      '/api/v1/auth/login',
      {
        schema: {
          tags: ['auth'],
          summary: 'Development only: a bearer token for test_user, admin or finance',
          body: loginRequest,
          response: { 200: loginResponse, ...errorResponses(400, 401, 413, 415, 500) },
        },
      },
      async ({ body: { username, password } }) => {
        const user = DEV_USERS.get(username);
        // An unknown user costs the same comparison.
        const matches = equalInConstantTime(password, user?.password ?? '');
        if (user === undefined || !matches)
          throw new HttpError('unauthorized', { text: WRONG_LOGIN });
        const token = await signDevToken({ accountId: username, roles: user.roles }, secret, clock);
        return success({
          access_token: token,
          token_type: 'bearer' as const,
          user: { id: username, username, roles: [...user.roles] },
        });
      },
    );
    done();
  };
}

function equalInConstantTime(left: string, right: string): boolean {
  return timingSafeEqual(sha256(left), sha256(right));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
