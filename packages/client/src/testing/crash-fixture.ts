import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../connect.ts';
import { silentLog } from '../log.ts';

/**
 * An AI service for crash.int.test.ts, to be killed. The first argument says what it does; the environment says where.
 * Each line that it prints was written before anything else could happen.
 */
const [mode = '', accountId = ''] = process.argv.slice(2);
const { SERVERS = '', USER_PASS = '', OUTBOX = '' } = process.env;
const say = (line: string): void => void writeSync(1, `${line}\n`);
const kill = (): void => void process.kill(process.pid, 'SIGKILL');

const client = await connect({
  servers: SERVERS,
  client: 'ai-demo',
  credentials: { user: 'ai-demo', pass: USER_PASS },
  outbox: { dir: OUTBOX },
  log: silentLog,
});

const options = { accountId, estimate: { points: 10 }, bizId: 'job-1' };
switch (mode) {
  case 'dies when the work has returned':
    await client.withHold(options, (hold) => {
      hold.used({ points: 7 });
      // After everything that follows in this turn, before any answer of disk or network.
      setImmediate(kill);
      return Promise.resolve();
    });
    break;
  case 'dies in the work':
    await client.withHold(options, async (hold) => {
      say(`held ${hold.holdId}`);
      kill();
      await sleep(60_000);
    });
    break;
  case 'dies while it asks for the hold': {
    const asked = client.withHold(options, () => Promise.resolve());
    // The row is written; whether the request gets out is open, but no answer can have been read.
    setImmediate(kill);
    await asked;
    break;
  }
  case 'works until it is killed':
    await Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let job = 0; ; job += 1) {
          await client.withHold(options, async (hold) => {
            await sleep((worker * 3 + job) % 7);
            hold.used({ points: job % 10 });
            say(`returned ${hold.holdId} ${job % 10}`);
          });
        }
      }),
    );
    break;
  default:
    throw new Error(`no such mode: ${mode}`);
}
