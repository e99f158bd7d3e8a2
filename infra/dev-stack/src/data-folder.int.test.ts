import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keptSecret, openDataFolder } from './data-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'points-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('openDataFolder', () => {
  it('makes the folder and keeps it from everybody else until it is given back', () => {
    const path = join(folder, 'a', 'b');
    const first = openDataFolder(path);
    expect(() => openDataFolder(path)).toThrow(
      `The data folder ${path} belongs to a stack that runs (it is in use by process ${process.pid}): ` +
        'stop that one, or choose another one with DATA_DIR=<folder>.',
    );
    first.unlock();
    openDataFolder(path).unlock();
  });

  it('says why a folder cannot be used', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => openDataFolder(join(folder, 'file', 'x'))).toThrow(
      /cannot be written \(ENOTDIR.*\): mend that, or choose another one with DATA_DIR=<folder>\.$/,
    );
  });

  it.runIf(process.platform === 'linux')(
    'takes over from a killed stack whose parent does not notice',
    async () => {
      // The shell becomes a program that never asks for the end of its child.
      const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const zombie = await new Promise<string>((resolve) =>
        parent.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
      );
      const fields = () =>
        readFileSync(`/proc/${zombie}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      await vi.waitFor(() => expect(fields()[0]).toBe('Z'), { timeout: 5_000 });
      writeFileSync(
        join(folder, 'lock'),
        `${zombie} ${fields()[19]} 00000000-0000-4000-8000-000000000000`,
      );
      openDataFolder(folder).unlock();
      parent.kill();
    },
  );
});

it('keptSecret makes a secret once, for its owner only', () => {
  const secret = keptSecret(folder, 'jwt-secret');
  expect(secret).toMatch(/^[\w-]{48}$/);
  expect(keptSecret(folder, 'jwt-secret')).toBe(secret);
  expect(statSync(join(folder, 'jwt-secret')).mode & 0o777).toBe(0o600);
});
