import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../log.ts';
import { createShutdown } from '../shutdown.ts';

/** A process for shutdown.int.test.ts; the argument says what goes wrong. */
const mode = process.argv[2];
const log = createLog('fixture');
const shutdown = createShutdown({ log, timeoutMs: mode === 'stuck' ? 200 : 5_000 });
shutdown.add('first', () => log.info('first stopped'));
shutdown.add('second', async () => {
  if (mode === 'failing') throw new Error('cannot');
  if (mode === 'stuck' || mode === 'slow') await new Promise(() => {});
  if (mode === 'unhurried') await sleep(200);
  log.info('second stopped');
});
const alive = setInterval(() => {}, 60_000);
shutdown.add('timer', () => clearInterval(alive));
log.info('ready');
if (mode === 'throwing')
  setImmediate(() => {
    throw new Error('bug in a callback');
  });
if (mode === 'rejecting') void Promise.reject(new Error('bug in a promise'));
if (mode === 'stopping') shutdown.stop('a part broke', 3);
