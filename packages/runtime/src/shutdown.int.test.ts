import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FIXTURE = fileURLToPath(new URL('testing/shutdown-fixture.ts', import.meta.url));

type Ended = { code: number | null; messages: string[] };

/** Runs the fixture and, once it says ready, does `act`; resolves with its exit code and log messages. */
function run(mode: string, act: (child: ChildProcess) => void = () => {}): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', FIXTURE, mode], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const messages: string[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const entry: { msg: string } = JSON.parse(line);
      messages.push(entry.msg);
      if (entry.msg === 'ready') act(child);
    }
  });
  // Not `close`: it never comes after the parent has closed the channel.
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const read = new Promise<void>((resolve) => child.stdout?.once('end', resolve));
  return Promise.all([exited, read]).then(([code]) => ({ code, messages }));
}

describe('createShutdown', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s stops everything, last added first, and exits 0',
    async (signal) => {
      const ended = await run('orderly', (child) => child.kill(signal));
      expect(ended).toEqual({
        code: 0,
        messages: ['ready', 'stopping', 'second stopped', 'first stopped', 'stopped'],
      });
    },
  );

  it('takes the same signal twice at once for one, as Ctrl-C under npm sends it', async () => {
    const ended = await run('unhurried', (child) => {
      child.kill('SIGINT');
      child.kill('SIGTERM');
    });
    expect(ended).toMatchObject({ code: 0, messages: expect.arrayContaining(['stopped']) });
  });

  it('exits at once when somebody insists', async () => {
    const ended = await run('slow', (child) => {
      child.kill('SIGINT');
      const again = setInterval(() => child.kill('SIGINT'), 300);
      child.once('exit', () => clearInterval(again));
    });
    expect(ended).toEqual({ code: 1, messages: ['ready', 'stopping'] });
  });

  it('does the same when the parent closes the channel', async () => {
    const ended = await run('orderly', (child) => child.disconnect());
    expect(ended).toEqual({
      code: 0,
      messages: ['ready', 'stopping', 'second stopped', 'first stopped', 'stopped'],
    });
  });

  it('goes on after a stop that fails and exits 1', async () => {
    const ended = await run('failing', (child) => child.kill('SIGTERM'));
    expect(ended).toEqual({
      code: 1,
      messages: ['ready', 'stopping', 'could not be stopped', 'first stopped', 'stopped'],
    });
  });

  it('gives up on a stop that does not end and exits 1', async () => {
    const ended = await run('stuck', (child) => child.kill('SIGTERM'));
    expect(ended).toEqual({ code: 1, messages: ['ready', 'stopping', 'did not stop in time'] });
  });

  it('stops with the exit code of whoever asked for it', async () => {
    const ended = await run('stopping');
    expect(ended.code).toBe(3);
    expect(ended.messages).toContain('first stopped');
  });

  it.each(['throwing', 'rejecting'])(
    '%s: an uncaught error is logged and ends the process at once with 1',
    async (mode) => {
      const ended = await run(mode);
      expect(ended).toEqual({ code: 1, messages: ['ready', 'uncaught error'] });
    },
  );
});
