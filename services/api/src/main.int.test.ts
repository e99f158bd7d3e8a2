import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function run(changes: Record<string, string>) {
  const env = {
    PATH: process.env['PATH'] ?? '',
    PORT: '0',
    DATABASE_URL: inject('postgresUrl'),
    NATS_URL: 'nats://127.0.0.1:1',
    NATS_USER: 'api',
    NATS_PASS: 'secret',
    AUTH_MODE: 'dev',
    JWT_SECRET: 'a secret of at least thirty-two bytes',
    ...changes,
  };
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: end(child) };
}

async function end(
  child: ChildProcess,
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (stderr += String(chunk)));
  const [code]: unknown[] = await once(child, 'close');
  return { code, stdout, stderr };
}

test('says when it is ready and where, and stops at SIGTERM', async () => {
  const { child, ended } = run({});
  for (let line = ''; !line.includes('"msg":"ready"');)
    line = String((await once(child.stdout, 'data'))[0]);
  child.kill('SIGTERM');
  const { code, stdout } = await ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/"healthPort":\d+,"msg":"ready"/);
});

test('wrong settings: one clear sentence each, and exit code 1', async () => {
  const { code, stderr } = await run({ JWT_SECRET: 'short', PORT: 'http' }).ended;
  expect(stderr).toMatch(/^api: PORT is "http".*\nJWT_SECRET is wrong.*\n$/);
  expect(code).toBe(1);
});
