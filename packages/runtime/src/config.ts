import { z } from 'zod';

/** Wrong settings; `message` has one sentence per wrong variable. The caller prints it and exits with 1. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads settings from environment variables and freezes them. An empty variable counts as not set.
 * Throws ConfigError that names every wrong variable and what is expected of it; values are quoted
 * unless the name says that they may hold a secret.
 */
export function readConfig<Schema extends z.ZodObject>(
  schema: Schema,
  env: NodeJS.ProcessEnv,
): Readonly<z.output<Schema>> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const result = schema.safeParse(given);
  if (result.success) return Object.freeze(result.data);
  const sentences = result.error.issues.map((issue) => {
    const name = issue.path.map(String).join('.');
    if (name === '') return `${issue.message}.`;
    const value = given[name];
    if (value === undefined) return `${name} is not set: ${issue.message}.`;
    return `${name} is ${mayBeSecret(name) ? 'wrong' : JSON.stringify(value)}: ${issue.message}.`;
  });
  throw new ConfigError([...new Set(sentences)].join('\n'));
}

/** A whole number between two bounds, both included. */
export function integerSetting(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string({ error })
    .regex(/^-?\d{1,15}$/, { error, abort: true })
    .transform(Number)
    .pipe(z.number().min(min, { error }).max(max, { error }));
}

/** A TCP port; 0 lets the system choose a free one. */
export function portSetting() {
  return integerSetting(0, 65_535);
}

/** `true` or `false`. */
export function flagSetting() {
  return z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform((value) => value === 'true');
}

/** Text that is not empty. `what` completes "must be", as in "the password of NATS_USER". */
export function textSetting(what: string) {
  return z.string({ error: `must be ${what}` });
}

/** A URL with one of the given schemes, such as `['nats', 'tls']`. */
export function urlSetting(schemes: string[]) {
  const error = `must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return z
    .string({ error })
    .refine(
      (value) => URL.canParse(value) && schemes.includes(new URL(value).protocol.slice(0, -1)),
      { error },
    );
}

/** How much is logged: LOG_LEVEL of every process. */
export function logLevelSetting() {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
  return z.enum(levels, { error: `must be one of ${levels.join(', ')}` }).default('info');
}

function mayBeSecret(name: string): boolean {
  return /PASS|SECRET|TOKEN|KEY|URL/.test(name);
}
