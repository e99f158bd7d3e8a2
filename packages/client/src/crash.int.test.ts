import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { KnownHold } from './outbox.ts';
import { CLIENT, type ClientWorld, newFolder, startClientWorld } from './testing/client-world.ts';

let setup: ClientWorld;
beforeAll(async () => {
  setup = await startClientWorld();
  await setup.world.startLedger();
});
afterAll(() => setup.stop());

const FIXTURE = new URL('testing/crash-fixture.ts', import.meta.url).pathname;
const ROUNDS = 3;
const SETTLED = { timeout: 20_000, interval: 50 };

interface Service {
  lines(): string[];
  kill(): Promise<void>;
  readonly killed: Promise<void>;
}

/** An AI service in a process of its own. */
function startService(mode: string, accountId: string, dir: string): Service {
  const child = spawn(process.execPath, ['--import', 'tsx', FIXTURE, mode, accountId], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      SERVERS: setup.world.natsServer.url,
      USER_PASS: setup.credentials(CLIENT).pass,
      OUTBOX: dir,
    },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const killed = once(child, 'close').then(([, signal]) => expect(signal).toBe('SIGKILL'));
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    lines: () => output.split('\n').slice(0, -1),
    killed,
    kill() {
      child.kill('SIGKILL');
      return killed;
    },
  };
}

describe('kill -9 of an AI service', () => {
  it('when the work has returned, before anything was sent: charged once by the next process', async () => {
    const dir = newFolder();
    const accountId = await setup.account(100);
    await startService('dies when the work has returned', accountId, dir).killed;
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld']);
    const orphans: KnownHold[] = [];
    const next = await setup.connect({ dir, onOrphan: (hold) => (orphans.push(hold), 'cancel') });
    await vi.waitFor(() => expect(next.outbox()).toEqual([]), SETTLED);
    expect(orphans).toEqual([]);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
    expect((await next.balance({ accountId })).result).toMatchObject({ balance: 93, held: 0 });
  });

  it.each([
    ['cancel', ['PointsHeld', 'HoldCanceled'], 100],
    [{ confirm: { points: 4 } }, ['PointsHeld', 'HoldConfirmed'], 96],
  ] as const)('in the work: the next process decides, %o', async (decision, types, balance) => {
    const dir = newFolder();
    const accountId = await setup.account(100);
    const service = startService('dies in the work', accountId, dir);
    await service.killed;
    const holdId = service.lines()[0]?.split(' ')[1];
    const orphans: KnownHold[] = [];
    const next = await setup.connect({ dir, onOrphan: (hold) => (orphans.push(hold), decision) });
    await vi.waitFor(() => expect(next.outbox()).toEqual([]), SETTLED);
    expect(orphans).toMatchObject([
      { accountId, holdId, bizId: 'job-1', amount: 10, recordId: expect.any(Number) },
    ]);
    expect(await setup.eventTypes(accountId)).toEqual(types);
    expect((await next.balance({ accountId })).result).toMatchObject({ balance });
    // Whatever was decided: nobody is asked again.
    await next.close();
    await setup.connect({ dir, onOrphan: (hold) => (orphans.push(hold), 'leave') });
    expect(orphans).toHaveLength(1);
  });

  it('in the work, and nobody decides: said in the log, and left to expire', async () => {
    const dir = newFolder();
    const accountId = await setup.account(100);
    await startService('dies in the work', accountId, dir).killed;
    const said: string[] = [];
    const say = (_: object, message: string) => void said.push(message);
    const next = await setup.connect({ dir, log: { info: say, warn: say, error: say } });
    await vi.waitFor(() => expect(next.outbox()).toEqual([]), SETTLED);
    expect(said).toContain('the hold of an earlier process is left to expire');
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld']);
  });

  it('in the work, and the decision fails: the next process is asked again', async () => {
    const dir = newFolder();
    const accountId = await setup.account(100);
    await startService('dies in the work', accountId, dir).killed;
    const asked: string[] = [];
    const first = await setup.connect({
      dir,
      onOrphan: () => {
        asked.push('first');
        throw new Error('the database is down');
      },
    });
    await vi.waitFor(() => expect(asked).toEqual(['first']));
    expect(await first.close(0)).toMatchObject([{ stage: 'held' }]);
    const second = await setup.connect({ dir, onOrphan: () => 'cancel' });
    await vi.waitFor(() => expect(second.outbox()).toEqual([]), SETTLED);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldCanceled']);
  });

  it('while it asks for the hold: canceled, since no work can have begun', async () => {
    const dir = newFolder();
    const accountId = await setup.account(100);
    await startService('dies while it asks for the hold', accountId, dir).killed;
    const orphans: KnownHold[] = [];
    const next = await setup.connect({ dir, onOrphan: (hold) => (orphans.push(hold), 'leave') });
    expect(next.outbox()).toMatchObject([{ hold: { accountId } }]);
    await vi.waitFor(() => expect(next.outbox()).toEqual([]), SETTLED);
    expect(orphans).toEqual([]);
    expect((await next.balance({ accountId })).result).toMatchObject({ balance: 100, held: 0 });
    expect((await setup.eventTypes(accountId)).at(-1)).toBe('HoldCanceled');
  });

  it('at any moment, again and again: what returned is charged once, everything else is not', async () => {
    const dir = newFolder();
    const accountId = await setup.account(100_000);
    const returned = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const service = startService('works until it is killed', accountId, dir);
      const enough = 20 + round * 13;
      await vi.waitFor(() => expect(service.lines().length).toBeGreaterThan(enough), {
        timeout: 30_000,
        interval: 1,
      });
      await service.kill();
      for (const line of service.lines()) {
        const [, holdId = '', points] = line.split(' ');
        returned.set(holdId, Number(points));
      }
      const next = await setup.connect({
        dir,
        // As a service does that keeps its results: what it finds was done.
        onOrphan: ({ holdId = '' }) => {
          const points = returned.get(holdId);
          return points === undefined ? 'cancel' : { confirm: { points } };
        },
      });
      await vi.waitFor(() => expect(next.outbox()).toEqual([]), SETTLED);
      await next.close();
    }
    const charged = new Map<string, number>();
    const open = new Set<string>();
    for (const { type, data } of await setup.world.events(accountId)) {
      const { hold_id, actual_amount } = data as { hold_id: string; actual_amount: number };
      if (type === 'PointsHeld') open.add(hold_id);
      if (type === 'HoldConfirmed') charged.set(hold_id, actual_amount);
      if (type === 'HoldConfirmed' || type === 'HoldCanceled') open.delete(hold_id);
    }
    expect(returned.size).toBeGreaterThan(60);
    expect(charged).toEqual(returned);
    expect(open).toEqual(new Set());
  });
});
