import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  ConfigError,
  flagSetting,
  integerSetting,
  logLevelSetting,
  portSetting,
  readConfig,
  textSetting,
  urlSetting,
} from './config.ts';

const schema = z.object({
  PORT: portSetting().default(3000),
  SWEEP_EVERY_MS: integerSetting(1000, 3_600_000).optional(),
  SINGLE_WRITER: flagSetting().default(false),
  NATS_URL: urlSetting(['nats', 'tls']),
  NATS_PASS: textSetting('the password of NATS_USER'),
  LOG_LEVEL: logLevelSetting(),
});
const good = { NATS_URL: 'nats://127.0.0.1:4222', NATS_PASS: 'x' };

function refusal(env: NodeJS.ProcessEnv): string {
  try {
    readConfig(schema, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('readConfig', () => {
  it('reads, converts and fills in defaults', () => {
    const config = readConfig(schema, { ...good, PORT: '0', SINGLE_WRITER: 'true', HOME: '/root' });
    expect(config).toEqual({ ...good, PORT: 0, SINGLE_WRITER: true, LOG_LEVEL: 'info' });
  });

  it('is frozen', () => {
    expect(Object.isFrozen(readConfig(schema, good))).toBe(true);
  });

  it('takes an empty variable as not set', () => {
    expect(readConfig(schema, { ...good, PORT: '' }).PORT).toBe(3000);
    expect(refusal({ ...good, NATS_URL: '' })).toBe(
      'NATS_URL is not set: must be a URL that starts with nats:// or tls://.',
    );
  });

  it.each([
    [{ PORT: 'abc' }, 'PORT is "abc": must be a whole number from 0 to 65535.'],
    [{ PORT: '65536' }, 'PORT is "65536": must be a whole number from 0 to 65535.'],
    [{ PORT: '-1' }, 'PORT is "-1": must be a whole number from 0 to 65535.'],
    [{ PORT: '0x10' }, 'PORT is "0x10": must be a whole number from 0 to 65535.'],
    [{ PORT: '1.5' }, 'PORT is "1.5": must be a whole number from 0 to 65535.'],
    [{ PORT: ' 80' }, 'PORT is " 80": must be a whole number from 0 to 65535.'],
    [
      { SWEEP_EVERY_MS: '10' },
      'SWEEP_EVERY_MS is "10": must be a whole number from 1000 to 3600000.',
    ],
    [{ SINGLE_WRITER: 'yes' }, 'SINGLE_WRITER is "yes": must be true or false.'],
    [
      { NATS_URL: 'http://x' },
      'NATS_URL is wrong: must be a URL that starts with nats:// or tls://.',
    ],
    [{ NATS_URL: 'nats' }, 'NATS_URL is wrong: must be a URL that starts with nats:// or tls://.'],
    [{ NATS_PASS: undefined }, 'NATS_PASS is not set: must be the password of NATS_USER.'],
    [
      { LOG_LEVEL: 'loud' },
      'LOG_LEVEL is "loud": must be one of trace, debug, info, warn, error, fatal, silent.',
    ],
  ])('refuses %j in one sentence', (env, sentence) => {
    expect(refusal({ ...good, ...env })).toBe(sentence);
  });

  it('names every wrong variable, one sentence each', () => {
    expect(refusal({ PORT: 'abc' }).split('\n')).toEqual([
      'PORT is "abc": must be a whole number from 0 to 65535.',
      'NATS_URL is not set: must be a URL that starts with nats:// or tls://.',
      'NATS_PASS is not set: must be the password of NATS_USER.',
    ]);
  });

  it('never quotes a value that may be a secret', () => {
    expect(refusal({ ...good, NATS_URL: 'postgres://user:hunter2@host' })).not.toContain('hunter2');
  });
});
