import {
  integerSetting,
  logLevelSetting,
  portSetting,
  textSetting,
  urlSetting,
} from '@points/runtime/config';
import { z } from 'zod';

/** RFC 7518 §3.2: an HS256 key has at least as many bits as the hash. */
const MIN_SECRET_BYTES = 32;
const MAX_POOL_SIZE = 100;

/** Settings of the api, from environment variables. */
export const apiSettings = z
  .object({
    NODE_ENV: z.string().optional(),
    LOG_LEVEL: logLevelSetting(),
    HOST: textSetting('an address to listen on, such as 0.0.0.0').default('127.0.0.1'),
    PORT: portSetting().default(3000),
    DATABASE_URL: urlSetting(['postgres', 'postgresql']),
    DATABASE_POOL_SIZE: integerSetting(1, MAX_POOL_SIZE).default(10),
    EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']).optional(),
    NATS_URL: urlSetting(['nats', 'tls']),
    NATS_USER: textSetting('the name of a NATS client, such as api'),
    NATS_PASS: textSetting('the password of NATS_USER'),
    AUTH_MODE: z
      .enum(['dev', 'jwt'], { error: 'must be dev (fixed users, for development only) or jwt' })
      .default('jwt'),
    JWT_SECRET: z
      .string()
      .refine((secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES, {
        error: `must be at least ${MIN_SECRET_BYTES} bytes long; "openssl rand -base64 48" makes a good one`,
      })
      .optional(),
    JWKS_URL: urlSetting(['https', 'http']).optional(),
    JWT_ISSUER: z.string().optional(),
    JWT_AUDIENCE: z.string().optional(),
    CORS_ORIGINS: originsSetting().default([]),
    READY_AT_POSITION: z
      .string()
      .regex(/^\d{1,19}$/, { error: 'must be a position of the event log, in decimal digits' })
      .transform(BigInt)
      .default(0n),
  })
  .superRefine((settings, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    const { NODE_ENV, AUTH_MODE, JWT_SECRET, JWKS_URL } = settings;
    if (AUTH_MODE === 'dev' && NODE_ENV === 'production') {
      refuse(
        'AUTH_MODE=dev lets anybody log in with known passwords and is refused when NODE_ENV=production: set AUTH_MODE=jwt',
      );
    }
    if (AUTH_MODE === 'dev' && JWT_SECRET === undefined)
      refuse('AUTH_MODE=dev needs JWT_SECRET to sign its tokens');
    if (JWT_SECRET === undefined && JWKS_URL === undefined) {
      refuse(
        'Set JWT_SECRET (a shared HS256 secret) or JWKS_URL (the key set of an identity provider)',
      );
    }
    if (JWT_SECRET !== undefined && JWKS_URL !== undefined)
      refuse('Set only one of JWT_SECRET and JWKS_URL');
  });

export type ApiSettings = Readonly<z.output<typeof apiSettings>>;

function originsSetting() {
  const error = 'must be origins such as https://app.example.com with commas between, or *';
  return z
    .string()
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .refine((origins) => origins.every((origin) => origin === '*' || isOrigin(origin)), { error });
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
