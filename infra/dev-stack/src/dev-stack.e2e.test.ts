import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createLog } from '@points/runtime/log';
import { connectNats } from '@points/runtime/nats';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { processIdentity } from './processes.ts';
import { type StackProcess, startStackProcess } from './testing/stack-process.ts';
import { makeDataDir, removeData } from './testing/stack-under-test.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PARTS = ['stack', 'postgres', 'nats', 'eventstore', 'ledger', 'projector', 'api'];

const folder = makeDataDir();
const started: StackProcess[] = [];
afterAll(async () => {
  for (const stack of started) {
    stack.signal('SIGTERM');
    await stack.exited;
  }
  removeData(folder);
});

function start(
  name: string,
  options: { env?: Record<string, string>; byNpm?: boolean } = {},
): StackProcess {
  const stack = startStackProcess({ dataDir: join(folder, name), ...options });
  started.push(stack);
  return stack;
}

/** Runs the program of `npm run call`. */
function call(stack: StackProcess, args: string[], input = ''): Promise<Ran> {
  return run(stack, ['scripts/call.ts', ...args], input);
}

type Ran = { code: number | null; out: string; err: string };

async function run(stack: StackProcess, command: string[], input = ''): Promise<Ran> {
  const child = spawn(process.execPath, ['--import', 'tsx', ...command], {
    cwd: ROOT,
    env: { ...process.env, DATA_DIR: stack.dataDir },
  });
  child.stdin.end(input);
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, out, err };
}

async function balanceOf(stack: StackProcess, accountId: string): Promise<number> {
  const { url, clients } = stack.file().nats;
  const { user, pass } = clients['ai-demo'] ?? { user: '', pass: '' };
  const nats = await connectNats({
    url,
    user,
    pass,
    name: 'test',
    log: createLog('test', 'silent'),
  });
  try {
    const body = Buffer.from(JSON.stringify({ account_id: accountId }));
    const reply = await nats.request('ledger.v1.qry.ai-demo.balance', body, { timeoutMs: 5_000 });
    const answer: { result: { balance: number } } = JSON.parse(
      Buffer.from(reply.data).toString('utf8'),
    );
    return answer.result.balance;
  } finally {
    await nats.close();
  }
}

async function getData(stack: StackProcess, path: string): Promise<unknown> {
  const body: { data: unknown } = JSON.parse(
    await (await fetch(`${stack.file().http}${path}`)).text(),
  );
  return body.data;
}

async function expectAllEnded(pids: Record<string, number>): Promise<void> {
  const living = () => Object.entries(pids).filter(([, pid]) => processIdentity(pid) !== null);
  await vi.waitFor(() => expect(living()).toEqual([]), { timeout: 15_000, interval: 100 });
}

describe('a stack', () => {
  let stack: StackProcess;
  beforeAll(async () => {
    stack = start('one', { byNpm: true });
    await stack.ready;
  });

  it('says where everything is, to its owner only', async () => {
    const file = stack.file();
    expect(file).toEqual({
      http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      nats: {
        url: expect.stringMatching(/^nats:\/\/127\.0\.0\.1:\d+$/),
        clients: expect.objectContaining({
          'ai-demo': { user: 'ai-demo', pass: expect.stringMatching(/^\w{24}$/) },
        }),
      },
      eventstore: expect.stringMatching(/^esdb:\/\/127\.0\.0\.1:\d+\?tls=false$/),
      postgres: expect.stringMatching(/^postgres:\/\/points:.+@127\.0\.0\.1:\d+\/points_ledger$/),
      pids: expect.any(Object),
    });
    expect(Object.keys(file.pids).toSorted()).toEqual(PARTS.toSorted());
    expect(statSync(join(folder, 'one', 'dev-stack.json')).mode & 0o777).toBe(0o600);
    expect((await fetch(`${file.http}/readyz`)).status).toBe(200);
  });

  it('has the seed data', async () => {
    expect(await balanceOf(stack, 'test_user')).toBe(100);
    expect(await balanceOf(stack, 'admin')).toBe(1000);
    expect(await getData(stack, '/user/ai/models/stats')).toEqual({
      totalModels: 10,
      enabledModels: 8,
      countByType: { text_to_image: 2, text_to_video: 4, image_to_video: 1, llm: 1 },
      countByProvider: { openai: 3, runninghub: 5 },
    });
    expect(await getData(stack, '/user/ai/models')).toMatchObject([
      {
        modelName: 'sora_image',
        displayName: 'Sora高质量图片生成',
        pointsCost: 11,
        providerType: 'openai',
        taskType: 'text_to_image',
      },
      ...Array.from({ length: 7 }, () => ({})),
    ]);
  });

  it('answers npm run call: 0 ok, 1 refused, 2 not asked', async () => {
    const held = await call(
      stack,
      ['ai-demo', 'hold', '-'],
      '{"account_id": "test_user", "amount": 10}',
    );
    expect(held).toMatchObject({ code: 0, err: '' });
    const { result }: { result: { hold_id: string } } = JSON.parse(held.out);
    const confirm = { account_id: 'test_user', hold_id: result.hold_id, actual_amount: 7 };
    expect((await call(stack, ['ai-demo', 'confirm', JSON.stringify(confirm)])).code).toBe(0);
    const refused = await call(stack, [
      'ai-demo',
      'hold',
      '{"account_id": "test_user", "amount": 94}',
    ]);
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('insufficient_points');
    expect(await call(stack, ['ai-demo', 'recharge', '{}'])).toEqual({
      code: 2,
      out: '',
      err: 'call: the NATS server does not permit ledger.v1.cmd.ai-demo.recharge\n',
    });
  });

  it('is refused its folder by another stack, which leaves it alone', async () => {
    const second = start('one');
    expect((await second.exited).code).toBe(1);
    const holder = `it is in use by process ${stack.file().pids['stack']}`;
    expect(second.output()).toContain(`belongs to a stack that runs (${holder})`);
    expect(await balanceOf(stack, 'test_user')).toBe(93);
  });

  it('leaves room for another stack, which ends on Ctrl-C', async () => {
    const other = start('two', { byNpm: true });
    await other.ready;
    expect(await balanceOf(other, 'test_user')).toBe(100);
    expect(await balanceOf(stack, 'test_user')).toBe(93);
    const example = await run(other, ['packages/client/examples/paint.ts']);
    expect(example).toMatchObject({ code: 0, err: '' });
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const shown = readme.split('```\n$ npm run -s example\n')[1]?.split('```')[0];
    const withoutTask = (output = '') => output.replace(/TASK\d+/, 'TASK');
    expect(withoutTask(example.out)).toBe(withoutTask(shown));
    const { pids } = other.file();
    other.interrupt();
    await expectAllEnded(pids);
    expect(other.output()).toMatch(/Stopping \(SIGINT\) …\nStopped\.\n$/);
    expect(existsSync(join(folder, 'two', 'dev-stack.json'))).toBe(false);
  });

  it('starts parts again that are killed', async () => {
    const before = stack.file().pids;
    for (const part of ['api', 'nats']) process.kill(before[part] ?? 0, 'SIGKILL');
    await vi.waitFor(
      async () => {
        const { http, pids } = stack.file();
        expect(pids['api']).not.toBe(before['api']);
        expect(pids['nats']).not.toBe(before['nats']);
        expect((await fetch(`${http}/readyz`)).status).toBe(200);
      },
      { timeout: 60_000, interval: 200 },
    );
    expect(await balanceOf(stack, 'test_user')).toBe(93);
  });

  it('leaves nothing running after kill -9 of its process group, and starts again with the same balances', async () => {
    const { pids } = stack.file();
    await stack.kill();
    stack = start('one', { byNpm: true }); // at once, while the old parts are dying
    await stack.ready;
    await expectAllEnded(pids);
    expect(await balanceOf(stack, 'test_user')).toBe(93);
    expect(await balanceOf(stack, 'admin')).toBe(1000);
  });

  it('ends with all its parts when npm gets SIGTERM', async () => {
    const { pids } = stack.file();
    stack.signal('SIGTERM');
    await stack.exited;
    await expectAllEnded(pids);
    expect(stack.output()).toMatch(/Stopping \(SIGTERM\) …\nStopped\.\n$/);
    expect(existsSync(join(folder, 'one', 'dev-stack.json'))).toBe(false);
    expect((await call(stack, ['ai-demo', 'balance'])).err).toContain('No stack runs here');
  });
});

describe('a start that cannot succeed says why in one sentence and leaves nothing running', () => {
  it.each([
    [
      'a wrong setting',
      { PORT: 'abc' },
      /^points-ledger: PORT is "abc": must be a whole number from 0 to 65535\.\n$/,
    ],
    [
      'a missing nats-server',
      { NATS_SERVER: '/nowhere/nats-server' },
      /points-ledger: nats-server is not installed: run `node scripts\/setup\.mjs`/,
    ],
    [
      'a server that does not answer',
      { DATABASE_URL: 'postgres://127.0.0.1:1/x' },
      /Nothing answers at 127\.0\.0\.1, which DATABASE_URL names .* start that server first/,
    ],
    [
      'a wrong setting of a service',
      { SWEEP_EVERY_MS: 'abc' },
      /ledger did not start: ledger: SWEEP_EVERY_MS is "abc": must be a whole number .*ledger\.log/,
    ],
    [
      'an address that is not ours',
      { HOST: '192.0.2.1' },
      /HOST=192\.0\.2\.1 cannot be listened on .* such as 127\.0\.0\.1/,
    ],
  ])('%s', async (name, env, sentence) => {
    const stack = start(`failing ${name}`, { env });
    expect((await stack.exited).code).toBe(1);
    expect(stack.output()).toMatch(sentence);
    expect(await processesOf(join(folder, `failing ${name}`))).toEqual([]);
  });

  it('a taken port', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const stack = start('taken', { env: { PORT: String(port) } });
    expect((await stack.exited).code).toBe(1);
    expect(stack.output()).toContain(
      `Port ${port} of 127.0.0.1 is taken by another program: stop that one, or choose another port, as in PORT=${port + 1} npm start.`,
    );
    other.close();
  });

  it('a data folder that cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const stack = start(join('file', 'data'));
    expect((await stack.exited).code).toBe(1);
    expect(stack.output()).toMatch(
      /The data folder .* cannot be written \(ENOTDIR.*\): mend that, or choose another one with DATA_DIR=<folder>\./,
    );
  });

  it('a signal while it starts', async () => {
    const stack = start('interrupted');
    await vi.waitFor(() => expect(stack.output()).toContain('nats '), { timeout: 20_000 });
    stack.signal('SIGINT');
    expect((await stack.exited).code).toBe(0);
    expect(stack.output()).toMatch(/Stopping \(SIGINT\) …\nStopped\.\n$/);
    expect(await processesOf(join(folder, 'interrupted'))).toEqual([]);
  });
});

/** Command lines of living processes that name the folder. */
async function processesOf(dataDir: string): Promise<string[]> {
  const list = spawn('ps', ['-eo', 'stat,args'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = (await text(list.stdout)).split('\n');
  return lines.filter((line) => line.includes(dataDir) && !line.startsWith('Z'));
}
